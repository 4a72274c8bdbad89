/* Who keeps a recording small, a launcher: without it the trace would grow without an end, so the recording ends with it. */
#ifndef GILSCOPE_KEEPER_H
#define GILSCOPE_KEEPER_H

#include <stdbool.h>

#define GS_KEEPER_NAME ".keeper" /* in the trace's directory: its keeper has it locked. tracer/keep/keeper.py makes it */

/* A new recording, aside: whether it has a keeper. */
void gs_keeper_begin(void);

bool gs_keeper_is_there(void);

void gs_keeper_add(void); /* a job of the helper's, which is not there yet: to look after it */

/* Have it copy what is kept to target, a path that is not there yet. Returns 0, or an errno: EEXIST, ENOTCONN. */
int gs_keeper_ask(const char *target);

#endif
