/* What the interpreter calls in place of libc's functions on semaphores. The hooks run in every thread of a stranger's
 * program, mostly in one that has let go of the GIL: no Python object but for reading, no allocation, no errno change.
 *
 *   wait: sem_wait(s) or sem_clockwait(s), where the thread sleeps    let go: sem_post(s)
 *
 * A wait is noted before the call, with what it waits for and where in the program; its end after it. A post is noted
 * before the call, and only where somebody waits for it. */
#define _GNU_SOURCE
#include "locks/hooks.h"

#include <errno.h>
#include <sched.h>

#include "gil/note.h"
#include "locks/again.h"
#include "locks/callers.h"
#include "locks/held.h"
#include "locks/identity.h"
#include "locks/learn.h"
#include "locks/waiters.h"
#include "stacks/places.h"

GS_HOOKED_LOCKS(GS_DECLARE)

#define LOOKS static __attribute__((noinline))
#define NEXT_SPIN UINT64_C(20000) /* ns between two sched_yields of one spin, at most */

#define STANDS (UINT32_C(1) << 31) /* beside the number of a lock: it is a thread's state, and the world is stopped */

_Atomic bool gs_locks_spin;

/* A wait that goes on. */
struct wait {
    const void *semaphore;
    uint32_t epoch; /* of the recording that it was noted in; 0: it was not */
    uint32_t lock;
    bool entered;
};

/* The spin of a thread that is not noted yet. */
static __thread struct {
    uint64_t began, last; /* stamps of its first sched_yield and of the return from its last; began 0: there is none */
} spin __attribute__((tls_model("initial-exec")));

static void note(struct gs_stream *stream, uint64_t timestamp, uint16_t id, uint32_t arg)
{
    gs_stream_write(stream, timestamp, id, GS_NO_GIL, arg);
}

static void note_spin(struct gs_stream *stream)
{
    uint64_t length = spin.last - spin.began;
    note(stream, spin.began, gs_lock_spin, length < UINT32_MAX ? (uint32_t)length : UINT32_MAX);
    spin.began = 0;
}

static void note_frame(struct gs_stream *stream, uint64_t timestamp, uint32_t frame)
{
    if (frame != 0)
        note(stream, timestamp, gs_lock_frame, frame);
}

/* What the thread has while it waits, by number: lock and frame. */
struct holds {
    uint32_t lock[GS_MOST_HELD], frame[GS_MOST_HELD];
    unsigned count;
};

static struct holds holds_of(const struct gs_place *places, unsigned count)
{
    struct gs_held held[GS_MOST_HELD];
    struct holds holds = {.count = 0};
    bool names = atomic_load_explicit(&gs_identity_names, memory_order_relaxed);
    unsigned found = names ? gs_held_find(places, count, held) : 0;
    for (unsigned i = 0; i < found; i++) {
        const struct gs_place *place = &places[held[i].place];
        unsigned outer = count - held[i].place;
        holds.lock[i] = gs_identity_of_object(held[i].lock, held[i].type, place, outer);
        holds.frame[i] = gs_places_number(place, outer, false);
    }
    holds.count = found;
    return holds;
}

static void note_begin(struct gs_thread *self, struct wait *wait, uint64_t asked, bool stands, uint32_t frame)
{
    struct gs_stream *stream = gs_ready(self);
    if (stream == NULL)
        return;
    wait->epoch = self->epoch;
    wait->entered = gs_waiters_enter(wait->semaphore, stands ? wait->lock | STANDS : wait->lock, stream->tid);
    if (spin.began != 0)
        note_spin(stream);
    note(stream, asked, gs_lock_wait, wait->lock);
    note_frame(stream, asked, frame);
}

/* A wait like none that the thread remembers. */
LOOKS void begin_anew(struct gs_thread *self, struct wait *wait, const char *frame, uint64_t asked, uint64_t key,
                      unsigned frames)
{
    struct gs_place places[GS_STACK_DEPTH];
    struct gs_wait_place place = {wait->semaphore, frame, places, gs_stack_places(self->last, places), false};
    wait->lock = gs_identity_number(&place);
    uint32_t number = gs_places_number(places, place.count, false);
    struct holds holds = holds_of(places, place.count);
    note_begin(self, wait, asked, place.stands, number);
    struct gs_stream *stream = gs_ready(self);
    for (unsigned i = 0; i < holds.count && stream != NULL; i++) {
        note(stream, asked, gs_lock_held, holds.lock[i]);
        note_frame(stream, asked, holds.frame[i]);
    }
    gs_wait_remember(&(struct gs_wait_again){key, wait->lock, number}, &place, frames);
}

static void begin(struct gs_thread *self, struct wait *wait, const char *frame)
{
    uint64_t asked = gs_now();
    int saved = errno;
    if (unlikely(gs_ready(self) == NULL))
        gs_make_ready(self);
    gs_busy_begin();
    if (gs_ready(self) != NULL) {
        unsigned frames;
        uint64_t key = gs_wait_key(self->last, wait->semaphore, frame, &frames);
        const struct gs_wait_again *again = gs_wait_find(key);
        if (likely(again != NULL)) {
            wait->lock = again->lock;
            note_begin(self, wait, asked, false, again->frame);
        } else {
            begin_anew(self, wait, frame, asked, key, frames);
        }
    }
    gs_busy_end();
    gs_attend(self);
    errno = saved;
}

static void end(struct gs_thread *self, struct wait *wait, uint16_t how)
{
    uint64_t now = gs_now();
    int saved = errno;
    if (wait->entered)
        gs_waiters_leave(wait->semaphore);
    struct gs_stream *stream = gs_ready(self);
    if (stream != NULL && wait->epoch == self->epoch)
        note(stream, now, how, wait->lock);
    gs_attend(self);
    errno = saved;
}

/* The thread is cancelled in its wait, and does not come back. */
static void abandon(void *wait)
{
    end(&gs_self, wait, gs_lock_interrupted);
}

static int result_of(struct gs_thread *self, struct wait *wait, int result)
{
    end(self, wait, result == 0 ? gs_lock_acquired : errno == ETIMEDOUT ? gs_lock_timeout : gs_lock_interrupted);
    return result;
}

/* The interpreter's own locks are waited for without a look whether they are free; those of programs may have become
 * so since. */
static bool is_free(sem_t *semaphore)
{
    int saved = errno;
    bool taken = sem_trywait(semaphore) == 0;
    errno = saved;
    return taken;
}

/* call: the wait itself, which may be a cancellation point. */
#define WAIT(semaphore, call)                                                                        \
    struct gs_thread *self = &gs_self;                                                               \
    struct wait wait = {.semaphore = semaphore};                                                     \
    const char *frame = __builtin_frame_address(0);                                                  \
    if (gs_state() == GS_LEARNING) {                                                                 \
        gs_learn_wait(semaphore, frame);                                                             \
        return call;                                                                                 \
    }                                                                                                \
    if (is_free(semaphore))                                                                          \
        return 0;                                                                                    \
    int result;                                                                                      \
    begin(self, &wait, frame);                                                                       \
    pthread_cleanup_push(abandon, &wait);                                                            \
    result = call;                                                                                   \
    pthread_cleanup_pop(0);                                                                          \
    return result_of(self, &wait, result);

LOOKS int look_at_wait(sem_t *semaphore)
{
    WAIT(semaphore, real_sem_wait(semaphore))
}

LOOKS int look_at_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *until)
{
    WAIT(semaphore, real_sem_clockwait(semaphore, clock, until))
}

LOOKS int look_at_timedwait(sem_t *semaphore, const struct timespec *until)
{
    WAIT(semaphore, real_sem_timedwait(semaphore, until))
}

static int hook_sem_wait(sem_t *semaphore)
{
    return gs_state() == GS_OFF ? real_sem_wait(semaphore) : look_at_wait(semaphore);
}

static int hook_sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *until)
{
    return gs_state() == GS_OFF ? real_sem_clockwait(semaphore, clock, until)
                                : look_at_clockwait(semaphore, clock, until);
}

static int hook_sem_timedwait(sem_t *semaphore, const struct timespec *until)
{
    return gs_state() == GS_OFF ? real_sem_timedwait(semaphore, until) : look_at_timedwait(semaphore, until);
}

static bool has_gil(const struct gs_thread *self)
{
    return atomic_load_explicit(&self->last->holder, memory_order_relaxed) == self;
}

/* Where the calling thread is. Whoever has the GIL keeps its thread state from being freed; nobody else does. */
static uint32_t stack_number(const struct gs_thread *self)
{
    if (likely(has_gil(self)))
        return gs_stack_number_anyway(self->last);
    gs_busy_begin();
    uint32_t number = gs_ready(self) != NULL ? gs_stack_number_anyway(self->last) : 0;
    gs_busy_end();
    return number;
}

static __attribute__((noinline)) uint32_t callers_of(const struct gs_thread *self, const char *frame)
{
    gs_busy_begin();
    uint32_t callers = gs_ready(self) != NULL ? gs_callers_number(frame) : 0;
    gs_busy_end();
    return callers;
}

static void note_wake(struct gs_thread *self, uint32_t lock, uint32_t waiter, const char *frame)
{
    uint32_t number = stack_number(self), callers = unlikely(lock & STANDS) ? callers_of(self, frame) : 0;
    struct gs_stream *stream = gs_ready(self);
    if (stream == NULL)
        return;
    uint64_t now = gs_now();
    note(stream, now, gs_lock_wake, lock & ~STANDS);
    if (waiter != 0)
        note(stream, now, gs_lock_waiter, waiter);
    note_frame(stream, now, number);
    if (callers != 0)
        note(stream, now, gs_lock_callers, callers);
}

/* Whoever waits can't return before the post, so what it noted of itself is there. */
LOOKS int look_at_post(sem_t *semaphore)
{
    struct gs_thread *self = &gs_self;
    uint32_t lock, waiter;
    int saved = errno;
    if (!gs_waiters_find(semaphore, &lock, &waiter))
        return real_sem_post(semaphore);
    if (unlikely(gs_ready(self) == NULL) && gs_state() != GS_OFF)
        gs_make_ready(self);
    if (likely(gs_ready(self) != NULL))
        note_wake(self, lock, waiter, __builtin_frame_address(0));
    errno = saved;
    int result = real_sem_post(semaphore);
    gs_attend(self);
    return result;
}

static int hook_sem_post(sem_t *semaphore)
{
    return likely(!gs_waiters_any(semaphore)) ? real_sem_post(semaphore) : look_at_post(semaphore);
}

static int hook_sem_destroy(sem_t *semaphore)
{
    if (gs_state() != GS_OFF)
        gs_identity_ends(semaphore);
    return real_sem_destroy(semaphore);
}

LOOKS int look_at_yield(void)
{
    struct gs_thread *self = &gs_self;
    uint64_t now = gs_now();
    if (spin.began != 0 && now - spin.last > NEXT_SPIN) { /* that one got its lock without a park */
        struct gs_stream *stream = gs_ready(self);
        if (stream != NULL)
            note_spin(stream);
        gs_attend(self);
        spin.began = 0;
    }
    if (spin.began == 0)
        spin.began = now;
    int result = real_sched_yield();
    spin.last = gs_now();
    return result;
}

static int hook_sched_yield(void)
{
    bool look = gs_state() == GS_RECORDING && atomic_load_explicit(&gs_locks_spin, memory_order_relaxed);
    return look ? look_at_yield() : real_sched_yield();
}

const struct gs_hook gs_lock_hooks[] = {GS_HOOKED_LOCKS(GS_ENTRY) {.name = NULL}};
