/* The stack of a thread that holds a GIL, read while that thread runs. What is torn is seen, or left out. Runs in the
 * helper alone. */
#ifndef GILSCOPE_REMOTE_H
#define GILSCOPE_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "stacks/batch.h"
#include "stacks/places.h"
#include "stacks/stacks.h"

struct gs_look {
    uintptr_t holder;       /* the struct gs_thread of the thread that has the GIL */
    uint32_t epoch;         /* of the recording */
    uintptr_t thread_state; /* that holds it; 0: the word at said_at says which */
    uintptr_t said_at;
    /* Found out: */
    uint64_t now; /* a moment at which it ran what was read */
    uint32_t tid; /* of the thread */
};

/* Copy the frames of a holder and their code objects. Returns how many, or -1: they can't be read, or the thread has
 * written an event meanwhile, so that they may be of another hold. */
int gs_remote_look(struct gs_look *look);

/* What was copied, innermost first, as gs_places_number_for and gs_remote_code take it; valid until the next look.
 * Returns how many, or -1: what they refer to is not there any more. */
int gs_remote_places(const struct gs_place **places);

gs_code_reader gs_remote_code;

#endif
