/* The trace's description of itself, in TSDL (CTF 1.8). */
#ifndef GILSCOPE_METADATA_H
#define GILSCOPE_METADATA_H

#include <stdbool.h>
#include <stdint.h>

/* Keep the text for this recording, with room for what differs in a forked child. samples: whether
 * there are any, and if not why. Allocates: not in a hook. */
bool gs_metadata_prepare(const char *environment, const char *samples);

/* Write it. Async-signal-safe: also from a forked child's first hook. */
bool gs_metadata_write(const char *path, uint32_t pid, uint32_t parent, uint64_t start);

/* Add to it at the end: how often a stack could not be recorded. */
void gs_metadata_put_missed(const char *path, uint64_t missed);

/* The same for the scheduler's part of a trace, which learns of its end: when it was, and how many CPUs there are
 * streams of. native: what it says of the samples of native code. Allocates. */
bool gs_metadata_write_sched(const char *path, const char *environment, const char *native, uint32_t pid,
                             uint32_t parent, uint64_t start);
bool gs_metadata_end_sched(const char *path, uint64_t stop, unsigned cpus);

#endif
