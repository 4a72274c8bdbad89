/* The rare ways of noting an event: of a thread's first, and of those that are lost. */
#include "gil/note.h"

#include "stream/names.h"
#include "stacks/stacks.h"

__thread struct gs_thread gs_self __attribute__((tls_model("initial-exec"))) = {.last = &gs_no_gil};

struct gs_stream *gs_stream_for(struct gs_thread *self, uint64_t *timestamp, bool under_mutex)
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

void gs_make_ready(struct gs_thread *self)
{
    int cancel = gs_slow_begin();
    if (gs_state() == GS_FORKED)
        gs_session_resume();
    if (gs_ready(self) == NULL && gs_state() == GS_RECORDING)
        gs_stream_attach(self, gs_now(), false);
    gs_attend(self);
    gs_slow_end(cancel);
}

uint32_t gs_frame_if_awaited(const struct gs_gil *gil)
{
    uint32_t epoch = gs_epoch();
    /* Those that waited in an earlier recording were not seen to stop. */
    bool awaited = epoch != 0 && atomic_load_explicit(&gil->waiting, memory_order_relaxed) >> 32 == epoch;
    return awaited ? gs_stack_number(gil) : 0;
}

void gs_add_frame(const struct gs_thread *self, const struct gs_gil *gil)
{
    const struct gs_stream *stream = gs_ready(self);
    if (stream == NULL || stream->used == GS_HEADER_SIZE)
        return;
    struct gs_event *last = (struct gs_event *)((char *)stream->packet + stream->used - GS_EVENT_SIZE);
    if (last->id == gs_gil_acquired && last->gil == gil->number)
        __atomic_store_n(&last->arg, gs_stack_number(gil), __ATOMIC_RELAXED);
}
