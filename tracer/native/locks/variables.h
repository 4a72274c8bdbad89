/* What the program calls the object that a thread is going to wait for. Runs in that thread, in a hook, before the wait. */
#ifndef GILSCOPE_VARIABLES_H
#define GILSCOPE_VARIABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "stacks/stacks.h"

/* What is looked for. */
struct gs_wanted {
    uintptr_t object;    /* its address; 0: it is not known */
    uintptr_t semaphore; /* of the lock that is looked for, which has it as its first member; 0: none */
    bool attributes;     /* it is a dict, and may be that of an instance's attributes */
};

/* A line, if a module's variable or a local one of the innermost frames has it, or has the self of such a frame:
 * "\n\t<is, attributes or owner>\t<global or local>\t<name>\t<type of what the variable has>". */
void gs_variables_append(const struct gs_place *places, unsigned count, struct gs_wanted wanted, char **at, const char *end);

#endif
