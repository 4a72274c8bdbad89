/* The line from the processor's counter to CLOCK_MONOTONIC, drawn anew while it is used: the kernel bends its
 * clock all the time (NTP), so no line serves for long. Each is drawn through two readings of both clocks and
 * used for no longer than the time between them, which keeps its error at that of a reading, some ten
 * nanoseconds; and for so short a time that the steepest bend, 500 in a million, makes no more than a microsecond.
 * Runs in hooks: whoever finds the line at its end draws the next, all others ask the kernel meanwhile; nobody
 * waits. Threads copy it: one line's end is every copy's. */
#define _GNU_SOURCE
#include "base/clock.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MACHINES_CLOCKS 0xEFFFFFFAu /* Linux's PROC_TIME_INIT_INO: the first namespace of clocks */

uint64_t gs_clock_ahead;

/* ns that CLOCK_MONOTONIC is ahead of the machine's; behind it: modulo 2^64. Nearly always told without a descriptor. */
static uint64_t ahead_of_machine(void)
{
    char text[256] = "";
    struct stat status;
    if (stat("/proc/self/ns/time", &status) != 0 || status.st_ino == MACHINES_CLOCKS)
        return 0;
    int fd = open("/proc/self/timens_offsets", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    char *at = length > 0 ? strstr(text, "monotonic") : NULL;
    if (at == NULL)
        return 0;
    int64_t seconds = strtoll(at + strlen("monotonic"), &at, 10), ns = strtoll(at, NULL, 10);
    return (uint64_t)(seconds * INT64_C(1000000000) + ns);
}

/* A recording has one clock: the one that its launcher has, or else the one of the process that it begins in. */
static void find_clock(void)
{
    static bool known;
    static uint64_t recordings;
    uint64_t own = ahead_of_machine();
    if (!known) {
        const char *launchers = getenv("GILSCOPE_CLOCK");
        recordings = launchers != NULL ? (uint64_t)strtoll(launchers, NULL, 10) : own;
        known = true;
    }
    gs_clock_ahead = own - recordings;
}

#if !defined(__x86_64__)

void gs_clock_initialise(void)
{
    find_clock();
}

#else

#include <cpuid.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <x86intrin.h>

#define SPAN_NS UINT64_C(2000000)
#define STEEPEST 2000  /* NTP bends by one part of this many */
#define READING_NS 200 /* what two readings may be off */

__thread struct gs_clock_line gs_clock_line __attribute__((tls_model("initial-exec")));

static struct {
    _Alignas(64) _Atomic uint32_t version; /* odd while it is being changed */
    _Atomic uint64_t tick, ns, rate, span;
} shared;

struct reading {
    uint64_t tick, ns;
};

static struct {
    _Atomic uint64_t tick, ns;
} last; /* reading; changed while shared.version is odd */
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

/* prefetchw, which is an illegal instruction for Intel's first processors of 64 bits (family 15); those of family 6 that
 * don't have it take it for none. One without is as well served by the kernel's clock. */
static bool takes_prefetchw(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid(0x80000001u, &a, &b, &c, &d) != 0 && (c & bit_PRFCHW) != 0)
        return true;
    bool intel = __get_cpuid(0, &a, &b, &c, &d) != 0 && b == signature_INTEL_ebx;
    return intel && __get_cpuid(1, &a, &b, &c, &d) != 0 && (a >> 8 & 15) == 6;
}

/* Both clocks at one moment: of a few tries the one that an interrupt disturbed least. */
static struct reading read_both(void)
{
    struct reading best = {0, 0};
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 3; i++) {
        _mm_lfence();
        uint64_t before = GS_COUNTER();
        uint64_t ns = gs_clock_read(CLOCK_MONOTONIC);
        _mm_lfence();
        uint64_t after = GS_COUNTER();
        if (after - before < least) {
            least = after - before;
            best = (struct reading){before + (after - before) / 2, ns};
        }
    }
    return best;
}

/* Of the whole line: none of it changed meanwhile. */
static bool copy_line(struct gs_clock_line *copy)
{
    uint32_t version = atomic_load_explicit(&shared.version, memory_order_acquire);
    copy->tick = atomic_load_explicit(&shared.tick, memory_order_acquire);
    copy->ns = atomic_load_explicit(&shared.ns, memory_order_acquire);
    copy->rate = atomic_load_explicit(&shared.rate, memory_order_acquire);
    copy->span = atomic_load_explicit(&shared.span, memory_order_acquire);
    return (version & 1) == 0 && atomic_load_explicit(&shared.version, memory_order_relaxed) == version;
}

/* The next line, through this reading and the last one. Only if it goes on as the interval before did (then this one
 * bounds its error) has it a span: else the machine slept meanwhile, or was moved to another. */
static struct gs_clock_line line_through(struct reading now)
{
    struct gs_clock_line next = {now.tick, now.ns, 0, 0};
    uint64_t ns = now.ns - last.ns, ticks = now.tick - last.tick;
    if (now.tick <= last.tick || now.ns <= last.ns)
        return next;
    next.rate = (uint64_t)(((unsigned __int128)ns << 32) / ticks);
    uint64_t expected = (uint64_t)(((unsigned __int128)ticks * shared.rate) >> 32);
    uint64_t off = expected > ns ? expected - ns : ns - expected;
    if (off <= READING_NS + ns / STEEPEST)
        next.span = (uint64_t)((unsigned __int128)ticks * SPAN_NS / ns);
    return next;
}

uint64_t gs_now_slowly(void)
{
    struct gs_clock_line line;
    uint64_t ticks = GS_COUNTER();
    uint32_t version = atomic_load_explicit(&shared.version, memory_order_acquire);
    if (copy_line(&line) && ticks - line.tick < line.span) {
        gs_clock_line = line;
        return gs_on_line(&line, ticks - line.tick);
    }
    uint64_t now = gs_clock_read(CLOCK_MONOTONIC);
    if (!trusted || (version & 1) != 0 || now - last.ns < SPAN_NS ||
        !atomic_compare_exchange_strong(&shared.version, &version, version + 1))
        return now;
    struct reading reading = read_both();
    line = line_through(reading);
    gs_clock_line = line;
    shared.tick = line.tick;
    shared.ns = line.ns;
    shared.rate = line.rate;
    shared.span = line.span;
    last.tick = reading.tick;
    last.ns = reading.ns;
    atomic_store_explicit(&shared.version, version + 2, memory_order_release);
    return now;
}

void gs_clock_initialise(void)
{
    find_clock();
    trusted = takes_prefetchw() && kernel_trusts_counter();
    gs_clock_line.span = 0;
    shared.span = 0;
    shared.rate = 0;
    struct reading now = read_both();
    last.tick = now.tick;
    last.ns = now.ns;
    atomic_store(&shared.version, 0); /* in a forked child: whoever was drawing is not here */
}

#endif
