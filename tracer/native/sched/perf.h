/* One perf event: the kernel writes down when a thread comes to a CPU and leaves it, and now and then, of a thread that
 * runs its own code, where it is. */
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

/* What is asked of the kernel. What it refuses becomes false. */
struct gs_perf_wants {
    bool counts_lost; /* to be asked for what was lost: Linux 6.0 */
    bool samples;     /* PERF_RECORD_SAMPLE with the address, some 250 a second of a thread's time on a CPU */
    int refused;      /* errno of samples that were refused, or 0 */
};

/* For the thread tid (0: the calling one) and all that it starts, while they are on this CPU. on_exec: asleep,
 * also in its clones, until they exec. -1: see errno. */
int gs_perf_open(pid_t tid, int cpu, bool on_exec, struct gs_perf_wants *wants);

/* What went wrong, and what would allow it. */
void gs_perf_explain(int error, char *message, size_t size);

#endif
