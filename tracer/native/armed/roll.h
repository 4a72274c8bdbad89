/* What Python's threads are called, kept while nothing is recorded: a recording that begins later finds their names. */
#ifndef GILSCOPE_ROLL_H
#define GILSCOPE_ROLL_H

#include <stdbool.h>
#include <stdint.h>

bool gs_roll_begin(void); /* once; false: no memory. Until then nothing is kept */

/* Any thread. The last name given is the one that counts. */
void gs_roll_note(uint32_t tid, const char *text);

/* Write to the names stream what the living threads are called. */
void gs_roll_call(void);

#endif
