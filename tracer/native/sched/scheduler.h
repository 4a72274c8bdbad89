/* The scheduler's part of a recording: when each thread was on which CPU. Another interface of the native core,
 * apart from the interpreter's: no call here needs the GIL, and its thread never asks for it. */
#ifndef GILSCOPE_SCHEDULER_H
#define GILSCOPE_SCHEDULER_H

#include <stddef.h>
#include <stdint.h>

#include "gilscope.h"

struct gs_sched_result {
    uint64_t events;    /* written */
    uint64_t lost;      /* records that the kernel could not keep: the rings were full */
    uint64_t cpu_ns;    /* what draining cost */
    int32_t failure;    /* errno that ended it early, or 0 */
};

enum gs_sched_scope {
    GS_SCHED_PROGRAM = 0,       /* the next program that the calling thread starts, and all that it starts */
    GS_SCHED_PROGRAM_ALONE = 1, /* no other process */
    GS_SCHED_PROCESS = 2,       /* the process that calls, and all that it starts */
    GS_SCHED_OTHER = 3,         /* another one: gs_sched_attach's */
};

/* Record, into directory/sched/, what is in scope; native: also at which addresses threads run. Begins a thread that drains. Returns 0, or 1: message gets why
 * not and what would allow it, and nothing is left behind. */
GS_API int gs_sched_start(const char *directory, const char *environment, int scope, int native, char *message,
                          size_t size);

/* "on", "off", or "off: " and why: whether addresses are recorded. */
GS_API const char *gs_sched_native(void);

/* The same for another process that lives already, by its pid, and all that it starts. */
GS_API int gs_sched_attach(const char *directory, const char *environment, uint32_t pid, char *message, size_t size);

/* End the draining thread where it would be the second, and begin another: a process of one thread may have to be one
 * for a moment. Nothing is lost meanwhile as long as the rings have room. In a forked child, or when nothing is
 * recorded: nothing. Uses no descriptor. */
GS_API void gs_sched_pause(void);
GS_API void gs_sched_resume(void);

/* End it, all that there is being written. Waits for the draining thread. Not of a forked child's concern. */
GS_API void gs_sched_stop(struct gs_sched_result *result);

#endif
