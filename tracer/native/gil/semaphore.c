/* Hooks for the GIL of CPython before 3.2: one semaphore, like every lock of that interpreter.
 *
 *   take: sem_wait(G)      drop: sem_post(G)
 *
 * The take is stamped after it, the drop before it: so on the GIL they are in the order of the lock. A waiter
 * sleeps in the kernel, is woken, and may find the semaphore taken again: no call shows that, the scheduler's
 * events do. */
#define _GNU_SOURCE
#include <errno.h>

#include "gil/hooks.h"
#include "gil/note.h"

GS_HOOKED_OLD(GS_DECLARE)

/* After a fork the interpreter makes itself a new GIL, and this is its first call. */
static struct gs_gil *gil_of(struct gs_thread *self, sem_t *semaphore)
{
    if (gs_state() == GS_FORKED)
        gs_gil_moved(&gs_gils[0], semaphore);
    return gs_gil_of_mutex(self, semaphore);
}

static __attribute__((noinline)) int look_at_wait(sem_t *semaphore)
{
    struct gs_thread *self = &gs_self;
    int saved = errno;
    if (gs_state() == GS_LEARNING)
        gs_candidate_semaphore_taken(self, semaphore);
    struct gs_gil *gil = gil_of(self, semaphore);
    if (gil == NULL)
        return real_sem_wait(semaphore);
    if (self->section != gil) /* else a signal has ended the last call, and the interpreter asks again */
        gs_enter(self, gil);
    int result = sem_trywait(semaphore);
    if (result != 0) {
        gs_note_wait(self, gil);
        self->section = gil;
        errno = saved;
        result = real_sem_wait(semaphore);
    }
    if (result == 0) {
        self->section = NULL;
        self->waiting_since = 0;
        gs_acquired(self, gil);
        errno = saved;
    }
    return result;
}

static int hook_sem_wait(sem_t *semaphore)
{
    return gs_state() == GS_OFF ? real_sem_wait(semaphore) : look_at_wait(semaphore);
}

static __attribute__((noinline)) int look_at_post(sem_t *semaphore)
{
    struct gs_thread *self = &gs_self;
    if (gs_state() == GS_LEARNING)
        gs_candidate_semaphore_given(self, semaphore);
    struct gs_gil *gil = gs_gil_of_mutex(self, semaphore);
    if (gil == NULL)
        return real_sem_post(semaphore);
    if (gs_ready(self) == NULL)
        gs_make_ready(self);
    gs_released(self, gil);
    self->released = NULL; /* nothing follows that would tell of a request */
    int result = real_sem_post(semaphore);
    gs_attend(self);
    return result;
}

static int hook_sem_post(sem_t *semaphore)
{
    return gs_state() == GS_OFF ? real_sem_post(semaphore) : look_at_post(semaphore);
}

const struct gs_hook gs_old_hooks[] = {GS_HOOKED_OLD(GS_ENTRY) {.name = NULL}};
