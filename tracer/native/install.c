/* Finding the interpreter and its GIL. Runs in gs_install, with the GIL held. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>

#include "gil.h"
#include "gilscope.h"
#include "got.h"
#include "hooks.h"
#include "session.h"

/* A symbol of the interpreter; also of one that was loaded for an application alone (RTLD_LOCAL). */
static int look_in_object(struct dl_phdr_info *info, size_t size, void *data)
{
    void **symbol = data;
    (void)size;
    void *object = dlopen(info->dlpi_name, RTLD_LAZY | RTLD_NOLOAD);
    if (object == NULL)
        return 0;
    *symbol = dlsym(object, "PyEval_SaveThread");
    dlclose(object);
    return *symbol != NULL;
}

static bool find_interpreter(void **save, void **restore)
{
    *save = dlsym(RTLD_DEFAULT, "PyEval_SaveThread");
    *restore = dlsym(RTLD_DEFAULT, "PyEval_RestoreThread");
    if (*save != NULL && *restore != NULL)
        return true;
    Dl_info where;
    if (dl_iterate_phdr(look_in_object, save) == 0 || dladdr(*save, &where) == 0)
        return false;
    void *object = dlopen(where.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    if (object == NULL)
        return false;
    *restore = dlsym(object, "PyEval_RestoreThread");
    dlclose(object);
    return *restore != NULL;
}

/* Before 3.2: another kind of GIL, which is not even made before the first thread is. */
static bool has_old_gil(void)
{
    const char *(*version)(void) = (const char *(*)(void))dlsym(RTLD_DEFAULT, "Py_GetVersion");
    void (*make)(void) = (void (*)(void))dlsym(RTLD_DEFAULT, "PyEval_InitThreads");
    int major = 0, minor = 0;
    if (version == NULL || sscanf(version(), "%d.%d", &major, &minor) != 2 || major > 3 ||
        (major == 3 && minor >= 2))
        return false;
    if (make != NULL)
        make();
    return true;
}

/* Release and take the GIL once, with the hooks in. */
static bool learn(void *save, void *restore)
{
    if (gs_gil_count() > 0)
        return true;
    void *(*release)(void) = (void *(*)(void))save;
    void (*take)(void *) = (void (*)(void *))restore;
    gs_set_state(GS_LEARNING);
    take(release());
    gs_set_state(GS_OFF);
    return gs_gil_count() > 0;
}

int gs_install(char *message, size_t size)
{
    void *save, *restore;
    if (gs_state() != GS_OFF)
        return GS_OK;
    if (!gs_session_initialise()) {
        snprintf(message, size, "no memory for the recorder (%m)");
        return GS_OS_ERROR;
    }
    if (!find_interpreter(&save, &restore)) {
        snprintf(message, size, "there is no CPython in this process, so there is no GIL to trace");
        return GS_NO_INTERPRETER;
    }
    if (!gs_got_patch(save, has_old_gil() ? gs_old_hooks : gs_hooks, message, size))
        return GS_NO_CALLS;
    if (!learn(save, restore)) {
        gs_got_restore();
        snprintf(message, size, "the GIL of this interpreter is off, so there is no GIL to trace");
        return GS_NO_GIL_FOUND;
    }
    return GS_OK;
}

void gs_uninstall(void)
{
    gs_stop();
    gs_got_restore();
}

