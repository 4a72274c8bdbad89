/* The hooks: what the interpreter calls in place of five libc functions. They run in every thread of a stranger's
 * program, some with the GIL's mutex held: no allocation, no lock, no Python object, no errno change. Each
 * does what it replaces and notes what that means.
 *
 *   take: lock(M) { timedwait(C, M) }* lock(S) signal(SC) unlock(S) unlock(M)
 *   drop: lock(M) signal(C) unlock(M), then lock(S) if a drop request was pending
 *
 * Both stamps are made while M is held: on one GIL they are in the order of the lock. */
#define _GNU_SOURCE
#include "hooks.h"

#include <errno.h>

#include "clock.h"
#include "gil.h"
#include "names.h"
#include "session.h"
#include "stream.h"

__thread struct gs_thread gs_self __attribute__((tls_model("initial-exec")));

/* What the interpreter called before us. Atomic: a second gs_install may find another interposer below. */
#define DECLARE(name, needed, result, parameters, arguments)                                         \
    static result(*original_##name) parameters;                                                      \
    static inline result real_##name parameters                                                      \
    {                                                                                                \
        return __atomic_load_n(&original_##name, __ATOMIC_RELAXED) arguments;                        \
    }
GS_HOOKED(DECLARE)
#undef DECLARE

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* The calling thread's stream if it is recorded already: one comparison. */
static inline struct gs_stream *ready(const struct gs_thread *self)
{
    return likely(self->epoch == gs_epoch()) ? self->stream : NULL;
}

/* An event of a thread that has no stream yet, or none any more. under_mutex: nothing slow. */
static struct gs_stream *stream_for(struct gs_thread *self, uint64_t *timestamp, bool under_mutex)
{
    uint32_t state = gs_state();
    if (state == GS_RECORDING) {
        struct gs_stream *stream = gs_stream_attach(self, *timestamp, under_mutex);
        if (stream != NULL) /* whose start may have been stamped later */
            *timestamp = stream->packet->timestamp_end;
        else
            gs_names_count_discarded();
        return stream;
    }
    if (state == GS_DISCARDING && self->stream != NULL && self->epoch == gs_run.number)
        __atomic_add_fetch(&self->stream->packet->events_discarded, 1, __ATOMIC_RELAXED);
    else if (state == GS_DISCARDING)
        gs_names_count_discarded();
    return NULL;
}

static inline bool note(struct gs_thread *self, uint64_t timestamp, uint16_t id, const struct gs_gil *gil)
{
    struct gs_stream *stream = ready(self);
    if (unlikely(stream == NULL))
        stream = stream_for(self, &timestamp, true);
    if (unlikely(stream == NULL))
        return false;
    gs_stream_write(stream, timestamp, id, gil->number, 0);
    return true;
}

/* With no mutex held: the place for all that takes time. */
static inline void attend(struct gs_thread *self)
{
    struct gs_stream *stream = ready(self);
    if (stream != NULL && unlikely(stream->used >= stream->attention))
        gs_stream_attend(stream);
}

static __attribute__((noinline)) void make_ready(struct gs_thread *self)
{
    if (gs_state() == GS_FORKED)
        gs_session_resume();
    if (ready(self) == NULL && gs_state() == GS_RECORDING)
        gs_stream_attach(self, gs_now(), false);
    attend(self);
}

static inline void enter_section(struct gs_thread *self, struct gs_gil *gil)
{
    if (unlikely(ready(self) == NULL))
        make_ready(self);
    self->released = NULL;
    self->waiting_since = 0;
    self->settled = false;
    /* The ask is worth a clock read only if it will have to wait. */
    struct gs_thread *holder = atomic_load_explicit(&gil->holder, memory_order_relaxed);
    self->asked = holder != NULL && holder != self ? gs_now() : 0;
}

/* Each hook is two functions: one that passes straight on while nothing is recorded, which must cost next to
 * nothing, and, out of its way, the one that looks. */
#define LOOKS static __attribute__((noinline))

/* S of a GIL that was just dropped: its thread has found a drop request pending. */
static void found_request(struct gs_thread *self)
{
    if (self->epoch == gs_run.number) /* else the release itself is in no trace, or in an earlier one */
        note(self, gs_now(), gs_gil_drop_requested, self->released);
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
        enter_section(self, gil);
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
    return gs_state() == GS_OFF ? real_pthread_mutex_lock(mutex) : look_at_lock(mutex);
}

static inline void acquired(struct gs_thread *self, struct gs_gil *gil)
{
    note(self, gs_gil_stamp(gil, gs_now()), gs_gil_acquired, gil);
    atomic_store_explicit(&gil->holder, self, memory_order_relaxed);
    self->settled = true;
}

static inline void released(struct gs_thread *self, struct gs_gil *gil)
{
    note(self, gs_gil_stamp(gil, gs_now()), gs_gil_released, gil);
    atomic_store_explicit(&gil->holder, NULL, memory_order_relaxed);
    self->settled = true;
    self->released = gil;
}

LOOKS int look_at_signal(pthread_cond_t *cond)
{
    struct gs_thread *self = &gs_self;
    struct gs_gil *gil = self->section;
    if (likely(gil != NULL)) {
        if (is(&gil->switch_cond, cond))
            acquired(self, gil);
        else if (!self->settled)
            released(self, gil);
    } else if ((gil = gs_gil_of_switch_cond(cond)) != NULL) {
        acquired(self, gil); /* the recording began in the middle of this take: only takes signal SC */
    } else {
        gs_candidate_signal(self, cond);
    }
    return real_pthread_cond_signal(cond);
}

static int hook_pthread_cond_signal(pthread_cond_t *cond)
{
    return gs_state() == GS_OFF ? real_pthread_cond_signal(cond) : look_at_signal(cond);
}

/* Waits may last for ever, with an event each interval, and M is held between them. A packet for these is
 * made with M free, and the interpreter told that it woke for no reason: POSIX allows that, its loop looks
 * again whether the GIL is free. */
static int make_room_without_mutex(struct gs_thread *self, pthread_mutex_t *mutex)
{
    real_pthread_mutex_unlock(mutex);
    attend(self);
    return real_pthread_mutex_lock(mutex);
}

/* Once a wait and recording. Returns whether the wait is in this recording. */
static bool note_wait(struct gs_thread *self, const struct gs_gil *gil)
{
    if (self->waiting_since != 0 && self->waiting_since == gs_epoch())
        return true;
    if (!note(self, self->asked ? self->asked : gs_now(), gs_gil_wait, gil))
        return false;
    self->waiting_since = self->epoch;
    return true;
}

LOOKS int look_at_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
    struct gs_thread *self = &gs_self;
    struct gs_gil *gil = self->section;
    if (gil == NULL || !is(&gil->mutex, mutex))
        return real_pthread_cond_timedwait(cond, mutex, until);
    note_wait(self, gil);
    struct gs_stream *stream = ready(self);
    if (unlikely(stream != NULL && stream->used >= GS_PREPARE_AT && stream->next == NULL))
        return make_room_without_mutex(self, mutex);
    int result = real_pthread_cond_timedwait(cond, mutex, until);
    /* The recording may have begun, or begun anew, meanwhile. */
    if (result == ETIMEDOUT && gs_state() != GS_OFF && note_wait(self, gil))
        note(self, gs_now(), gs_gil_timeout, gil);
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
    struct gs_stream *stream = ready(self) ? self->stream : stream_for(self, &timestamp, false);
    if (stream != NULL)
        gs_stream_write(stream, timestamp, gs_gil_acquired, gil->number, 0);
    attend(self);
}

static inline int leave_section(struct gs_thread *self, struct gs_gil *gil, pthread_mutex_t *mutex)
{
    if (unlikely(self->waiting_since != 0 && !self->settled && self->waiting_since == gs_epoch()))
        note(self, gs_now(), gs_gil_abandoned, gil);
    self->section = NULL;
    int result = real_pthread_mutex_unlock(mutex);
    attend(self);
    return result;
}

static __attribute__((noinline)) int unlock_candidate(struct gs_thread *self, pthread_mutex_t *mutex)
{
    uint64_t timestamp = self->candidate.timestamp;
    struct gs_gil *learned = gs_candidate_unlock(self, mutex);
    if (learned != NULL)
        atomic_store_explicit(&learned->holder, self, memory_order_relaxed);
    int result = real_pthread_mutex_unlock(mutex);
    if (learned != NULL)
        begin_with_hold(self, learned, timestamp);
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
    return gs_state() == GS_OFF ? real_pthread_mutex_unlock(mutex) : look_at_unlock(mutex);
}

static int hook_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    gs_gil_destroyed(mutex);
    return real_pthread_mutex_destroy(mutex);
}

#define ENTRY(name, needed, result, parameters, arguments)                                           \
    {#name, needed, (void *)hook_##name, (void **)&original_##name},
const struct gs_hook gs_hooks[GS_HOOKS] = {GS_HOOKED(ENTRY)};
