/* The stack of another thread, read while that thread runs: by asking the kernel to copy it, which can't fault. What is
 * torn is seen, or left out. Runs in the helper alone. */
#ifndef GILSCOPE_REMOTE_H
#define GILSCOPE_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stacks/places.h"
#include "stacks/stacks.h"

/* Whether this process may read its own memory so: some seccomp profiles refuse it. errno says why not. */
bool gs_remote_allowed(void);

/* Copy size bytes at address of this process. */
bool gs_remote_copy(void *to, uintptr_t address, size_t size);

/* Copy the frames of a thread state and their code objects: the quick part. Returns how many, or -1: they can't be
 * read. */
int gs_remote_look(uintptr_t thread_state);

/* What was copied, innermost first, as gs_places_number_for and gs_remote_code take it; valid until the next look.
 * Returns how many, or -1: what they refer to is not there any more. */
int gs_remote_places(const struct gs_place **places);

gs_code_reader gs_remote_code;

#endif
