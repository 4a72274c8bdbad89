/* The functions whose calls show the GIL. */
#ifndef GILSCOPE_HOOKS_H
#define GILSCOPE_HOOKS_H

#include <pthread.h>
#include <time.h>

/* X(name, needed, result, parameters, arguments): declares originals, hooks and the patch table.
 * pthread_cond_wait is not here: a release that answers a drop request shows by its lock of S already. */
#define GS_HOOKED(X)                                                                                 \
    X(pthread_mutex_lock, 1, int, (pthread_mutex_t * mutex), (mutex))                                \
    X(pthread_mutex_unlock, 1, int, (pthread_mutex_t * mutex), (mutex))                              \
    X(pthread_cond_signal, 1, int, (pthread_cond_t * cond), (cond))                                  \
    X(pthread_cond_timedwait, 1, int,                                                                \
      (pthread_cond_t * cond, pthread_mutex_t * mutex, const struct timespec *until), (cond, mutex, until)) \
    X(pthread_mutex_destroy, 0, int, (pthread_mutex_t * mutex), (mutex))

#define GS_INDEX(name, ...) gs_hook_##name,
enum gs_hook_index { GS_HOOKED(GS_INDEX) GS_HOOKS };
#undef GS_INDEX

struct gs_hook {
    const char *name;
    int needed;
    void *hook;
    void **original; /* what the interpreter called before */
};

extern const struct gs_hook gs_hooks[GS_HOOKS];

#endif
