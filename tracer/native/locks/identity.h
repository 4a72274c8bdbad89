/* Which lock a thread is going to wait for: its number, and what the names say of it. */
#ifndef GILSCOPE_IDENTITY_H
#define GILSCOPE_IDENTITY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "stacks/stacks.h"

/* What a hook knows of a wait. */
struct gs_wait_place {
    const char *semaphore;
    const char *frame; /* the hook's */
    const struct gs_place *places; /* the thread's Python frames */
    unsigned count;
    bool stands; /* filled in: it waits at its own state, as the world is stopped */
};

/* Whether objects are looked at: the layout is known. Set before the first hook. */
extern _Atomic bool gs_identity_names;
extern uintptr_t gs_identity_runtime; /* _PyRuntime's address; 0: not known */

/* The number, 0: it can't be had now. Only between gs_busy_begin and gs_busy_end, while recording: the first wait for
 * a lock writes what it is. */
uint32_t gs_identity_number(struct gs_wait_place *wait);

/* The lock that a wait for this semaphore is for, unless the thread is in a Condition's wait: no other has this key. 0: that
 * is not said by the semaphore. frame: the hook's. */
uint64_t gs_identity_key(const void *semaphore, const char *frame);

/* The same of a lock object that a frame has: places are that frame and its callers. */
uint32_t gs_identity_of_object(const char *object, uintptr_t type, const struct gs_place *places, unsigned count);

/* This semaphore is no more: another one at its address is another lock. */
void gs_identity_ends(const void *semaphore);

uint64_t gs_identity_missed(void); /* how often a number could not be had, in this recording */

#endif
