/* The hooks of locks other than the GIL: in, taught, and out. Called while nothing is recorded. */
#ifndef GILSCOPE_LOCKS_H
#define GILSCOPE_LOCKS_H

#include <stdbool.h>
#include <stddef.h>

bool gs_locks_put_in(char *message, size_t size);
void gs_locks_take_out(void);

/* In the state GS_LEARNING. False: no wait was seen. */
bool gs_locks_learn(char *message, size_t size);

#endif
