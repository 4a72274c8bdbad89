/* Runs in the thread that begins a recording. */
#define _GNU_SOURCE
#include "sched/perf.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef PERF_FORMAT_LOST
#define PERF_FORMAT_LOST (1U << 4)
#endif

/* ns of a thread's own time on a CPU: prime, so that it keeps no step with the program. */
#define SAMPLE_PERIOD 3999971

static int open_event(pid_t tid, int cpu, bool on_exec, const struct gs_perf_wants *wants)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof attr,
        .config = wants->samples ? PERF_COUNT_SW_CPU_CLOCK : PERF_COUNT_SW_DUMMY,
        .sample_period = wants->samples ? SAMPLE_PERIOD : 0,
        /* A sample is its address, then what every record ends with: struct gs_sample_id. */
        .sample_type = (wants->samples ? PERF_SAMPLE_IP : 0u) | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU,
        .read_format = wants->counts_lost ? PERF_FORMAT_LOST : 0,
        .disabled = on_exec,
        .enable_on_exec = on_exec,
        .inherit = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
        .comm = 1,
        .comm_exec = 1,
        .mmap = 1, /* of what may be executed alone: which libraries a process has */
        .task = 1,
        .watermark = 1, /* wake the reader when the ring is half full: what 0 bytes mean */
        .sample_id_all = 1,
        .context_switch = 1,
        .use_clockid = 1,
        .clockid = CLOCK_MONOTONIC,
    };
    return (int)syscall(SYS_perf_event_open, &attr, tid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

int gs_perf_open(pid_t tid, int cpu, bool on_exec, struct gs_perf_wants *wants)
{
    int fd = open_event(tid, cpu, on_exec, wants);
    if (fd < 0 && errno == EINVAL && wants->counts_lost) {
        wants->counts_lost = false;
        fd = open_event(tid, cpu, on_exec, wants);
    }
    if (fd < 0 && wants->samples) {
        struct gs_perf_wants less = {.counts_lost = wants->counts_lost, .refused = errno};
        fd = open_event(tid, cpu, on_exec, &less);
        if (fd >= 0)
            *wants = less;
    }
    return fd;
}

void gs_perf_explain(int error, char *message, size_t size)
{
    char level[16] = "?";
    FILE *file = fopen("/proc/sys/kernel/perf_event_paranoid", "re");
    if (file != NULL) {
        if (fgets(level, sizeof level, file) != NULL)
            level[strcspn(level, "\n")] = '\0';
        fclose(file);
    }
    if (error == ENOSYS || level[0] == '?')
        snprintf(message, size, "this kernel has no perf events; one built with CONFIG_PERF_EVENTS would allow it");
    else if ((error == EACCES || error == EPERM) && atoi(level) > 2)
        snprintf(message, size, "kernel.perf_event_paranoid is %s; 'sysctl kernel.perf_event_paranoid=2' would allow it",
                 level);
    else if (error == EACCES || error == EPERM)
        snprintf(message, size,
                 "perf_event_open is not permitted here; a container's seccomp profile that lets it through, or the "
                 "capability CAP_PERFMON, would allow it");
    else if (error == EINVAL)
        snprintf(message, size, "this kernel can't record context switches; Linux 4.3 or later would allow it");
    else if (error == ENOMEM)
        snprintf(message, size,
                 "no memory may be locked for its rings; a higher 'ulimit -l', or kernel.perf_event_mlock_kb, would "
                 "allow it");
    else if (error == EMFILE || error == ENFILE)
        snprintf(message, size, "too many open files; a higher 'ulimit -n' would allow it");
    else
        snprintf(message, size, "%s; --no-sched leaves it out", strerror(error));
}
