/* An interpreter that is only its GIL: CPython 3.13's take_gil and drop_gil, call for call, with counters that
 * the recorder does not know of. Tests hold the trace against them. */
#ifndef FAKE_PYTHON_H
#define FAKE_PYTHON_H

#include <pthread.h>
#include <stdatomic.h>

struct fake_gil;

struct fake_thread {
    struct fake_gil *gil;
    void *state; /* fake_frames.h */
    long takes, contended, timeouts, drops, answered, requested, abandoned; /* answered: asked for in its hold */
};

struct fake_gil *fake_gil_new(long interval_us);
void fake_gil_destroy(struct fake_gil *gil);
void fake_gil_after_fork(struct fake_gil *gil);

void fake_take(struct fake_thread *thread);
void fake_drop(struct fake_thread *thread, int final);
int fake_take_unless(struct fake_thread *thread, atomic_int *exiting); /* 0: gave up, as at finalisation */
void fake_wait_for_ever(struct fake_thread *thread);                   /* no drop wakes it */
int fake_waiting(struct fake_gil *gil);                               /* threads that wait for it */
void fake_check(struct fake_thread *thread);                          /* the eval breaker */

void *PyEval_SaveThread(void);
void PyEval_RestoreThread(void *thread);
void fake_set_current(struct fake_thread *thread);

#endif
