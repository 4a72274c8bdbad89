/* A process's part of the trace: its beginning, and how a forked child goes on. */
#ifndef GILSCOPE_SESSION_H
#define GILSCOPE_SESSION_H

#include "stream/run.h"

/* Give a forked child its own directory, at its first event. In a hook; false: it will not record. */
bool gs_session_resume(void);

bool gs_session_initialise(void); /* once; false: errno says why */

/* What a process needs before its first event. Async-signal-safe. */
bool gs_session_begin_directory(void);

#endif
