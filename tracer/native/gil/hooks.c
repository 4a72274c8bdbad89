/* The hooks: what the interpreter calls in place of some libc functions. They run in every thread of a stranger's
 * program, some with the GIL's mutex held: no allocation, no lock, no Python object, no errno change. Each
 * does what it replaces and notes what that means.
 *
 *   take: lock(M) { timedwait(C, M) }* lock(S) signal(SC) unlock(S) unlock(M)
 *   drop: lock(M) signal(C) unlock(M), then lock(S) if a drop request was pending
 *
 * Both stamps are made while M is held: on one GIL they are in the order of the lock. */
#define _GNU_SOURCE
#include "gil/hooks.h"

#include <errno.h>
#include <sched.h>

#include "base/clock.h"
#include "base/helper.h"
#include "gil/gil.h"
#include "gil/note.h"
#include "stream/names.h"
#include "stream/session.h"
#include "stream/stream.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

GS_HOOKED(GS_DECLARE)

/* Each hook is two functions: one that passes straight on while nothing is recorded, which must cost next to
 * nothing, and, out of its way, the one that looks. What nearly every take and drop of a thread that is recorded already
 * does is in the first one too: it calls nothing but what it ends with, so it saves and restores no register. */
#define LOOKS static __attribute__((noinline))

/* S of a GIL that was just dropped: its thread has found a drop request pending. */
static void found_request(struct gs_thread *self)
{
    if (self->epoch == gs_run.number) /* else the release itself is in no trace, or in an earlier one */
        gs_note(self, gs_now(), gs_gil_drop_requested, self->released);
    self->released = NULL;
}

static inline bool is(_Atomic(void *) *address, const void *value)
{
    return atomic_load_explicit(address, memory_order_relaxed) == value;
}

LOOKS int look_at_lock(pthread_mutex_t *mutex)
{
    struct gs_thread *self = &gs_self;
    if (self->section != NULL && is(&self->section->switch_mutex, mutex))
        return real_pthread_mutex_lock(mutex);
    struct gs_gil *gil = gs_gil_of_mutex(self, mutex);
    if (gil != NULL) {
        gs_enter(self, gil);
        int result = real_pthread_mutex_lock(mutex);
        self->section = gil;
        return result;
    }
    if (self->released != NULL && is(&self->released->switch_mutex, mutex)) {
        found_request(self);
        return real_pthread_mutex_lock(mutex);
    }
    int result = real_pthread_mutex_lock(mutex);
    gs_candidate_lock(self, mutex);
    return result;
}

static int hook_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    uint32_t word = gs_control_word();
    if (likely(word == GS_OFF))
        return real_pthread_mutex_lock(mutex);
    struct gs_thread *self = &gs_self;
    if (likely(word == self->epoch)) {
        struct gs_gil *gil = self->section;
        if (gil != NULL) {
            if (is(&gil->switch_mutex, mutex))
                return real_pthread_mutex_lock(mutex);
        } else if (gil = self->last, is(&gil->mutex, mutex) && gs_enters_quietly(self, gil)) {
            gs_begin_section(self, gil);
            self->section = gil; /* a moment early: nobody else looks */
            return real_pthread_mutex_lock(mutex);
        }
    }
    return look_at_lock(mutex);
}

LOOKS int look_at_signal(pthread_cond_t *cond)
{
    struct gs_thread *self = &gs_self;
    struct gs_gil *gil = self->section;
    if (likely(gil != NULL)) {
        if (is(&gil->switch_cond, cond))
            gs_acquired(self, gil);
        else if (self->open != NULL)
            gs_released(self, gil);
    } else if ((gil = gs_gil_of_switch_cond(cond)) != NULL) {
        gs_acquired(self, gil); /* the recording began in the middle of this take: only takes signal SC */
    } else {
        gs_candidate_signal(self, cond);
    }
    return real_pthread_cond_signal(cond);
}

static int hook_pthread_cond_signal(pthread_cond_t *cond)
{
    uint32_t word = gs_control_word();
    if (likely(word == GS_OFF))
        return real_pthread_cond_signal(cond);
    struct gs_thread *self = &gs_self;
    struct gs_gil *gil = self->open;
    struct gs_stream *stream = self->stream;
    uint64_t now;
    if (likely(word == self->epoch) && gil != NULL && gs_stream_has_room(stream) && gs_now_quickly(&now)) {
        if (is(&gil->switch_cond, cond)) {
            gs_stream_put(stream, gs_gil_stamp(gil, now), &gil->acquired, 0, true);
            gs_hold(self, gil);
        } else {
            gs_stream_put(stream, gs_gil_stamp(gil, now), &gil->released, self->frame, true);
            gs_let_go(self, gil);
        }
        return real_pthread_cond_signal(cond);
    }
    return look_at_signal(cond);
}

/* M is held. Waits are counted by recording: of one that another recording begins or ends in, half is seen. */
static bool note_wait(struct gs_thread *self, struct gs_gil *gil)
{
    uint32_t noted = self->waiting_since;
    if (!gs_note_wait(self, gil))
        return false;
    uint32_t epoch = self->waiting_since;
    if (noted != epoch) {
        uint64_t waiting = atomic_load_explicit(&gil->waiting, memory_order_relaxed);
        waiting = waiting >> 32 == epoch ? waiting + 1 : (uint64_t)epoch << 32 | 1;
        atomic_store_explicit(&gil->waiting, waiting, memory_order_relaxed);
    }
    return true;
}

static void wait_is_over(struct gs_thread *self, struct gs_gil *gil)
{
    uint64_t waiting = atomic_load_explicit(&gil->waiting, memory_order_relaxed);
    if (waiting >> 32 == self->waiting_since && (uint32_t)waiting != 0)
        atomic_store_explicit(&gil->waiting, waiting - 1, memory_order_relaxed);
}

/* Waits may last for ever, with an event each interval, and M is held between them. A packet for these is
 * made with M free, and the interpreter told that it woke for no reason: POSIX allows that, its loop looks
 * again whether the GIL is free. */
static int make_room_without_mutex(struct gs_thread *self, pthread_mutex_t *mutex)
{
    real_pthread_mutex_unlock(mutex);
    gs_attend(self);
    return real_pthread_mutex_lock(mutex);
}

/* How long a timed wait took, as an event's arg. It may have begun later than the event before says: a thread that
 * wakes up for a release and finds the GIL taken again begins a new one. */
static uint32_t length_of(uint64_t began, uint64_t ended)
{
    return ended - began < UINT32_MAX ? (uint32_t)(ended - began) : UINT32_MAX;
}

LOOKS int look_at_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
    struct gs_thread *self = &gs_self;
    struct gs_gil *gil = self->section;
    if (gil == NULL || !is(&gil->mutex, mutex))
        return real_pthread_cond_timedwait(cond, mutex, until);
    note_wait(self, gil);
    struct gs_stream *stream = gs_ready(self);
    if (unlikely(stream != NULL && stream->used >= GS_PREPARE_AT && stream->next == NULL))
        return make_room_without_mutex(self, mutex);
    uint64_t began = gs_gil_stamp(gil, gs_now()); /* M is held, so it is in the order of the lock */
    int result = real_pthread_cond_timedwait(cond, mutex, until);
    /* The recording may have begun, or begun anew, meanwhile. */
    if (result == ETIMEDOUT && gs_state() != GS_OFF && note_wait(self, gil)) {
        uint64_t ended = gs_gil_stamp(gil, gs_now());
        gs_note_with(self, ended, gs_gil_timeout, gil, length_of(began, ended));
    }
    return result;
}

static int hook_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
    return gs_state() == GS_OFF ? real_pthread_cond_timedwait(cond, mutex, until)
                                : look_at_timedwait(cond, mutex, until);
}

/* A further GIL (a subinterpreter's) has shown itself by a take; it is held by this thread now. */
static void begin_with_hold(struct gs_thread *self, struct gs_gil *gil, uint64_t timestamp)
{
    if (gs_state() == GS_FORKED)
        gs_session_resume();
    struct gs_stream *stream = gs_ready(self) ? self->stream : gs_stream_for(self, &timestamp, false);
    if (stream != NULL)
        gs_stream_write(stream, timestamp, gs_gil_acquired, gil->number, 0);
    gs_attend(self);
}

static __attribute__((noinline)) int leave_after_wait(struct gs_thread *self, struct gs_gil *gil,
                                                      pthread_mutex_t *mutex)
{
    bool acquired = self->open == NULL;
    wait_is_over(self, gil);
    if (!acquired && self->waiting_since == gs_epoch())
        gs_note(self, gs_now(), gs_gil_abandoned, gil);
    self->waiting_since = 0;
    self->section = self->open = NULL;
    int result = real_pthread_mutex_unlock(mutex);
    if (acquired)
        gs_add_frame(self, gil);
    gs_attend(self);
    return result;
}

static inline int leave_section(struct gs_thread *self, struct gs_gil *gil, pthread_mutex_t *mutex)
{
    if (unlikely(self->waiting_since != 0))
        return leave_after_wait(self, gil, mutex);
    self->section = self->open = NULL;
    int result = real_pthread_mutex_unlock(mutex);
    gs_attend(self);
    return result;
}

static __attribute__((noinline)) int unlock_candidate(struct gs_thread *self, pthread_mutex_t *mutex)
{
    uint64_t timestamp = self->candidate.timestamp;
    uint32_t before = gs_gil_missed();
    struct gs_gil *learned = gs_candidate_unlock(self, mutex);
    if (learned != NULL)
        atomic_store_explicit(&learned->holder, self, memory_order_relaxed);
    uint32_t missed = gs_gil_missed();
    int result = real_pthread_mutex_unlock(mutex);
    if (learned != NULL)
        begin_with_hold(self, learned, timestamp);
    else if (unlikely(missed != before && (missed & (missed - 1)) == 0)) /* now and then */
        gs_names_write(gs_gils_missed, missed, "");
    return result;
}

LOOKS int look_at_unlock(pthread_mutex_t *mutex)
{
    struct gs_thread *self = &gs_self;
    if (self->section != NULL && is(&self->section->mutex, mutex))
        return leave_section(self, self->section, mutex);
    return unlikely(self->candidate.stage != 0) ? unlock_candidate(self, mutex) : real_pthread_mutex_unlock(mutex);
}

static int hook_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    uint32_t word = gs_control_word();
    if (likely(word == GS_OFF))
        return real_pthread_mutex_unlock(mutex);
    struct gs_thread *self = &gs_self;
    struct gs_gil *gil = self->section;
    if (likely(word == self->epoch) && gil != NULL) {
        if (is(&gil->switch_mutex, mutex))
            return real_pthread_mutex_unlock(mutex);
        if (is(&gil->mutex, mutex) && self->waiting_since == 0 && self->stream->used < self->stream->attention) {
            self->section = self->open = NULL;
            return real_pthread_mutex_unlock(mutex);
        }
    }
    return look_at_unlock(mutex);
}

static int hook_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    gs_gil_destroyed(mutex);
    return real_pthread_mutex_destroy(mutex);
}

/* A process of one thread alone can have a namespace of users or enter one of those that threads share: ours goes
 * meanwhile. No lock is held here. */
static int hook_unshare(int flags)
{
    if ((flags & (CLONE_NEWUSER | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) == 0)
        return real_unshare(flags);
    gs_helper_step_aside();
    int result = real_unshare(flags);
    gs_helper_return();
    return result;
}

static int hook_setns(int fd, int type)
{
    if (type != 0 && (type & (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWTIME)) == 0)
        return real_setns(fd, type);
    gs_helper_step_aside();
    int result = real_setns(fd, type);
    gs_helper_return();
    return result;
}

const struct gs_hook gs_hooks[] = {GS_HOOKED(GS_ENTRY) {.name = NULL}};
