/* The numbers of code objects and frames, and what the trace says of them. */
#ifndef GILSCOPE_PLACES_H
#define GILSCOPE_PLACES_H

#include "stacks/stacks.h"

/* The number of the innermost of these frames, 0 if there are none or it can't be had now. Writes to the names
 * what they don't say yet. */
uint32_t gs_places_number(const struct gs_place *places, unsigned count);

void gs_places_begin(void);      /* a new names stream: nothing is known in it */
uint64_t gs_places_missed(void); /* how often a number could not be had */

#endif
