/* What a self-test at the start tells of this build: where a waiting thread has the address of what it waits for. */
#ifndef GILSCOPE_LEARN_H
#define GILSCOPE_LEARN_H

#include <stdbool.h>
#include <stdint.h>

struct gs_lock_places {
    bool semaphores;   /* a lock of the C API waits for the semaphore that is its address (up to 3.13, with a GIL) */
    uint32_t distance; /* of the address before the semaphore, where threads park; 0: none was seen */
    int64_t depth;     /* of that semaphore above the hook's frame: what waits elsewhere does not park */
    uint32_t mutex;    /* of an object: its own mutex; 0: it has none (with a GIL), or none was seen */
};

extern struct gs_lock_places gs_lock_places;

/* A wait that the hooks saw while the self-test goes on. frame: the hook's. */
void gs_learn_wait(const void *semaphore, const char *frame);

/* Contend locks of our own, with the hooks in and the state GS_LEARNING; the caller has the GIL, or is attached. head: the
 * size of an object without members, 0: objects have no mutex. False: message says what was not seen. */
bool gs_learn_locks(uint32_t head, char *message, uint64_t size);

#endif
