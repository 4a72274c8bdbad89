/* Marks and spans: what the program says of itself. Runs where the program calls, in a thread that holds the GIL (or is
 * attached, without one), and no lock of the interpreter's or of ours.
 *
 * A text has a number in a recording as soon as its hash is among what is known, as frames and locks have. So a mark
 * costs a look-up and a stamp, and its text is looked at once. */
#include "gilscope.h"

#include <errno.h>

#include "base/hash.h"
#include "base/known.h"
#include "gil/note.h"
#include "stream/names.h"
#include "stream/run.h"

#define MOST_TEXTS 65536u /* of a recording: beyond, marks have none. A program may make a text for each request */

static _Atomic uint32_t texts; /* numbers given; changed in one's turn at the names */
static uint32_t texts_of_run;

static uint64_t key_of(uint64_t hash)
{
    return gs_mix(gs_mix(hash, 5), (uint64_t)atomic_load_explicit(&gs_run.number, memory_order_relaxed) << 8 | 5);
}

static uint32_t write_text(uint64_t key, const char *text)
{
    uint32_t number = 0;
    int cancel = gs_slow_begin();
    if (gs_turn_take(false)) {
        /* In the meantime another thread may have written it, and recording may have begun anew. */
        if (gs_ready(&gs_self) != NULL && (number = gs_known_find(key)) == 0 && gs_known_has_room(key)) {
            if (texts_of_run != gs_run.number) {
                texts_of_run = gs_run.number;
                texts = 0;
            }
            number = texts + 1;
            if (number > MOST_TEXTS || !gs_names_append(gs_mark_text, number, text) || !gs_known_add(key, number))
                number = 0;
            else
                texts = number;
        }
        gs_turn_end();
    }
    gs_slow_end(cancel);
    return number;
}

static bool is_full(void)
{
    return atomic_load_explicit(&texts, memory_order_relaxed) >= MOST_TEXTS && texts_of_run == gs_run.number;
}

/* Whether the calling thread is recorded, from now on if it was not. */
static bool is_recorded(struct gs_thread *self)
{
    if (likely(gs_ready(self) != NULL))
        return true;
    uint32_t state = gs_state();
    if (state != GS_RECORDING && state != GS_FORKED)
        return false;
    int saved = errno;
    gs_make_ready(self);
    errno = saved;
    return gs_ready(self) != NULL;
}

/* Write the event, in *stream. 1: its text is wanted first. */
static int say(uint64_t hash, const char *text, uint16_t id, struct gs_stream **written)
{
    struct gs_thread *self = &gs_self;
    *written = NULL;
    if (!is_recorded(self))
        return 0;
    uint64_t key = key_of(hash);
    uint32_t number = gs_known_find(key);
    if (unlikely(number == 0) && !is_full()) {
        if (text == NULL)
            return 1;
        number = write_text(key, text);
    }
    struct gs_stream *stream = gs_ready(self); /* a recording may have ended while the text was written */
    if (stream == NULL)
        return 0;
    if (gs_stream_write(stream, gs_now(), id, GS_NO_GIL, number))
        *written = stream;
    return 0;
}

int gs_say_mark(uint64_t hash, const char *text)
{
    struct gs_stream *written;
    int wanted = say(hash, text, gs_mark, &written);
    gs_attend(&gs_self);
    return wanted;
}

int gs_begin_span(uint64_t hash, const char *text, struct gs_span *span)
{
    struct gs_stream *written;
    int wanted = say(hash, text, gs_span_begin, &written);
    *span = (struct gs_span){0};
    if (written != NULL)
        *span = (struct gs_span){gs_self.epoch, written->tid, ++written->spans};
    gs_attend(&gs_self);
    return wanted;
}

/* Of a span that another thread began, or in an earlier recording, the end is not known. */
void gs_end_span(const struct gs_span *span)
{
    struct gs_stream *stream = gs_ready(&gs_self);
    if (stream == NULL || span->epoch != gs_self.epoch || span->tid != stream->tid || span->ordinal > stream->spans)
        return;
    gs_stream_write(stream, gs_now(), gs_span_end, GS_NO_GIL, stream->spans - span->ordinal);
    gs_attend(&gs_self);
}
