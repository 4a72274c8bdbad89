/* The functions whose calls show every other lock of Python: of CPython 3.11 and later. */
#ifndef GILSCOPE_LOCK_HOOKS_H
#define GILSCOPE_LOCK_HOOKS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "gil/hooks.h"

/* X(name, needed, result, parameters, arguments). Not sem_trywait: what finds its lock free makes no call that is
 * looked at, but sem_post, where a lock is a semaphore. */
#define GS_HOOKED_LOCKS(X)                                                                           \
    X(sem_wait, 1, int, (sem_t * semaphore), (semaphore))                                            \
    X(sem_post, 1, int, (sem_t * semaphore), (semaphore))                                            \
    X(sem_clockwait, 0, int, (sem_t * semaphore, clockid_t clock, const struct timespec *until),     \
      (semaphore, clock, until))                                                                     \
    X(sem_timedwait, 0, int, (sem_t * semaphore, const struct timespec *until), (semaphore, until))  \
    X(sem_destroy, 0, int, (sem_t * semaphore), (semaphore))                                         \
    X(sched_yield, 0, int, (void), ())

extern const struct gs_hook gs_lock_hooks[];

/* A thread that finds a lock taken calls sched_yield some times before it parks (free-threaded builds). */
extern _Atomic bool gs_locks_spin;

#endif
