/* The state, and what has to be waited for before it may change. */
#define _GNU_SOURCE
#include "stream/run.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/text.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

#define LONGEST_SLOW_WAIT UINT64_C(1000000000) /* ns */
#define TRIES 2000 /* each at least a system call: some ms at most, where writing a stack takes a tenth of one */
#define FEW_TRIES 3

union gs_control_page gs_control_page;

struct gs_run gs_run = {.number = GS_FIRST_RECORDING - 1};

static struct gs_thread *_Atomic turn;

void gs_set_state(enum gs_state state)
{
    atomic_store(&gs_control->word, state == GS_RECORDING ? atomic_load(&gs_run.number) : (uint32_t)state);
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
    uint32_t recording = gs_epoch();
    int none = 0;
    if (!atomic_compare_exchange_strong(&gs_run.failure, &none, error ? error : EIO))
        return false;
    return recording != 0 && atomic_compare_exchange_strong(&gs_control->word, &recording, GS_DISCARDING);
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

void gs_run_initialise(void)
{
    madvise(&gs_control_page, sizeof gs_control_page, MADV_WIPEONFORK); /* Linux < 4.14: the fork handlers do without */
    atomic_store(&gs_control->here, 1);
}
