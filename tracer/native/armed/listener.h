/* The socket of an armed process: who may record it says here when. */
#ifndef GILSCOPE_LISTENER_H
#define GILSCOPE_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A request, a line or two, that came from someone who may: answer it with a text. Runs in the helper. */
typedef void gs_answerer(const char *request, char *answer, size_t size);

/* Listen in this directory, at <pid>.gilscope, as a job of the helper. */
void gs_listener_begin(const char *directory, gs_answerer *answerer);

/* Whether it listens: 1. 0: not yet. Else minus an errno. */
int gs_listener_state(void);

const char *gs_listener_path(void); /* "" while it does not listen */

void gs_listener_end(void);    /* the process does without from here on; its file is gone */
void gs_listener_forget(void); /* in a forked child: it will have one of its own */

#endif
