/* The recorder's clock: CLOCK_MONOTONIC in nanoseconds. Called in hooks, by any thread.
 *
 * Where the kernel itself keeps time by the processor's counter, so do we: clock_gettime first waits for every
 * instruction before it (lfence), in the middle of the interpreter's critical section; reading the counter alone
 * does not. The price is a stamp that may be early by what the processor overlaps, some ten nanoseconds, and the
 * order that this could break is restored where it is known: within a GIL (gil.h) and within a stream. */
#ifndef GILSCOPE_CLOCK_H
#define GILSCOPE_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

static inline uint64_t gs_clock_read(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

void gs_clock_initialise(void); /* also in a forked child */

#if defined(__x86_64__)

/* ns + (counter - tick) * rate / 2^32, for counter within [tick, tick + span). */
struct gs_clock_line {
    _Alignas(64) _Atomic uint32_t version; /* odd while it is being changed */
    _Atomic uint64_t tick, ns, rate;
    _Atomic uint64_t span; /* 0: there is no line, ask the kernel */
};

extern struct gs_clock_line gs_clock_line;

/* The line has run out, or there is none yet: the kernel's time, and perhaps a new line. */
uint64_t gs_now_from_kernel(void);

static inline uint64_t gs_now(void)
{
    struct gs_clock_line *line = &gs_clock_line;
    uint32_t version = atomic_load_explicit(&line->version, memory_order_acquire);
    uint64_t span = atomic_load_explicit(&line->span, memory_order_acquire);
    if (__builtin_expect(span == 0, 0))
        return gs_now_from_kernel();
    uint64_t ticks = __builtin_ia32_rdtsc() - atomic_load_explicit(&line->tick, memory_order_acquire);
    uint64_t rate = atomic_load_explicit(&line->rate, memory_order_acquire);
    uint64_t ns = atomic_load_explicit(&line->ns, memory_order_acquire);
    uint32_t again = atomic_load_explicit(&line->version, memory_order_relaxed);
    if (__builtin_expect(ticks >= span || version != again || (version & 1) != 0, 0))
        return gs_now_from_kernel();
    return ns + (uint64_t)(((unsigned __int128)ticks * rate) >> 32);
}

#else

static inline uint64_t gs_now(void)
{
    return gs_clock_read(CLOCK_MONOTONIC);
}

#endif
#endif
