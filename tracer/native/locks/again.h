/* Waits that a thread was in before. What it waits for and where it is are most of what a hook looks up before the thread
 * sleeps; meanwhile whoever has the lock may let it go, take it again and so be met at another moment than without a hook. */
#ifndef GILSCOPE_AGAIN_H
#define GILSCOPE_AGAIN_H

#include <stddef.h>
#include <stdint.h>

#include "base/hidden.h"

#define GS_WAITS 8u /* that a thread remembers: puts and gets of a queue wait at four places */

struct gs_wait_again {
    uint64_t key;         /* 0: none */
    uint32_t lock, frame; /* their numbers */
};

struct gs_waits {
    struct gs_wait_again of[GS_WAITS];
    unsigned next; /* the one that is forgotten next */
};

extern GS_HIDDEN __thread struct gs_waits gs_waits __attribute__((tls_model("initial-exec")));

struct gs_gil;
struct gs_wait_place;

/* The key of a wait of the calling thread for this semaphore, of its stack and the lock, and how many frames that has; 0:
 * it has none. Only where gs_stack_places may be called. frame: the hook's. */
uint64_t gs_wait_key(const struct gs_gil *gil, const void *semaphore, const char *frame, unsigned *frames);

/* A wait of that key; the same was found out about every wait of that key. NULL: it is not remembered. */
static inline const struct gs_wait_again *gs_wait_find(uint64_t key)
{
    for (unsigned i = 0; i < GS_WAITS && key != 0; i++)
        if (gs_waits.of[i].key == key)
            return &gs_waits.of[i];
    return NULL;
}

/* Remember what was found out of it, if nothing but the stack and the semaphore says that, and that it has no lock. */
void gs_wait_remember(const struct gs_wait_again *found, const struct gs_wait_place *place, unsigned frames);

#endif
