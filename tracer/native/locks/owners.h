/* What Python objects a wait is about, read from the frames of the thread that is going to wait: these keep them alive. */
#ifndef GILSCOPE_OWNERS_H
#define GILSCOPE_OWNERS_H

#include <stdbool.h>
#include <stdint.h>

#include "stacks/stacks.h"

#define GS_OWNERS 4u /* frames that are asked for their self */

/* The type of an object whose address may be none: 0, unless it is one. */
uintptr_t gs_type_of(const char *object);

/* The same of what member, which is there, may be a member of: where both are on one page nobody needs to be asked. */
uintptr_t gs_type_of_around(const char *object, const char *member);

void gs_type_append(uintptr_t type, char **at, const char *end); /* its name */

/* Whether a wait in this frame may be one for a Condition. */
bool gs_is_condition_wait(const struct gs_place *innermost);

/* The Condition that waits here for its waiter's lock, which is the word at `address` or, of a semaphore, has that; NULL:
 * this is no such wait. */
const char *gs_waiting_condition(const struct gs_place *innermost, uintptr_t address, bool semaphore);

/* The lock object with this semaphore, if the innermost frame has it at hand; 0: it does not. Its type is returned. */
uintptr_t gs_type_of_semaphore(const struct gs_place *innermost, uintptr_t semaphore);

/* A frame's first argument, if that is called self; NULL: it has none. */
const char *gs_self_of(const struct gs_place *place);

/* A line for the self of each of the innermost frames: "\n<type> <address> <function>". */
void gs_owners_append(const struct gs_place *places, unsigned count, char **at, const char *end);

#endif
