/* The GILs of the process, known by the addresses that the interpreter passes to pthread. */
#ifndef GILSCOPE_GIL_H
#define GILSCOPE_GIL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hidden.h"
#include "base/thread.h"
#include "stream/stream.h"

struct gs_gil {
    _Alignas(64) _Atomic(void *) mutex; /* M; NULL: the slot is free */
    _Atomic(void *) switch_mutex;       /* S */
    _Atomic(void *) switch_cond;        /* SC */
    _Atomic(struct gs_thread *) holder; /* who was seen to take it last, until seen to let it go */
    _Atomic uint64_t last;              /* stamp of the last take or drop; changed with M held */
    _Atomic uint64_t waiting; /* recording's number << 32 | threads that wait; changed with M held */
    uint16_t number;
    struct gs_event_head acquired, released; /* its events' */
};

#define GS_GILS 4096u /* GILs alive at once */

/* This interpreter runs without a GIL: imports take it for a moment all the same, which is not worth a word. */
extern GS_HIDDEN _Atomic bool gs_gil_off;

extern GS_HIDDEN struct gs_gil gs_gils[GS_GILS];
extern GS_HIDDEN struct gs_gil gs_no_gil; /* no mutex is its */
extern GS_HIDDEN _Atomic uint32_t gs_gil_slots; /* slots in use are among the first so many */

/* Their mutexes once more, close together: what is no GIL's is looked for in all of them. */
extern GS_HIDDEN _Atomic(void *) gs_gil_mutexes[GS_GILS];

/* A stamp for a take or a drop. M, held, orders these, whatever the clocks of two processors say. */
static inline uint64_t gs_gil_stamp(struct gs_gil *gil, uint64_t now)
{
    uint64_t last = atomic_load_explicit(&gil->last, memory_order_relaxed);
    now = now > last ? now : last;
    atomic_store_explicit(&gil->last, now, memory_order_relaxed);
    return now;
}

/* The GIL whose mutex is m, or NULL. */
static inline struct gs_gil *gs_gil_of_mutex(struct gs_thread *self, void *m)
{
    struct gs_gil *last = self->last;
    if (atomic_load_explicit(&last->mutex, memory_order_acquire) == m)
        return last;
    uint32_t slots = atomic_load_explicit(&gs_gil_slots, memory_order_acquire);
    for (uint32_t i = 0; i < slots; i++)
        if (atomic_load_explicit(&gs_gil_mutexes[i], memory_order_acquire) == m)
            return self->last = &gs_gils[i];
    return NULL;
}

struct gs_gil *gs_gil_of_switch_cond(void *cond);

/* Learning from the calls on mutexes that are no known GIL's. The last returns the GIL when the sequence of a
 * take is complete; its mutex is still held by the caller. */
void gs_candidate_lock(struct gs_thread *self, void *mutex);
void gs_candidate_signal(struct gs_thread *self, void *cond);
struct gs_gil *gs_candidate_unlock(struct gs_thread *self, void *mutex);

/* The same for the old GIL: a semaphore given and taken again by one thread. */
void gs_candidate_semaphore_given(struct gs_thread *self, void *semaphore);
void gs_candidate_semaphore_taken(struct gs_thread *self, void *semaphore);

void gs_gil_destroyed(void *mutex);
uint32_t gs_gil_count(void); /* ever learned */
uint32_t gs_gil_alive(void);

void gs_gil_moved(struct gs_gil *gil, void *mutex);

/* Takes of GILs that there was no room for. */
uint32_t gs_gil_missed(void);

#endif
