/* Learning which mutexes and conditions are GILs, from the order of calls alone: nothing depends on the layout
 * of the interpreter's structures. Runs in hooks: stores and atomics only. */
#include "gil/gil.h"

#include "base/clock.h"
#include "format.h"

struct gs_gil gs_gils[GS_GILS], gs_no_gil;
_Atomic(void *) gs_gil_mutexes[GS_GILS];
_Atomic uint32_t gs_gil_slots;
static _Atomic uint32_t learned, missed;
_Atomic bool gs_gil_off;

struct gs_gil *gs_gil_of_switch_cond(void *cond)
{
    uint32_t slots = atomic_load_explicit(&gs_gil_slots, memory_order_acquire);
    for (uint32_t i = 0; i < slots; i++)
        if (atomic_load_explicit(&gs_gils[i].switch_cond, memory_order_relaxed) == cond &&
            atomic_load_explicit(&gs_gils[i].mutex, memory_order_acquire) != NULL)
            return &gs_gils[i];
    return NULL;
}

/* No two GILs of a process have the same, also if one of them is gone. */
static bool give_number(struct gs_gil *gil)
{
    uint32_t number = atomic_load(&learned);
    do {
        if (number >= GS_NO_GIL)
            return false;
    } while (!atomic_compare_exchange_weak(&learned, &number, number + 1));
    gil->number = (uint16_t)number;
    return true;
}

/* Two threads may learn two GILs at once, never the same one: its mutex is held. A slot is claimed by its
 * switch_cond and becomes visible with its mutex. */
static struct gs_gil *learn(const struct gs_candidate *take)
{
    if (atomic_load_explicit(&gs_gil_off, memory_order_relaxed))
        return NULL;
    for (uint32_t i = 0; i < GS_GILS; i++) {
        struct gs_gil *gil = &gs_gils[i];
        void *nothing = NULL;
        if (atomic_load_explicit(&gil->switch_cond, memory_order_relaxed) != NULL ||
            !atomic_compare_exchange_strong(&gil->switch_cond, &nothing, take->switch_cond))
            continue;
        if (!give_number(gil)) {
            atomic_store(&gil->switch_cond, NULL);
            break;
        }
        gil->acquired = (struct gs_event_head){gs_gil_acquired, gil->number};
        gil->released = (struct gs_event_head){gs_gil_released, gil->number};
        atomic_store(&gil->switch_mutex, take->switch_mutex);
        atomic_store(&gil->holder, NULL);
        uint32_t slots = atomic_load(&gs_gil_slots);
        while (slots <= i && !atomic_compare_exchange_weak(&gs_gil_slots, &slots, i + 1))
            ;
        atomic_store_explicit(&gil->mutex, take->mutex, memory_order_release);
        atomic_store_explicit(&gs_gil_mutexes[i], take->mutex, memory_order_release);
        return gil;
    }
    atomic_fetch_add(&missed, 1);
    return NULL;
}

void gs_candidate_lock(struct gs_thread *self, void *mutex)
{
    struct gs_candidate *take = &self->candidate;
    if (take->stage == 1 && mutex != take->mutex) {
        take->switch_mutex = mutex;
        take->stage = 2;
    } else {
        take->mutex = mutex;
        take->stage = 1;
    }
}

void gs_candidate_signal(struct gs_thread *self, void *cond)
{
    struct gs_candidate *take = &self->candidate;
    if (take->stage == 2) {
        take->switch_cond = cond;
        take->timestamp = gs_now();
        take->stage = 3;
    } else {
        take->stage = 0; /* a drop, or no GIL at all */
    }
}

struct gs_gil *gs_candidate_unlock(struct gs_thread *self, void *mutex)
{
    struct gs_candidate *take = &self->candidate;
    if (take->stage == 3 && mutex == take->switch_mutex) {
        take->stage = 4;
        return NULL;
    }
    bool complete = take->stage == 4 && mutex == take->mutex;
    take->stage = 0;
    if (!complete)
        return NULL;
    struct gs_gil *known = gs_gil_of_mutex(self, mutex); /* learned while we waited for the mutex */
    return known != NULL ? known : learn(take);
}

void gs_candidate_semaphore_given(struct gs_thread *self, void *semaphore)
{
    self->candidate = (struct gs_candidate){.mutex = semaphore, .switch_cond = semaphore, .stage = 1};
}

void gs_candidate_semaphore_taken(struct gs_thread *self, void *semaphore)
{
    if (self->candidate.stage == 1 && self->candidate.mutex == semaphore)
        learn(&self->candidate);
    self->candidate.stage = 0;
}

void gs_gil_destroyed(void *mutex)
{
    uint32_t slots = atomic_load_explicit(&gs_gil_slots, memory_order_acquire);
    for (uint32_t i = 0; i < slots; i++)
        if (atomic_load(&gs_gil_mutexes[i]) == mutex) {
            atomic_store(&gs_gil_mutexes[i], NULL);
            atomic_store(&gs_gils[i].mutex, NULL);
            atomic_store(&gs_gils[i].switch_mutex, NULL);
            atomic_store(&gs_gils[i].switch_cond, NULL);
        }
}

uint32_t gs_gil_count(void)
{
    return atomic_load(&learned);
}

uint32_t gs_gil_alive(void)
{
    uint32_t alive = 0, slots = atomic_load(&gs_gil_slots);
    for (uint32_t i = 0; i < slots; i++)
        alive += atomic_load(&gs_gil_mutexes[i]) != NULL;
    return alive;
}

uint32_t gs_gil_missed(void)
{
    return atomic_load(&missed);
}

void gs_gil_moved(struct gs_gil *gil, void *mutex)
{
    atomic_store(&gil->mutex, mutex);
    atomic_store(&gs_gil_mutexes[gil - gs_gils], mutex);
}
