/* The calling thread's stack by what its frames and code objects are in themselves: nothing is read of what they refer to.
 * In an earlier stack of this thread with the same sketch each frame was at the same place of the same code object. */
#ifndef GILSCOPE_SKETCH_H
#define GILSCOPE_SKETCH_H

#include "base/hidden.h"
#include "stacks/stacks.h"

struct gs_sketch {
    uint64_t key;
    unsigned count; /* of the frames; 0: there are none, or none of this can be said of them */
};

struct gs_sketch gs_sketch_of(const struct gs_stacks *stacks, const char *thread_state);

/* Of the calling thread: only where gs_stack_places may be called. */
struct gs_sketch gs_stack_sketch(const struct gs_gil *gil);

#define GS_REMEMBERED 8u /* the puts and gets of a queue let go of locks at six places */

struct gs_remembered {
    uint64_t key;
    uint32_t number; /* 0: none */
};

extern GS_HIDDEN __thread struct gs_remembered gs_remembered[GS_REMEMBERED] __attribute__((tls_model("initial-exec")));

/* The number that the calling thread's stack had when it had this sketch; 0: that is not remembered. */
static inline uint32_t gs_sketch_number(const struct gs_sketch *sketch)
{
    const struct gs_remembered *place = &gs_remembered[sketch->key % GS_REMEMBERED];
    return sketch->count != 0 && place->key == sketch->key ? place->number : 0;
}

static inline void gs_sketch_remember(const struct gs_sketch *sketch, uint32_t number)
{
    gs_remembered[sketch->key % GS_REMEMBERED] = (struct gs_remembered){sketch->key, number};
}

#endif
