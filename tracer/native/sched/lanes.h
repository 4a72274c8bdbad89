/* From the kernel's records to the streams of sched/: a lane a CPU, on which one thread runs at a time. */
#ifndef GILSCOPE_LANES_H
#define GILSCOPE_LANES_H

#include <stdbool.h>
#include <stdint.h>

#include "sched/rings.h"

struct gs_lane;

struct gs_lanes {
    struct gs_lane *lanes; /* one a ring */
    struct gs_rings *rings;
    char *space;
    uint64_t begin;        /* nothing is earlier */
    uint64_t events, lost; /* written; told by the kernel */
    uint64_t drained, kept; /* up to when all is taken from the rings, and in the files */
    int failure;           /* errno that ended it early, or 0 */
    uint32_t not_of[2];    /* threads that are not recorded: our own */
    bool native;           /* samples are wanted, and what is mapped */
    uint64_t *helpers;     /* a bit a tid: of the core's helpers, in whatever process */
    bool alone;            /* without the processes that the program starts */
    uint32_t program;      /* its pid, once it has exec'd */
};

/* idle: nothing that is recorded runs yet. lanes is zero but for what is asked (alone, not_of). False, with errno:
 * no memory. */
bool gs_lanes_begin(struct gs_lanes *lanes, struct gs_rings *rings, const char *directory, uint32_t recorder,
                    bool idle);

void gs_lanes_leave_out(struct gs_lanes *lanes, uint32_t tid, bool out);

/* Take what the rings have. horizon: every record up to this time is in its ring. */
void gs_lanes_drain(struct gs_lanes *lanes, uint64_t horizon);

void gs_lanes_flush(struct gs_lanes *lanes); /* bring the files up to date */

/* The last records, and the count of what was lost after them. Returns the time that all of it is before. */
uint64_t gs_lanes_finish(struct gs_lanes *lanes);
unsigned gs_lanes_files(const struct gs_lanes *lanes); /* streams that there are */
void gs_lanes_end(struct gs_lanes *lanes);

#endif
