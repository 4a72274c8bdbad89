/* How the stack of a GIL's holder was reached the last time: by which pointers, and where its frames lay. So what they
 * lead to can be asked for together with them. That they still say so is seen in the same copy; if they do not, what
 * they say now is followed in another. */
#ifndef GILSCOPE_WAYS_H
#define GILSCOPE_WAYS_H

#include <stdbool.h>
#include <stdint.h>

#include "stacks/stacks.h"

#define GS_FRAME_SIZE 128u /* of a frame, as far as its fields are looked at */
#define GS_PIECES (2 * GS_STACK_DEPTH)

struct gs_piece {
    uintptr_t begin, end;
};

struct gs_way {
    uintptr_t holder, stream, thread_state, cframe;
    unsigned count; /* of pieces */
    struct gs_piece pieces[GS_PIECES];
};

/* The holder's; an empty one, if it is not remembered. */
struct gs_way *gs_way_of(uintptr_t holder);

void gs_way_forget(struct gs_way *way);

/* A frame was looked for in memory that was not copied. It alone comes first: where it can be read and what lies before
 * it can't, it is there. False: it was asked for before, or there is no room. */
bool gs_way_add(struct gs_way *way, uintptr_t frame);
bool gs_way_is_alone(const struct gs_way *way, unsigned piece, uintptr_t frame);

void gs_way_drop(struct gs_way *way, unsigned piece);

/* These were all frames that were wanted, innermost first: no more is copied the next time but a little above it. */
void gs_way_keep(struct gs_way *way, const uintptr_t *frames, unsigned count);

#endif
