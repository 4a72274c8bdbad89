/* What the scenarios share: the main thread and its GIL, what all count, threads that are busy or sleep. */
#ifndef SCENARIOS_H
#define SCENARIOS_H

#include <stdio.h>
#include <stdlib.h>

#include "fake_python.h"

#define DIE(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), exit(1))

extern struct fake_gil *gil;
extern struct fake_thread main_thread;
extern const char *trace; /* where it goes */
extern long amount;
extern atomic_int stop_spinning, spinning; /* spinning: threads that began to */

void add(const struct fake_thread *thread); /* what it counted, to what is reported */
void install(void);
void start(void);  /* counting begins with the recording, whose first event says that the starter holds the GIL */
void finish(void); /* stop, and report */
void forget(void); /* what a forked child has of its parent's counts */
void sleep_us(long us);

/* Bodies of threads; their argument is the GIL. */
void *spinner(void *argument); /* takes and checks, until stop_spinning */
void *sleeper(void *argument); /* 20 times lets go for a moment */

void run_threads(void *(*body)(void *), int count, void *argument); /* the main thread lets go meanwhile */

/* The scenarios, by file. */
void contention(void), churn(void), crowd(void), long_wait(void), cancel(void), abandon(void); /* threads.c */
void more_gils(void), many_gils(void);                                                       /* gils.c */
void forks(void);                                                                            /* forks.c */
void restarts(void), full(void), closed(void);                                               /* recordings.c */
void interposed_before(void), interposed_after(void);                                        /* interposed.c */

#endif
