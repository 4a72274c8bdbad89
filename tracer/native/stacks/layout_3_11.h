/* Where 3.11 has what a stack is read from. It does not number its code objects, so that more of them has to be read than
 * of any later version's: with offsets that the compiler knows that takes less. The numbers are tools/interpreter-layout's. */
#ifndef GILSCOPE_LAYOUT_3_11_H
#define GILSCOPE_LAYOUT_3_11_H

#include "stacks/layout.h"

static const struct gs_layout gs_layout_3_11 = {
    .cframe = 56,
    .current_frame = 8,
    .interpreter = 16,
    .previous = 48,
    .executable = 32,
    .instruction = 56,
    .owner = 69,
    .file = 112,
    .name = 128,
    .line_table = 136,
    .first_line = 72,
    .instructions = 184,
    .type = 8,
    .size = 16,
    .bytes = 32,
    .text_state = 32,
    .text_length = 16,
    .ascii = 48,
    .compact = 72,
    .locals = 72,
    .arguments = 56,
    .local_names = 96,
    .items = 24,
    .type_name = 24,
    .type_flags = 168,
    .head = 16,
    .text_hash = 24,
};

#endif
