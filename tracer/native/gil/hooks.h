/* The functions whose calls show the GIL, and two for which a process has to have one thread. */
#ifndef GILSCOPE_HOOKS_H
#define GILSCOPE_HOOKS_H

#include <pthread.h>
#include <semaphore.h>
#include <time.h>

/* X(name, needed, result, parameters, arguments), of CPython 3.2 and later: declares originals, hooks and the patch table.
 * pthread_cond_wait is not here: a release that answers a drop request shows by its lock of S already. */
#define GS_HOOKED(X)                                                                                 \
    X(pthread_mutex_lock, 1, int, (pthread_mutex_t * mutex), (mutex))                                \
    X(pthread_mutex_unlock, 1, int, (pthread_mutex_t * mutex), (mutex))                              \
    X(pthread_cond_signal, 1, int, (pthread_cond_t * cond), (cond))                                  \
    X(pthread_cond_timedwait, 1, int,                                                                \
      (pthread_cond_t * cond, pthread_mutex_t * mutex, const struct timespec *until), (cond, mutex, until)) \
    X(pthread_mutex_destroy, 0, int, (pthread_mutex_t * mutex), (mutex))                             \
    X(unshare, 0, int, (int flags), (flags))                                                         \
    X(setns, 0, int, (int fd, int type), (fd, type))

/* The GIL of CPython before 3.2 is one semaphore, as all its locks are. */
#define GS_HOOKED_OLD(X)                                                                             \
    X(sem_wait, 1, int, (sem_t * semaphore), (semaphore))                                            \
    X(sem_post, 1, int, (sem_t * semaphore), (semaphore))

struct gs_hook {
    const char *name;
    int needed;
    void *hook;
    void **original; /* what the interpreter called before */
};

#define GS_MOST_HOOKS 8

/* Both end with a name of NULL. */
extern const struct gs_hook gs_hooks[], gs_old_hooks[];

/* What the interpreter called before us. Atomic: a second gs_install may find another interposer below. */
#define GS_DECLARE(name, needed, result, parameters, arguments)                                      \
    static result(*original_##name) parameters;                                                      \
    static inline result real_##name parameters                                                      \
    {                                                                                                \
        return __atomic_load_n(&original_##name, __ATOMIC_RELAXED) arguments;                        \
    }

#define GS_ENTRY(name, needed, result, parameters, arguments)                                        \
    {#name, needed, (void *)hook_##name, (void **)&original_##name},

#endif
