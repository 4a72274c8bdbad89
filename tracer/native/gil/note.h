/* What hooks note, whichever kind of GIL they look at. In the hot path, hence inline. */
#ifndef GILSCOPE_NOTE_H
#define GILSCOPE_NOTE_H

#include "base/clock.h"
#include "base/helper.h"
#include "gil/gil.h"
#include "stream/session.h"
#include "stream/stream.h"

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* An event of a thread that has no stream yet, or none any more. under_mutex: nothing slow. */
struct gs_stream *gs_stream_for(struct gs_thread *self, uint64_t *timestamp, bool under_mutex);

/* Give the calling thread what it needs before its first event. Slow: before the lock. */
void gs_make_ready(struct gs_thread *self);

static inline bool gs_note_with(struct gs_thread *self, uint64_t timestamp, uint16_t id, const struct gs_gil *gil,
                                uint32_t arg)
{
    struct gs_stream *stream = gs_ready(self);
    if (unlikely(stream == NULL))
        stream = gs_stream_for(self, &timestamp, true);
    if (unlikely(stream == NULL))
        return false;
    gs_stream_write(stream, timestamp, id, gil->number, id == gs_gil_released ? self->frame : arg);
    return true;
}

static inline bool gs_note(struct gs_thread *self, uint64_t timestamp, uint16_t id, const struct gs_gil *gil)
{
    return gs_note_with(self, timestamp, id, gil, 0);
}

/* Where the calling thread is, which holds this GIL and not its mutex: for the release that comes, and for the
 * acquire that was its stream's last event. */
uint32_t gs_frame_if_awaited(const struct gs_gil *gil);
void gs_add_frame(const struct gs_thread *self, const struct gs_gil *gil);

/* With no mutex held: the place for all that takes time. */
static inline void gs_attend(struct gs_thread *self)
{
    struct gs_stream *stream = gs_ready(self);
    if (stream != NULL && unlikely(stream->used >= stream->attention))
        gs_stream_attend(stream);
}

static inline void gs_begin_section(struct gs_thread *self, struct gs_gil *gil)
{
    self->asked = 0;
    self->frame = 0;
    self->open = gil;
}

/* Of a thread that is recorded: nobody has the GIL but perhaps this thread, and nobody waits for what it has. */
static inline bool gs_enters_quietly(const struct gs_thread *self, const struct gs_gil *gil)
{
    struct gs_thread *holder = atomic_load_explicit(&gil->holder, memory_order_relaxed);
    return likely(holder == NULL || (holder == self &&
                                     (uint32_t)atomic_load_explicit(&gil->waiting, memory_order_relaxed) == 0));
}

static inline void gs_enter(struct gs_thread *self, struct gs_gil *gil)
{
    if (unlikely(gs_ready(self) == NULL))
        gs_make_ready(self);
    gs_begin_section(self, gil);
    self->released = NULL;
    self->waiting_since = 0;
    if (gs_enters_quietly(self, gil))
        return;
    if (atomic_load_explicit(&gil->holder, memory_order_relaxed) == self) {
        /* Now, not after the release: then its thread state may be freed, if the interpreter ends. */
        self->frame = gs_frame_if_awaited(gil);
    } else {
        self->asked = gs_now(); /* the ask is worth a clock read only if it will have to wait */
        gs_helper_wake();
    }
}

/* What a section is for has happened: the thread holds the GIL, or has let go of it. */
static inline void gs_hold(struct gs_thread *self, struct gs_gil *gil)
{
    atomic_store_explicit(&gil->holder, self, memory_order_relaxed);
    self->open = NULL;
    self->released = NULL;
}

static inline void gs_let_go(struct gs_thread *self, struct gs_gil *gil)
{
    atomic_store_explicit(&gil->holder, NULL, memory_order_relaxed);
    self->open = NULL;
    self->released = gil;
}

static inline void gs_acquired(struct gs_thread *self, struct gs_gil *gil)
{
    gs_note(self, gs_gil_stamp(gil, gs_now()), gs_gil_acquired, gil);
    gs_hold(self, gil);
}

static inline void gs_released(struct gs_thread *self, struct gs_gil *gil)
{
    gs_note(self, gs_gil_stamp(gil, gs_now()), gs_gil_released, gil);
    gs_let_go(self, gil);
}

/* Once a wait and recording. Returns whether the wait is in this recording. */
static inline bool gs_note_wait(struct gs_thread *self, const struct gs_gil *gil)
{
    if (self->waiting_since != 0 && self->waiting_since == gs_epoch())
        return true;
    if (!gs_note(self, self->asked ? self->asked : gs_now(), gs_gil_wait, gil))
        return false;
    self->waiting_since = self->epoch;
    return true;
}

#endif
