/* Runs in gs_locks_find, in a thread that has the GIL. */
#define _GNU_SOURCE
#include "locks/locks.h"

#include <stdio.h>

#include "base/known.h"
#include "elf/got.h"
#include "elf/symbols.h"
#include "gilscope.h"
#include "locks/callers.h"
#include "locks/hooks.h"
#include "locks/identity.h"
#include "locks/learn.h"
#include "locks/waiters.h"
#include "stacks/stacks.h"

bool gs_locks_put_in(char *message, size_t size)
{
    const unsigned long *version = gs_symbol("Py_Version"); /* since 3.11 */
    if (version == NULL) {
        snprintf(message, size, "only CPython 3.11 and later has locks that this gilscope can see");
        return false;
    }
    if (!gs_waiters_reserve() || !gs_known_reserve()) {
        snprintf(message, size, "no memory (%m)");
        return false;
    }
    return gs_got_patch(gs_symbol("PyEval_SaveThread"), gs_lock_hooks, message, size);
}

void gs_locks_take_out(void)
{
    gs_got_restore_table(gs_lock_hooks);
}

bool gs_locks_learn(char *message, size_t size)
{
    char unused[256];
    /* The layout is that of the stacks, whether these are recorded or not. */
    bool names = gs_stacks.thread_state != NULL || gs_stacks_find(unused, sizeof unused) == GS_OK;
    bool free_threaded = names && gs_stacks.layout.free_threaded != 0;
    gs_identity_runtime = (uintptr_t)gs_symbol("_PyRuntime");
    if (free_threaded)
        gs_callers_find(gs_symbol("PyEval_SaveThread"));
    atomic_store(&gs_identity_names, names);
    atomic_store(&gs_locks_spin, free_threaded);
    return gs_learn_locks(free_threaded ? gs_stacks.layout.head : 0, message, size);
}
