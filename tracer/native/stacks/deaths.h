/* How many code objects have died: while none has, the one at an address is the one that was there. Of a version that
 * numbers its code objects nobody needs this. */
#ifndef GILSCOPE_DEATHS_H
#define GILSCOPE_DEATHS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hidden.h"
#include "stacks/layout.h"

typedef void gs_dealloc(void *object);

/* Those that died so far: one more before its memory is free for another. Only while gs_deaths_are_counted. */
extern GS_HIDDEN _Atomic uint64_t gs_deaths;

/* Count from now on, and no longer. Hold the GIL. type: of code objects. */
void gs_deaths_count(const struct gs_layout *layout, const void *type);
void gs_deaths_leave(void);

extern GS_HIDDEN gs_dealloc *_Atomic *gs_deaths_slot; /* where the type says what frees them; NULL: not counted */
extern GS_HIDDEN gs_dealloc gs_deaths_count_one;

/* False also where somebody else has put a function of theirs in ours' place. */
static inline bool gs_deaths_are_counted(void)
{
    return gs_deaths_slot != NULL && atomic_load_explicit(gs_deaths_slot, memory_order_relaxed) == gs_deaths_count_one;
}

#endif
