/* The recorder's clock: CLOCK_MONOTONIC in nanoseconds. Called in hooks, by any thread. */
#ifndef GILSCOPE_CLOCK_H
#define GILSCOPE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t gs_clock_read(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static inline uint64_t gs_now(void)
{
    return gs_clock_read(CLOCK_MONOTONIC);
}

#endif
