/* The rare ways of noting an event: of a thread's first, and of those that are lost. */
#include "note.h"

#include "names.h"

__thread struct gs_thread gs_self __attribute__((tls_model("initial-exec")));

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
    if (gs_state() == GS_FORKED)
        gs_session_resume();
    if (gs_ready(self) == NULL && gs_state() == GS_RECORDING)
        gs_stream_attach(self, gs_now(), false);
    gs_attend(self);
}
