/* Runs in hooks, in the thread that is about to wait. */
#include "locks/again.h"

#include "base/hash.h"
#include "locks/held.h"
#include "locks/identity.h"
#include "locks/owners.h"
#include "stacks/sketch.h"

__thread struct gs_waits gs_waits __attribute__((tls_model("initial-exec")));

uint64_t gs_wait_key(const struct gs_gil *gil, const void *semaphore, const char *frame, unsigned *frames)
{
    uint64_t lock = gs_identity_key(semaphore, frame);
    struct gs_sketch sketch = lock != 0 ? gs_stack_sketch(gil) : (struct gs_sketch){.count = 0};
    *frames = sketch.count;
    return sketch.count != 0 ? gs_mix(sketch.key, lock) : 0;
}

void gs_wait_remember(const struct gs_wait_again *found, const struct gs_wait_place *place, unsigned frames)
{
    bool complete = found->lock != 0 && found->frame != 0 && place->count == frames; /* it may be so the next time */
    if (found->key != 0 && complete && !gs_is_condition_wait(place->places) && gs_held_never(place->places, place->count))
        gs_waits.of[gs_waits.next++ % GS_WAITS] = *found;
}
