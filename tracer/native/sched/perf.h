/* One perf event: it counts nothing, and has the kernel write down when a thread comes to a CPU and leaves it. */
#ifndef GILSCOPE_PERF_H
#define GILSCOPE_PERF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What every record ends with. */
struct gs_sample_id {
    uint32_t pid, tid; /* of the thread that ran when it was written */
    uint64_t time;     /* ns of CLOCK_MONOTONIC */
    uint32_t cpu, reserved;
};

/* For the thread tid (0: the calling one) and all that it starts, while they are on this CPU. on_exec: asleep,
 * also in its clones, until they exec. counts_lost: whether it can be asked for what was lost; becomes false
 * where the kernel can't do that (before Linux 6.0). -1: see errno. */
int gs_perf_open(pid_t tid, int cpu, bool on_exec, bool *counts_lost);

/* What went wrong, and what would allow it. */
void gs_perf_explain(int error, char *message, size_t size);

#endif
