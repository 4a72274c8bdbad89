/* The line from the processor's counter to CLOCK_MONOTONIC, drawn anew while it is used: the kernel bends its
 * clock all the time (NTP), so no line serves for long. Each is drawn through two readings of both clocks and
 * used for no longer than the time between them, which keeps its error at that of a reading, some ten
 * nanoseconds. Runs in hooks: whoever finds the line at its end draws the next, all others ask the kernel
 * meanwhile; nobody waits. */
#define _GNU_SOURCE
#include "base/clock.h"

#if !defined(__x86_64__)

void gs_clock_initialise(void)
{
}

#else

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <x86intrin.h>

#define FIRST_SPAN_NS UINT64_C(5000000)
#define LONGEST_SPAN_NS UINT64_C(500000000)
#define FAR_OFF_NS 1000 /* more than NTP bends in a span: the machine slept or was moved */

struct gs_clock_line gs_clock_line;

struct reading {
    uint64_t tick, ns;
};

static struct {
    _Atomic uint64_t tick, ns;
} last; /* reading; changed while gs_clock_line.version is odd */
static bool trusted;

/* Only where the kernel found the counters of all processors in step and steady. */
static bool kernel_trusts_counter(void)
{
    char name[8] = "";
    int mode = 0;
    int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t length = read(fd, name, sizeof name - 1);
    close(fd);
    return length >= 3 && memcmp(name, "tsc\n", 4) == 0 &&
           (prctl(PR_GET_TSC, &mode, 0, 0, 0) != 0 || mode == PR_TSC_ENABLE);
}

/* Both clocks at one moment: of a few tries the one that an interrupt disturbed least. */
static struct reading read_both(void)
{
    struct reading best = {0, 0};
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 3; i++) {
        _mm_lfence();
        uint64_t before = __rdtsc();
        uint64_t ns = gs_clock_read(CLOCK_MONOTONIC);
        _mm_lfence();
        uint64_t after = __rdtsc();
        if (after - before < least) {
            least = after - before;
            best = (struct reading){before + (after - before) / 2, ns};
        }
    }
    return best;
}

static uint64_t on_line(uint64_t tick)
{
    const struct gs_clock_line *line = &gs_clock_line;
    return line->ns + (uint64_t)(((unsigned __int128)(tick - line->tick) * line->rate) >> 32);
}

static void draw(struct reading now)
{
    struct gs_clock_line *line = &gs_clock_line;
    uint64_t ns = now.ns - last.ns, ticks = now.tick - last.tick;
    bool usable = now.tick > last.tick && now.ns > last.ns && ns <= 4 * LONGEST_SPAN_NS;
    if (usable && line->span != 0) {
        int64_t off = (int64_t)(now.ns - on_line(now.tick));
        usable = off < FAR_OFF_NS && off > -FAR_OFF_NS;
    }
    if (usable) {
        uint64_t span_ns = ns < LONGEST_SPAN_NS ? ns : LONGEST_SPAN_NS;
        line->rate = (uint64_t)(((unsigned __int128)ns << 32) / ticks);
        line->tick = now.tick;
        line->ns = now.ns;
        line->span = (uint64_t)((unsigned __int128)ticks * span_ns / ns);
    } else {
        line->span = 0;
    }
    last.tick = now.tick;
    last.ns = now.ns;
}

uint64_t gs_now_from_kernel(void)
{
    struct gs_clock_line *line = &gs_clock_line;
    uint64_t now = gs_clock_read(CLOCK_MONOTONIC);
    uint32_t version = atomic_load_explicit(&line->version, memory_order_relaxed);
    if (!trusted || (version & 1) != 0 ||
        (line->span == 0 && now - last.ns < FIRST_SPAN_NS) ||
        !atomic_compare_exchange_strong(&line->version, &version, version + 1))
        return now;
    draw(read_both());
    atomic_store_explicit(&line->version, version + 2, memory_order_release);
    return now;
}

void gs_clock_initialise(void)
{
    trusted = kernel_trusts_counter();
    gs_clock_line.span = 0;
    struct reading now = read_both();
    last.tick = now.tick;
    last.ns = now.ns;
    atomic_store(&gs_clock_line.version, 0); /* in a forked child: whoever was drawing is not here */
}

#endif
