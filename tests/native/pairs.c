/* N uncontended takes and drops, for an instruction counter: in measured(), after the clock has found its line.
 * Usage: pairs MODE N TRACE; MODE: plain, off (hooks in), armed, stopped (armed, and was recorded), recording, or stacks
 * (and recording). */
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

int main(int argc, char **argv)
{
    static struct fake_thread thread;
    static struct fake_state state;
    char message[8192];
    if (argc != 4)
        return 2;
    thread.gil = fake_gil_new(5000);
    fake_set_current(&thread);
    fake_state_begin(&state, thread.gil);
    fake_take(&thread);
    if (strcmp(argv[1], "plain") != 0 && gs_install(message, sizeof message) != GS_OK)
        return 1;
    int stacks = strcmp(argv[1], "stacks") == 0;
    if (stacks && gs_stacks_find(message, sizeof message) != GS_OK)
        return 1;
    gs_stacks_use(stacks);
    int stopped = strcmp(argv[1], "stopped") == 0;
    if ((stopped || strcmp(argv[1], "armed") == 0) && gs_arm(argv[3], "", 0, message, sizeof message) != GS_OK)
        return 1;
    if ((stacks || stopped || strcmp(argv[1], "recording") == 0) &&
        gs_start(argv[3], "", 0, message, sizeof message) != GS_OK)
        return 1;
    for (long long end = now() + 6000000; now() < end;) {
        fake_drop(&thread, 0);
        fake_take(&thread);
    }
    if (stopped)
        gs_stop();
    measured(&thread, atol(argv[2]));
    return 0;
}
