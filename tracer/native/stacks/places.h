/* The numbers of code objects and frames, and what the trace says of them. */
#ifndef GILSCOPE_PLACES_H
#define GILSCOPE_PLACES_H

#include "stacks/pytext.h"
#include "stacks/stacks.h"

/* The number of the innermost of these frames, 0 if there are none or it can't be had now. Writes to the names
 * what they don't say yet; in a hurry not if another thread writes there just now (gs_turn_take). */
uint32_t gs_places_number(const struct gs_place *places, unsigned count, bool hurry);

/* What is written of a code object, once. */
struct gs_code_parts {
    int32_t first_line;
    struct gs_pytext name, file;
    const char *line_table;
    uint64_t line_table_size;
};

/* Read them. False: the code object is not there any more. */
typedef bool gs_code_reader(const struct gs_place *place, struct gs_code_parts *parts);

/* The same for a thread without a stream, in this recording. Counts nothing as missed. */
uint32_t gs_places_number_for(const struct gs_place *places, unsigned count, gs_code_reader *read, uint32_t epoch);

void gs_places_begin(void);      /* a new names stream: nothing is known in it */
uint64_t gs_places_missed(void); /* how often a number could not be had */

#endif
