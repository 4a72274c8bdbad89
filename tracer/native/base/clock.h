/* The recorder's clock: CLOCK_MONOTONIC in nanoseconds. Called in hooks, by any thread.
 *
 * Where the kernel itself keeps time by the processor's counter, so do we: clock_gettime first waits for every
 * instruction before it (lfence), in the middle of the interpreter's critical section; reading the counter alone
 * does not. The price is a stamp that may be early by what the processor overlaps, some ten nanoseconds, and the
 * order that this could break is restored where it is known: within a GIL (gil.h) and within a stream. */
#ifndef GILSCOPE_CLOCK_H
#define GILSCOPE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/hidden.h"

/* In a time namespace: ns that CLOCK_MONOTONIC is ahead of the recording's, which is its launcher's. */
extern GS_HIDDEN uint64_t gs_clock_ahead;

static inline uint64_t gs_clock_read(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    uint64_t ns = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
    return id == CLOCK_MONOTONIC ? ns - gs_clock_ahead : ns;
}

void gs_clock_initialise(void); /* also in a forked child, which may have a clock of its own */

#if defined(__x86_64__)

#ifndef GS_COUNTER /* a test has a machine of its own */
#define GS_COUNTER() __builtin_ia32_rdtsc()
#endif

/* ns + (counter - tick) * rate / 2^32, for counter within [tick, tick + span): the calling thread's copy of the line
 * that all use. A copy ends where the line does, so it need not be told of the next one. */
struct gs_clock_line {
    uint64_t tick, ns, rate;
    uint64_t span; /* 0: there is no line, ask the kernel */
};

extern GS_HIDDEN __thread struct gs_clock_line gs_clock_line __attribute__((tls_model("initial-exec")));

/* The line has run out, or there is none yet: another thread's line, or the kernel's time, and perhaps a new line. */
uint64_t gs_now_slowly(void);

static inline uint64_t gs_on_line(const struct gs_clock_line *line, uint64_t ticks)
{
    return line->ns + (ticks * line->rate >> 32); /* span is short enough for 64 bits */
}

/* Whether this thread's time comes from the counter; then the processor has what gs_stream_fetch does, too. */
static inline bool gs_clock_fetches(void)
{
    return gs_clock_line.span != 0;
}

/* False: gs_now may tell, this takes longer. */
static inline bool gs_now_quickly(uint64_t *now)
{
    const struct gs_clock_line *line = &gs_clock_line;
    uint64_t ticks = GS_COUNTER() - line->tick;
    *now = gs_on_line(line, ticks);
    return __builtin_expect(ticks < line->span, 1);
}

static inline uint64_t gs_now(void)
{
    uint64_t now;
    return gs_now_quickly(&now) ? now : gs_now_slowly();
}

#else

static inline bool gs_clock_fetches(void)
{
    return true;
}

static inline uint64_t gs_now(void)
{
    return gs_clock_read(CLOCK_MONOTONIC);
}

static inline bool gs_now_quickly(uint64_t *now)
{
    *now = gs_now();
    return true;
}

#endif
#endif
