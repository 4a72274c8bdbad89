/* What stacks add to a release that somebody waits for, with its take: on the fake interpreter of tests/native, a
 * thread waits that nothing wakes, in interleaved blocks (without stacks, with). Prints nanoseconds, one line a
 * round: "without with". Four frames are of one file each. Usage: stack_cost TRACE ROUNDS PAIRS FRAMES NUMBERED;
 * NUMBERED: 1, or 0 for code objects without a version, as 3.11's. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "fake_frames.h"
#include "fake_python.h"
#include "gilscope.h"

static struct fake_thread thread;

static double pairs(long count)
{
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (long i = 0; i < count; i++) {
        fake_drop(&thread, 0);
        fake_take(&thread);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    return ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / (double)count;
}

static void *wait(void *gil)
{
    static struct fake_thread waiter;
    waiter.gil = gil;
    fake_wait_for_ever(&waiter);
    return NULL;
}

int main(int argc, char **argv)
{
    char message[8192];
    pthread_t waiter;
    if (argc != 6)
        return 2;
    long rounds = atol(argv[2]), count = atol(argv[3]);
    fake_main(&thread);
    fake_stand(atoi(argv[4]), atoi(argv[5]));
    if (gs_install(message, sizeof message) != GS_OK || gs_stacks_find(message, sizeof message) != GS_OK ||
        gs_start(argv[1], "", 0, message, sizeof message) != GS_OK) {
        fprintf(stderr, "%s\n", message);
        return 1;
    }
    pthread_create(&waiter, NULL, wait, thread.gil);
    usleep(20000);
    pairs(count);
    for (long i = 0; i < rounds; i++) {
        gs_stacks_use(0);
        double without = pairs(count);
        gs_stacks_use(1);
        printf("%.2f %.2f\n", without, pairs(count));
    }
    gs_stop();
    return 0;
}
