/* Who waits for which semaphore now, so that who posts it knows whom it wakes. Any thread, in hooks. */
#ifndef GILSCOPE_WAITERS_H
#define GILSCOPE_WAITERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct gs_waiters {
    _Atomic uint32_t count; /* of waiting threads: while it is 0 a post has nothing to look for */
};

extern struct gs_waiters *gs_waiters; /* on a page that the kernel empties in a forked child, whose waiters are gone */

bool gs_waiters_reserve(void); /* once; false: no memory */

/* The calling thread is about to wait, and waits no longer. False: there was no room, its waker won't be known. */
bool gs_waiters_enter(const void *semaphore, uint32_t lock, uint32_t tid);
void gs_waiters_leave(const void *semaphore);

/* Whether somebody waits for this semaphore: for which lock, and who; tid 0: several, any of them. */
bool gs_waiters_find(const void *semaphore, uint32_t *lock, uint32_t *tid);

static inline bool gs_waiters_any(void)
{
    return atomic_load_explicit(&gs_waiters->count, memory_order_relaxed) != 0;
}

#endif
