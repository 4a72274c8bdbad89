/* Which locks a thread has by `with` while it waits for another one. */
#ifndef GILSCOPE_HELD_H
#define GILSCOPE_HELD_H

#include <stdbool.h>
#include <stdint.h>

#include "stacks/stacks.h"

#define GS_MOST_HELD 4u

struct gs_held {
    const char *lock; /* the object */
    uintptr_t type;   /* its own */
    unsigned place;   /* whose `with` it is: an index in places */
};

/* Of the calling thread, whose frames places are, as it is about to wait: these keep the locks alive. Returns how many,
 * the innermost `with` first. */
unsigned gs_held_find(const struct gs_place *places, unsigned count, struct gs_held held[GS_MOST_HELD]);

/* Whether a thread at these places has none, whatever its frames hold: they are in no block with anything on the stack. */
bool gs_held_never(const struct gs_place *places, unsigned count);

#endif
