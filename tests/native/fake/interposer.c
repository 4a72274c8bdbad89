/* Somebody else's hooks in the same slots: counts the calls and passes them on. Uses the recorder's own walk over
 * the offset table, in a second copy. */
#define _GNU_SOURCE
#include <stdatomic.h>

#include "elf/got.h"
#include "gil/hooks.h"

#define EXPORT __attribute__((visibility("default")))

static atomic_long calls;

#define COUNTING(name, needed, result, parameters, arguments)                                        \
    static result(*original_##name) parameters;                                                      \
    static result counting_##name parameters                                                         \
    {                                                                                                \
        atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);                                  \
        return original_##name arguments;                                                            \
    }
GS_HOOKED(COUNTING)

#define COUNTING_ENTRY(name, needed, result, parameters, arguments)                                  \
    {#name, needed, (void *)counting_##name, (void **)&original_##name},
static const struct gs_hook table[] = {GS_HOOKED(COUNTING_ENTRY) {.name = NULL}};

EXPORT int interposer_install(const void *code, char *message, size_t size)
{
    return gs_got_patch(code, table, message, size);
}

EXPORT void interposer_remove(void)
{
    gs_got_restore();
}

EXPORT long interposer_calls(void)
{
    return atomic_load(&calls);
}
