/* Runs in gs_install and gs_stacks_find, with the GIL held. */
#define _GNU_SOURCE
#include "elf/symbols.h"

#include <dlfcn.h>
#include <link.h>
#include <stddef.h>

static void *interpreter = RTLD_DEFAULT;

/* An interpreter that was loaded for an application alone (RTLD_LOCAL). */
static int look_in_object(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    (void)data;
    void *object = dlopen(info->dlpi_name, RTLD_LAZY | RTLD_NOLOAD);
    if (object == NULL)
        return 0;
    void *symbol = dlsym(object, "PyEval_SaveThread");
    Dl_info where;
    dlclose(object);
    if (symbol == NULL || dladdr(symbol, &where) == 0)
        return 0;
    object = dlopen(where.dli_fname, RTLD_LAZY | RTLD_NOLOAD); /* kept: the core outlives all use of it */
    if (object != NULL)
        interpreter = object;
    return object != NULL;
}

bool gs_symbols_find(void)
{
    return gs_symbol("PyEval_SaveThread") != NULL || dl_iterate_phdr(look_in_object, NULL) != 0;
}

void *gs_symbol(const char *name)
{
    return dlsym(interpreter, name);
}
