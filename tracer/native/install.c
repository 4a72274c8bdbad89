/* Finding the interpreter and its GIL. Runs in gs_install, with the GIL held. */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdio.h>

#include "gil/gil.h"
#include "gilscope.h"
#include "elf/got.h"
#include "gil/hooks.h"
#include "locks/locks.h"
#include "stacks/deaths.h"
#include "stream/session.h"
#include "elf/symbols.h"

/* Before 3.2: another kind of GIL, which is not even made before the first thread is. */
static bool has_old_gil(void)
{
    const char *(*version)(void) = (const char *(*)(void))gs_symbol("Py_GetVersion");
    void (*make)(void) = (void (*)(void))gs_symbol("PyEval_InitThreads");
    int major = 0, minor = 0;
    if (version == NULL || sscanf(version(), "%d.%d", &major, &minor) != 2 || major > 3 ||
        (major == 3 && minor >= 2))
        return false;
    if (make != NULL)
        make();
    return true;
}

/* Release and take the GIL once, with the hooks in. An interpreter that was finalized has taken its GIL with it. */
static bool learn(void *save, void *restore)
{
    if (gs_gil_alive() > 0)
        return true;
    void *(*release)(void) = (void *(*)(void))save;
    void (*take)(void *) = (void (*)(void *))restore;
    gs_set_state(GS_LEARNING);
    take(release());
    gs_set_state(GS_OFF);
    return gs_gil_alive() > 0;
}

int gs_may_begin(void)
{
    if (gs_state() != GS_OFF || !gs_symbols_find())
        return gs_state() == GS_OFF;
    void *(*first)(void) = (void *(*)(void))gs_symbol("PyInterpreterState_Main");
    void *(*ours)(void) = (void *(*)(void))gs_symbol("PyInterpreterState_Get");
    if (ours == NULL) /* up to 3.8 */
        ours = (void *(*)(void))gs_symbol("_PyInterpreterState_Get");
    return first == NULL || ours == NULL || first() == ours();
}

/* The hooks in, nothing learned. */
static int put_in(char *message, size_t size)
{
    if (!gs_session_initialise()) {
        snprintf(message, size, "no memory for the recorder (%m)");
        return GS_OS_ERROR;
    }
    if (!gs_symbols_find()) {
        snprintf(message, size, "there is no CPython in this process, so there is no GIL to trace");
        return GS_NO_INTERPRETER;
    }
    bool done = gs_got_patch(gs_symbol("PyEval_SaveThread"), has_old_gil() ? gs_old_hooks : gs_hooks, message, size);
    return done ? GS_OK : GS_NO_CALLS;
}

int gs_install(char *message, size_t size)
{
    if (gs_state() != GS_OFF)
        return GS_OK;
    int result = put_in(message, size);
    if (result != GS_OK)
        return result;
    if (!learn(gs_symbol("PyEval_SaveThread"), gs_symbol("PyEval_RestoreThread"))) {
        gs_got_restore();
        snprintf(message, size, "the GIL of this interpreter is off, so there is no GIL to trace");
        return GS_NO_GIL_FOUND;
    }
    return GS_OK;
}

int gs_install_without_gil(char *message, size_t size)
{
    int result = gs_state() == GS_OFF ? put_in(message, size) : GS_OK;
    if (result == GS_OK && gs_gil_count() == 0) {
        gs_run.without_gil = true;
        atomic_store(&gs_gil_off, true);
    }
    return result;
}

int gs_locks_find(char *message, size_t size)
{
    if (gs_state() != GS_OFF)
        return GS_OK;
    bool done = gs_locks_put_in(message, size);
    gs_set_state(GS_LEARNING);
    done = done && gs_locks_learn(message, size);
    gs_set_state(GS_OFF);
    if (!done)
        gs_locks_take_out();
    return done ? GS_OK : GS_NO_LOCKS;
}

void gs_locks_leave(void)
{
    gs_locks_take_out();
}

void gs_uninstall(void)
{
    gs_stop();
    gs_got_restore();
    gs_deaths_leave();
}

