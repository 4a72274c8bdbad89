/* The interpreter's own functions that a hook is called from: they tell why the world was stopped. */
#ifndef GILSCOPE_CALLERS_H
#define GILSCOPE_CALLERS_H

#include <stdint.h>

/* Find the interpreter's code in memory. In no hook. */
void gs_callers_find(const void *code);

/* The number of the calls that frame, a hook's, is in; 0: they can't be had. Only between gs_busy_begin and gs_busy_end,
 * while recording. */
uint32_t gs_callers_number(const char *frame);

#endif
