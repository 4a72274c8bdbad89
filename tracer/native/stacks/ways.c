#include "stacks/ways.h"

#include <string.h>

#include "base/hash.h"

#define WAYS 32u        /* holders that are remembered */
#define WINDOW 4096u    /* what is copied with a frame that is met: its callers lie before it */
#define FURTHER_WINDOW 1024u /* and with one that lies elsewhere */
#define GAP 256u        /* frames with no more between them come as one piece */
#define ABOVE 512u      /* where the functions that the innermost calls have theirs */
#define PAGE 4096u

static struct gs_way ways[WAYS];

struct gs_way *gs_way_of(uintptr_t holder)
{
    struct gs_way *way = &ways[gs_mix(holder, 1) % WAYS];
    if (way->holder != holder) {
        gs_way_forget(way);
        way->holder = holder;
    }
    return way;
}

void gs_way_forget(struct gs_way *way)
{
    way->holder = way->stream = way->thread_state = way->cframe = 0;
    way->count = 0;
}

bool gs_way_is_alone(const struct gs_way *way, unsigned piece, uintptr_t frame)
{
    return way->pieces[piece].begin == frame && way->pieces[piece].end == frame + GS_FRAME_SIZE;
}

bool gs_way_add(struct gs_way *way, uintptr_t frame)
{
    uintptr_t before = way->count == 0 ? WINDOW : FURTHER_WINDOW;
    if (frame < GS_LOWEST_ADDRESS + WINDOW || way->count + 2 > GS_PIECES)
        return false;
    for (unsigned i = 0; i < way->count; i++)
        if (gs_way_is_alone(way, i, frame))
            return false;
    way->pieces[way->count++] = (struct gs_piece){frame, frame + GS_FRAME_SIZE};
    way->pieces[way->count++] = (struct gs_piece){frame - before, frame + GS_FRAME_SIZE};
    return true;
}

void gs_way_drop(struct gs_way *way, unsigned piece)
{
    way->count--;
    memmove(&way->pieces[piece], &way->pieces[piece + 1], (way->count - piece) * sizeof *way->pieces);
}

/* Up to where the piece of the innermost frame goes: as far as it did, within the page, which is there. */
static uintptr_t end_above(const struct gs_way *way, uintptr_t frame)
{
    uintptr_t last = frame + GS_FRAME_SIZE, end = last + ABOVE, page = (last + PAGE - 1) / PAGE * PAGE;
    end = end < page ? end : page;
    for (unsigned i = 0; i < way->count; i++)
        if (way->pieces[i].begin <= frame && way->pieces[i].end > end && way->pieces[i].end < frame + PAGE)
            end = way->pieces[i].end;
    return end;
}

void gs_way_keep(struct gs_way *way, const uintptr_t *frames, unsigned count)
{
    uintptr_t end = count != 0 ? end_above(way, frames[0]) : 0;
    way->count = 0;
    for (unsigned i = 0; i < count; i++) {
        struct gs_piece *last = way->count != 0 ? &way->pieces[way->count - 1] : NULL;
        if (last != NULL && frames[i] < last->begin && frames[i] + GS_FRAME_SIZE + GAP >= last->begin)
            last->begin = frames[i];
        else if (last == NULL || frames[i] < last->begin || frames[i] + GS_FRAME_SIZE > last->end) {
            if (way->count == GS_PIECES)
                return;
            way->pieces[way->count++] = (struct gs_piece){frames[i], i == 0 ? end : frames[i] + GS_FRAME_SIZE};
        }
    }
}
