/* N takes and drops of the thread that has the GIL, for an instruction counter: in measured(), after the clock has
 * found its line. Usage: pairs MODE N TRACE. MODE: plain; off, hooks in; armed; stopped, armed and was recorded;
 * recording; stacks, and recording, with the sampler; awaited, the same without it while a thread waits all the time;
 * sampled, with it. */
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gilscope.h"
#include "fake_frames.h"
#include "fake_python.h"

__attribute__((noinline)) void measured(struct fake_thread *thread, long count)
{
    for (; count > 0; count--) {
        fake_drop(thread, 0);
        fake_take(thread);
    }
}

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static atomic_int waits;

/* In all modes there is a second thread: in a process that has one alone, the C library locks by fewer instructions. */
static void *wait_for_ever(void *gil)
{
    struct fake_thread self = {.gil = gil};
    atomic_store(&waits, gil == NULL);
    if (gil == NULL)
        pause();
    else
        fake_wait_for_ever(&self);
    return NULL;
}

static int begin(int stacks, int samples, const char *trace)
{
    char message[8192];
    if (stacks && gs_stacks_find(message, sizeof message) != GS_OK)
        return 1;
    gs_stacks_use(stacks);
    gs_samples_use(samples);
    return gs_start(trace, "", 0, message, sizeof message) != GS_OK;
}

static int is_sampled(void)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/samples", gs_process_directory());
    return access(path, F_OK) == 0;
}

static void go_on(struct fake_thread *thread, long long ns, int sampled)
{
    for (long long begin = now(), since = 0; since < ns || (sampled && !is_sampled() && since < 60000000000LL);
         since = now() - begin) {
        fake_drop(thread, 0);
        fake_take(thread);
    }
}

int main(int argc, char **argv)
{
    static struct fake_thread thread;
    static struct fake_frame frame;
    static _Alignas(8) char code[FAKE_CODE_SIZE];
    char message[8192];
    pthread_t waiter;
    if (argc != 4)
        return 2;
    fake_main(&thread);
    fake_code(code, "function", 1, "/fake/function", 1, 1);
    fake_enter(&frame, code, 3);
    int sampled = strcmp(argv[1], "sampled") == 0, awaited = sampled || strcmp(argv[1], "awaited") == 0;
    int stacks = awaited || strcmp(argv[1], "stacks") == 0;
    if (strcmp(argv[1], "plain") != 0 && gs_install(message, sizeof message) != GS_OK)
        return 1;
    int stopped = strcmp(argv[1], "stopped") == 0, records = stacks || stopped || strcmp(argv[1], "recording") == 0;
    if ((stopped || strcmp(argv[1], "armed") == 0) && gs_arm(argv[3], "", 0, message, sizeof message) != GS_OK)
        return 1;
    if (records && begin(stacks, sampled || !awaited, argv[3]) != 0)
        return 1;
    if (pthread_create(&waiter, NULL, wait_for_ever, awaited ? thread.gil : NULL) != 0)
        return 1;
    while (!atomic_load(&waits) && fake_waiting(thread.gil) == 0)
        usleep(1000);
    go_on(&thread, 6000000, sampled);
    if (awaited && is_sampled() != sampled)
        return 1;
    if (stopped)
        gs_stop();
    measured(&thread, atol(argv[2]));
    _exit(0); /* the waiter never ends */
}
