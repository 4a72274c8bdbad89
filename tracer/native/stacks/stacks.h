/* The Python stack of the calling thread: read with plain loads, at moments at which it holds the GIL. */
#ifndef GILSCOPE_STACKS_H
#define GILSCOPE_STACKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "stacks/layout.h"

struct gs_gil;

#define GS_FIRST_INTERNAL 3     /* owners from here on: no Python function, but where C calls into Python */
#define GS_LOWEST_ADDRESS 4096u /* no object lies below: tagged values do */
#define GS_STACK_DEPTH 64u /* frames of a stack that are recorded, the innermost */

/* One frame: where it is in which code object. */
struct gs_place {
    const char *frame;
    const char *code;
    uint64_t identity; /* of the code object: another one at its address has another */
    uint32_t offset;   /* of the instruction, in bytes */
};

/* The interpreters of the process, and the thread states of each. next is NULL where they can't be had. */
struct gs_interpreters {
    void *(*first)(void);
    void *(*next)(void *);
    char *(*first_state)(void *);
    char *(*next_state)(char *);
};

struct gs_stacks {
    struct gs_layout layout;
    const void *code_type;
    const void *type_type, *cell_type; /* NULL: they can't be had, and types are not told */
    void *(*thread_state)(void); /* of the calling thread, also when it is detached; NULL: it has none */
    int (*is_finalizing)(void);
    struct gs_interpreters interpreters;
    _Atomic bool on;
};

extern struct gs_stacks gs_stacks;

/* The number of the frame in which the calling thread, which holds this GIL, is; 0: it can't be had, or there
 * is none. Not under the GIL's mutex: the first time that a frame is met it is written to the names. */
uint32_t gs_stack_number(const struct gs_gil *gil);

/* The same of a thread that may not hold it: only where gs_stack_places may be called. */
uint32_t gs_stack_number_anyway(const struct gs_gil *gil);

/* The frames of the calling thread, which no thread but itself changes, whoever has the GIL: innermost first. The
 * thread states of others are freed when the interpreter ends: so only between gs_busy_begin and gs_busy_end, while
 * recording, which ends before. Returns how many. gil: that it had last, or gs_no_gil. */
unsigned gs_stack_places(const struct gs_gil *gil, struct gs_place *places);

/* Whether there is memory at address. */
bool gs_is_memory(const void *address);

#endif
