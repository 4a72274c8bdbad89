/* The state, and what has to be waited for before it may change. */
#define _GNU_SOURCE
#include "stream/run.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

#define LONGEST_SLOW_WAIT UINT64_C(1000000000) /* ns */
#define TRIES 200
#define FEW_TRIES 3

static struct gs_control nothing;
struct gs_control *gs_control = &nothing;

struct gs_run gs_run;

static struct gs_thread *_Atomic turn;

void gs_set_state(enum gs_state state)
{
    /* A thread that sees GS_RECORDING and another epoch than its own takes a new stream: so the epoch comes
     * first and goes last. */
    if (state == GS_RECORDING)
        atomic_store(&gs_control->epoch, atomic_load(&gs_run.number));
    atomic_store(&gs_control->state, (uint32_t)state);
    if (state != GS_RECORDING)
        atomic_store(&gs_control->epoch, 0);
}

bool gs_slow_wait(void)
{
    uint64_t deadline = gs_now() + LONGEST_SLOW_WAIT;
    while (atomic_load(&gs_control->busy) != 0) {
        if (gs_now() >= deadline)
            return false;
        sched_yield();
    }
    return true;
}

bool gs_turn_take(bool hurry)
{
    for (int i = 0; i < (hurry ? FEW_TRIES : TRIES); i++) {
        struct gs_thread *nobody = NULL;
        if (atomic_compare_exchange_strong(&turn, &nobody, &gs_self))
            return true;
        sched_yield();
    }
    return false;
}

bool gs_turn_is_ours(void)
{
    return atomic_load_explicit(&turn, memory_order_relaxed) == &gs_self;
}

void gs_turn_end(void)
{
    atomic_store_explicit(&turn, NULL, memory_order_release);
}

void gs_turn_forget(void)
{
    atomic_store(&turn, NULL);
}

bool gs_run_ends_with(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EFBIG || error == EIO || error == EROFS;
}

bool gs_run_fail(int error)
{
    uint32_t recording = GS_RECORDING;
    int none = 0;
    if (!atomic_compare_exchange_strong(&gs_run.failure, &none, error ? error : EIO))
        return false;
    if (!atomic_compare_exchange_strong(&gs_control->state, &recording, GS_DISCARDING))
        return false;
    atomic_store(&gs_control->epoch, 0);
    return true;
}

bool gs_run_path(char *path, size_t size, const char *name, long number)
{
    char *at = path;
    const char *end = path + size - 1;
    gs_append(&at, end, gs_run.directory);
    gs_append(&at, end, "/");
    gs_append(&at, end, name);
    if (number >= 0)
        gs_append_number(&at, end, (uint64_t)number);
    return gs_append_end(at, end);
}

bool gs_run_initialise(void)
{
    if (gs_control != &nothing)
        return true;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    madvise(memory, page, MADV_WIPEONFORK); /* Linux < 4.14: the fork handlers do without */
    gs_control = memory;
    gs_control->here = 1;
    return true;
}
