/* Runs in hooks, in a thread that is about to wait. A `with` keeps what it will call at its end on the frame's stack; how
 * much of that stack is in use says the code's table of exceptions, for the block that the frame is in: what lies below
 * would be there when an exception came, so it is there now. */
#include "locks/held.h"

#include <stdatomic.h>
#include <string.h>

#include "locks/owners.h"

#define TAG 7u              /* what 3.14 and later keep in the low bits of a reference */
#define FRAMES 24u          /* that are looked at, the innermost */
#define MOST_VARIABLES 2048u
#define MOST_DEPTH 32u
#define LONGEST_TABLE 65536u
#define LONGEST_NAME 32

/* A number of the table: groups of six bits, the highest first; all but the last have bit 6. */
static const uint8_t *number(const uint8_t *at, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    while (at < end) {
        *value = *value << 6 | (*at & 63);
        if (!(*at++ & 64))
            break;
    }
    return at;
}

/* A code object's table of exceptions; NULL: it is not where it should be. That is asked of the first code object that is
 * met: where it is there in one, it is in all, which refer to it while they live. */
static const char *table_of(const char *code)
{
    static _Atomic uintptr_t bytes_type;
    const struct gs_layout *layout = &gs_stacks.layout;
    /* After the size: constants, names, and this. */
    const char *table = gs_load(const char *, code, layout->size + 24);
    uintptr_t type = atomic_load_explicit(&bytes_type, memory_order_relaxed);
    if (type == 0) {
        type = gs_type_of(table);
        if (type == 0 || type != gs_type_of(gs_load(const char *, code, layout->line_table))) /* both are bytes */
            return NULL;
        atomic_store_explicit(&bytes_type, type, memory_order_relaxed);
    }
    return gs_load(uintptr_t, table, layout->type) == type ? table : NULL;
}

/* How deep the stack is in the block in which an instruction is; 0: in none, or it can't be told. */
static unsigned depth_in(const struct gs_place *place)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    const char *table = table_of(place->code);
    if (table == NULL)
        return 0;
    uint64_t size = gs_load(uint64_t, table, layout->size), instruction = place->offset / 2;
    if (size > LONGEST_TABLE)
        return 0;
    const uint8_t *at = (const uint8_t *)table + layout->bytes, *end = at + size;
    while (at < end) {
        uint64_t start, length, target, depth;
        at = number(at, end, &start);
        at = number(at, end, &length);
        at = number(at, end, &target);
        at = number(at, end, &depth);
        if (instruction < start) /* they are in the order of the code */
            return 0;
        if (instruction < start + length)
            return depth >> 1 < MOST_DEPTH ? (unsigned)(depth >> 1) : 0;
    }
    return 0;
}

static bool is_called(uintptr_t type, const char *wanted)
{
    char name[LONGEST_NAME] = "", *at = name;
    gs_type_append(type, &at, name + sizeof name - 1);
    return strcmp(name, wanted) == 0;
}

static bool is_lock(uintptr_t type)
{
    return type != 0 && (is_called(type, "_thread.lock") || is_called(type, "_thread.RLock"));
}

static const char *slot(const struct gs_place *place, uint64_t index)
{
    return (const char *)(gs_load(uintptr_t, place->frame, gs_stacks.layout.locals + 8 * index) & ~(uintptr_t)TAG);
}

/* The lock that this slot of the stack will let go at the end of a block; before: the slot below. */
static const char *lock_of(const char *object, const char *before)
{
    uintptr_t type = gs_type_of(object);
    if (type == 0)
        return NULL;
    if (is_called(type, "builtin_function_or_method")) { /* up to 3.13: its method, bound */
        const char *self = gs_load(const char *, object, gs_stacks.layout.head + 8);
        return is_lock(gs_type_of(self)) ? self : NULL;
    }
    /* From 3.14 on: the method, and then the lock. */
    return is_lock(type) && is_called(gs_type_of(before), "method_descriptor") ? object : NULL;
}

unsigned gs_held_find(const struct gs_place *places, unsigned count, struct gs_held held[GS_MOST_HELD])
{
    unsigned found = 0;
    for (unsigned i = 0; i < count && i < FRAMES && found < GS_MOST_HELD; i++) {
        unsigned depth = depth_in(&places[i]);
        if (depth == 0)
            continue;
        const char *names = gs_load(const char *, places[i].code, gs_stacks.layout.local_names);
        uint64_t variables = gs_load(uint64_t, names, gs_stacks.layout.size);
        if (variables > MOST_VARIABLES)
            continue;
        for (unsigned j = depth; j-- > 0 && found < GS_MOST_HELD;) {
            const char *lock = lock_of(slot(&places[i], variables + j), j > 0 ? slot(&places[i], variables + j - 1) : NULL);
            if (lock != NULL)
                held[found++] = (struct gs_held){lock, gs_type_of(lock), i};
        }
    }
    return found;
}

bool gs_held_never(const struct gs_place *places, unsigned count)
{
    for (unsigned i = 0; i < count && i < FRAMES; i++)
        if (depth_in(&places[i]) != 0)
            return false;
    return true;
}
