/* Who waits for which semaphore now, so that who posts it knows whom it wakes. Any thread, in hooks. */
#ifndef GILSCOPE_WAITERS_H
#define GILSCOPE_WAITERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/hidden.h"

#define GS_WAITERS_LINES 1024u

struct gs_waiters {
    _Atomic uint32_t count; /* of waiting threads: while it is 0 a post has nothing to look for */
    _Alignas(64) _Atomic uint16_t in_line[GS_WAITERS_LINES]; /* the same by line: semaphores share one by chance only */
};

extern GS_HIDDEN struct gs_waiters *gs_waiters; /* on a page that the kernel empties in a forked child, whose waiters are gone */

bool gs_waiters_reserve(void); /* once; false: no memory */

/* The calling thread is about to wait, and waits no longer. False: there was no room, its waker won't be known. */
bool gs_waiters_enter(const void *semaphore, uint32_t lock, uint32_t tid);
void gs_waiters_leave(const void *semaphore);

/* Whether somebody waits for this semaphore: for which lock, and who; tid 0: several, any of them. */
bool gs_waiters_find(const void *semaphore, uint32_t *lock, uint32_t *tid);

static inline unsigned gs_waiters_line(const void *semaphore)
{
    return gs_mix((uintptr_t)semaphore, 2) % GS_WAITERS_LINES;
}

/* Some thread nearly always waits for something, be it for another thread's end: so of this one. False: nobody does. */
static inline bool gs_waiters_any(const void *semaphore)
{
    const struct gs_waiters *waiters = gs_waiters;
    return atomic_load_explicit(&waiters->count, memory_order_relaxed) != 0 &&
           atomic_load_explicit(&waiters->in_line[gs_waiters_line(semaphore)], memory_order_relaxed) != 0;
}

#endif
