/* A code object's type says what is called when nobody refers to it any more. There a function of ours is put in, as a
 * hook is; it counts and calls what stood there. It is taken out at the end; who is in it then goes on in it. */
#include "stacks/deaths.h"

_Atomic uint64_t gs_deaths;
gs_dealloc *_Atomic *gs_deaths_slot;

static gs_dealloc *_Atomic real;
static bool kept; /* by somebody who stands in front of us, and may call us ever after */

void gs_deaths_count_one(void *code)
{
    atomic_fetch_add_explicit(&gs_deaths, 1, memory_order_relaxed); /* the GIL orders it */
    atomic_load_explicit(&real, memory_order_relaxed)(code);
}

void gs_deaths_count(const struct gs_layout *layout, const void *type)
{
    /* In every version: the type's name, two sizes, and this. */
    gs_dealloc *_Atomic *slot = (gs_dealloc *_Atomic *)((uintptr_t)type + layout->type_name + 24);
    gs_dealloc *there = atomic_load(slot);
    if (kept || there == NULL || there == gs_deaths_count_one)
        return;
    atomic_store(&real, there);
    atomic_fetch_add(&gs_deaths, 1); /* some may have died since it was counted last */
    atomic_store(slot, gs_deaths_count_one);
    gs_deaths_slot = slot;
}

void gs_deaths_leave(void)
{
    gs_dealloc *ours = gs_deaths_count_one;
    if (gs_deaths_slot != NULL && !atomic_compare_exchange_strong(gs_deaths_slot, &ours, atomic_load(&real)))
        kept = true;
}
