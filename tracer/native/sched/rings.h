/* The kernel's records of what the scheduler did: perf events, and a ring of records a CPU. */
#ifndef GILSCOPE_RINGS_H
#define GILSCOPE_RINGS_H

#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sched/perf.h"

struct gs_ring {
    uint16_t cpu;
    char *pages;     /* the kernel's control page, then the records */
    size_t size;     /* of the records, a power of two */
    uint64_t read;   /* position up to which records were taken */
    uint64_t lost;   /* what the kernel has told in records */
};

struct gs_rings {
    struct gs_ring *rings;
    struct pollfd *polls; /* one a ring, and the last to be woken by */
    int *events;          /* file descriptors of all events, for each thread one a ring */
    unsigned count, event_count;
    bool blind;       /* an event's file is of no use any more: nobody tells when its ring fills */
    bool apart;       /* the files are in a table of the draining thread's own, and end with it */
    char bell[PATH_MAX]; /* apart: the directory whose touch wakes who waits */
    struct gs_perf_wants wants;
};

/* A record as the rest sees it. */
struct gs_record {
    uint32_t type; /* PERF_RECORD_... */
    uint16_t misc;
    uint32_t pid, tid; /* of the thread that ran when it was written */
    uint64_t time;
    const char *payload;
};

/* Open an event a CPU for the calling thread, asleep; it and its clones wake in each thread that it makes and
 * that execs, so that nothing is missed and nothing else is seen. False: message says why. */
bool gs_rings_open_for_exec(struct gs_rings *rings, char *message, size_t size);

/* Open events for the threads of a process, except one, and for all that they start from now on. Both look at what is
 * set already: wants, and apart with its bell. */
bool gs_rings_open_for_process(struct gs_rings *rings, uint32_t pid, uint32_t except, char *message, size_t size);

void gs_rings_close(struct gs_rings *rings);

void gs_rings_wait(struct gs_rings *rings, int milliseconds); /* until a ring is half full, or a wake */
void gs_rings_wake(struct gs_rings *rings);
void gs_rings_rest(struct gs_rings *rings); /* forget that it was woken; another thread will wait now */

/* The records of a ring that were there when this began. Returns false when there is no further one. */
uint64_t gs_ring_end(const struct gs_ring *ring);
bool gs_ring_next(struct gs_ring *ring, uint64_t end, struct gs_record *record, char *space);
void gs_ring_taken(struct gs_ring *ring); /* the kernel may write over what was read */

#define GS_RECORD_SPACE 65536u /* for a record that lies across the ring's end */

/* Records lost on each CPU that no record tells of: added to lost[0 .. count). */
void gs_rings_lost(struct gs_rings *rings, uint64_t *lost);

#endif
