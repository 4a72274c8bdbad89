/* Code objects of another thread's stack, and what they refer to. What a code object at an address referred to the last
 * time is asked for with it, in one copy; it counts if the code object still refers to it. Runs in the helper alone. */
#ifndef GILSCOPE_CODES_H
#define GILSCOPE_CODES_H

#include <stdbool.h>
#include <stdint.h>

#include "stacks/batch.h"
#include "stacks/places.h"

/* What a code object refers to, and how much of that is read. */
struct gs_refers {
    uintptr_t name, file, lines;
    uint32_t name_size, file_size, lines_size; /* bytes; the head of a str or bytes included */
};

struct gs_seen {
    uintptr_t address, instruction;
    int32_t copy;     /* of its instructions, on a free-threaded build; -1: none */
    const char *code; /* copied, and so the next three */
    const char *name, *file, *lines; /* NULL: not with it */
    struct gs_refers refers;         /* that was expected */
};

/* Ask for these code objects; texts: and for what they refer to. False: there is no room. */
bool gs_codes_ask(struct gs_batch *batch, struct gs_seen *seen, int count, bool texts);

void gs_codes_forget(const struct gs_seen *seen, int count); /* what they refer to */

/* Whether it is a code object, and not one that is being freed. */
bool gs_code_lives(const char *code);

uintptr_t gs_code_instructions(const struct gs_seen *seen); /* its first; UINTPTR_MAX: that can't be found out */

/* What a code object without a number of its own says, as gs_content (identity.h) reckons it. False: what it refers to
 * is not there any more. */
bool gs_code_content(const struct gs_seen *seen, uint64_t *content);

/* What is written of it is read between two looks at it: if both find it alive and the same, so was all that it refers
 * to. */
bool gs_code_parts(const struct gs_seen *seen, struct gs_code_parts *parts);

#endif
