/* The locks of an interpreter of ours: up to 3.13 a semaphore each, waited for as CPython does; and threads that park, as
 * they do from 3.13 on. */
#ifndef FAKE_LOCKS_H
#define FAKE_LOCKS_H

#include <semaphore.h>
#include <stdbool.h>

/* What became of waits, as the interpreter itself saw it. */
struct fake_waits {
    long got, timed_out, interrupted, let_go;
};

/* Lock it; us < 0: for as long as it takes. Returns false where time was over or a signal came. old: by the names that
 * glibc had for these calls before 2.34. */
bool fake_lock(sem_t *lock, long us, bool old, struct fake_waits *waits);
void fake_unlock(sem_t *lock, bool old, struct fake_waits *waits);
void fake_lock_end(sem_t *lock);

void PyMutex_Lock(void *mutex);
void PyMutex_Unlock(void *mutex);

#endif
