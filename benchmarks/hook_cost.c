/* What the hooks add to an uncontended take and drop of the GIL: on the fake interpreter of tests/native, in
 * interleaved blocks (plain, hooks in, recording), beside the cost of a clock read. Prints nanoseconds, one
 * line a round: "plain off recording clock". Usage: hook_cost TRACE ROUNDS PAIRS. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fake_python.h"
#include "gilscope.h"

static struct fake_thread thread;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double pairs(long count)
{
    double begin = now();
    for (long i = 0; i < count; i++) {
        fake_drop(&thread, 0);
        fake_take(&thread);
    }
    return (now() - begin) / (double)count;
}

static double clock_reads(long count)
{
    double begin = now();
    for (long i = 0; i < count; i++)
        now();
    return (now() - begin) / (double)count;
}

int main(int argc, char **argv)
{
    char message[8192];
    if (argc != 4)
        return 2;
    long rounds = atol(argv[2]), count = atol(argv[3]);
    thread.gil = fake_gil_new(5000);
    fake_set_current(&thread);
    fake_take(&thread);
    for (long i = 0; i < rounds; i++) {
        gs_uninstall();
        double plain = pairs(count);
        if (gs_install(message, sizeof message) != GS_OK)
            return 1;
        double off = pairs(count);
        if (gs_start(argv[1], "", 0, message, sizeof message) != GS_OK)
            return 1;
        double recording = pairs(count);
        gs_stop();
        printf("%.2f %.2f %.2f %.2f\n", plain, off, recording, clock_reads(count));
    }
}
