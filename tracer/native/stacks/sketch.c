/* Runs in hooks. That a code object is the one that was at its address before says its number, or that none has died since. */
#include "stacks/sketch.h"

#include "base/hash.h"
#include "stacks/deaths.h"
#include "stacks/walk.h"
#include "stream/run.h"

__thread struct gs_remembered gs_remembered[GS_REMEMBERED] __attribute__((tls_model("initial-exec")));

static const struct gs_sketch none;

/* What comes before all frames. Numbers of stacks are of a recording; and code objects are numbered by each interpreter,
 * which has its thread states, for itself. */
static uint64_t seed(const char *thread_state, uint64_t deaths)
{
    uint64_t run = atomic_load_explicit(&gs_run.number, memory_order_relaxed);
    return gs_mix((uintptr_t)thread_state ^ gs_rotate(run, 48), deaths);
}

/* Offsets as locals: the loop is to have them in registers. */
static struct gs_sketch by_numbers(const struct gs_layout *layout, const void *code_type, const char *thread_state)
{
    const uint64_t executable = layout->executable, instruction = layout->instruction, previous = layout->previous,
                   owner = layout->owner, type = layout->type, version = layout->version;
    struct gs_sketch sketch = {.key = seed(thread_state, 0)};
    const char *frame = gs_innermost(layout, thread_state);
    for (unsigned steps = GS_MOST_STEPS; frame != NULL && steps > 0; steps--, frame = gs_load(const char *, frame, previous)) {
        if (gs_load(uint8_t, frame, owner) >= GS_FIRST_INTERNAL)
            continue;
        const char *code = (const char *)(gs_load(uintptr_t, frame, executable) & ~GS_TAG);
        if ((uintptr_t)code < GS_LOWEST_ADDRESS)
            continue;
        if (gs_load(const void *, code, type) != code_type)
            continue;
        uint64_t its = gs_load(uint32_t, code, version);
        if (its == 0)
            return none;
        sketch.key = gs_mix(sketch.key ^ (uintptr_t)code, gs_load(uint64_t, frame, instruction) ^ gs_rotate(its, 48));
        if (++sketch.count == GS_STACK_DEPTH)
            break;
    }
    return sketch;
}

/* In 3.11 a frame's instruction lies in its code object, and each frame has one. */
static struct gs_sketch by_deaths(const char *thread_state)
{
    if (!gs_deaths_are_counted())
        return none;
    uint64_t deaths = atomic_load_explicit(&gs_deaths, memory_order_relaxed);
    struct gs_sketch sketch = {.key = seed(thread_state, deaths)};
    const char *frame = gs_innermost(&gs_layout_3_11, thread_state);
    while (frame != NULL && sketch.count < GS_STACK_DEPTH) {
        sketch.key = gs_mix(sketch.key, gs_load(uint64_t, frame, gs_layout_3_11.instruction));
        sketch.count++;
        frame = gs_load(const char *, frame, gs_layout_3_11.previous);
    }
    return sketch;
}

struct gs_sketch gs_sketch_of(const struct gs_stacks *stacks, const char *thread_state)
{
    return gs_is_3_11(&stacks->layout) ? by_deaths(thread_state)
                                       : by_numbers(&stacks->layout, stacks->code_type, thread_state);
}
