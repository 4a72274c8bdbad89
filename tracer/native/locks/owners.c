/* Runs in hooks, in a thread that is about to wait. What a frame has in its local variables lives; what else is looked
 * at may be no object any more, so every step is asked for first. */
#include "locks/owners.h"

#include "base/text.h"
#include "stacks/pytext.h"

#define LOWEST_ADDRESS 4096u
#define PAGE 4096u /* or a part of one */
#define TYPE_SUBCLASS (UINT64_C(1) << 31) /* its instances are types */
#define KNOWN_TYPES 1024u
#define LONGEST_NAME 100
#define MOST_LOCALS 8u  /* of Condition.wait, that may be its waiter */
#define MOST_SLOTS 24u  /* of a frame: variables and what it works on */
#define TAG 7u          /* what 3.14 and later keep in the low bits of a reference */

static bool is_address(uintptr_t address)
{
    return address >= LOWEST_ADDRESS && address % 8 == 0 && address >> 47 == 0;
}

/* Types that were looked at are remembered, so that the kernel is not asked again. */
static bool is_type(uintptr_t type)
{
    static _Atomic uintptr_t known[KNOWN_TYPES];
    const struct gs_layout *layout = &gs_stacks.layout;
    if (!is_address(type))
        return false;
    _Atomic uintptr_t *place = &known[(type >> 4) * 2654435761u % KNOWN_TYPES];
    if (atomic_load_explicit(place, memory_order_relaxed) == type)
        return true;
    const char *object = (const char *)type;
    if (!gs_is_memory(object + layout->type) || !gs_is_memory(object + layout->type_flags))
        return false;
    uintptr_t meta = gs_load(uintptr_t, object, layout->type);
    if (!is_address(meta) || !gs_is_memory((const char *)meta + layout->type_flags) ||
        !(gs_load(uint64_t, meta, layout->type_flags) & TYPE_SUBCLASS))
        return false;
    atomic_store_explicit(place, type, memory_order_relaxed);
    return true;
}

uintptr_t gs_type_of(const char *object)
{
    if (!is_address((uintptr_t)object) || !gs_is_memory(object + gs_stacks.layout.type))
        return 0;
    uintptr_t type = gs_load(uintptr_t, object, gs_stacks.layout.type);
    return is_type(type) ? type : 0;
}

uintptr_t gs_type_of_around(const char *object, const char *member)
{
    const char *type = object + gs_stacks.layout.type;
    if (((uintptr_t)type ^ (uintptr_t)member) >= PAGE || !is_address((uintptr_t)object))
        return gs_type_of(object);
    uintptr_t its = gs_load(uintptr_t, type, 0);
    return is_type(its) ? its : 0;
}

void gs_type_append(uintptr_t type, char **at, const char *end)
{
    const char *name = type != 0 ? gs_load(const char *, type, gs_stacks.layout.type_name) : NULL;
    for (int i = 0; name != NULL && i < LONGEST_NAME && *at < end; i++) {
        if ((i == 0 || (uintptr_t)(name + i) % 4096 == 0) && !gs_is_memory(name + i))
            return;
        if (name[i] == '\0')
            return;
        *(*at)++ = name[i] == '\n' ? ' ' : name[i];
    }
}

static uintptr_t local(const struct gs_place *place, unsigned index)
{
    return gs_load(uintptr_t, place->frame, gs_stacks.layout.locals + 8 * index) & ~(uintptr_t)TAG;
}

static unsigned locals_of(const struct gs_place *place)
{
    const char *names = gs_load(const char *, place->code, gs_stacks.layout.local_names);
    uint64_t count = gs_load(uint64_t, names, gs_stacks.layout.size);
    return count < MOST_SLOTS ? (unsigned)count : MOST_SLOTS;
}

static bool is_text(const char *object, const char *wanted)
{
    struct gs_pytext text = gs_pytext(&gs_stacks.layout, object);
    size_t length = strlen(wanted);
    return text.characters != NULL && text.kind == 1 && text.length == length &&
           memcmp(text.characters, wanted, length) == 0;
}

/* The first argument, if that is called self; also where an inner function uses it, which puts it into a cell. */
const char *gs_self_of(const struct gs_place *place)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    if (gs_load(int32_t, place->code, layout->arguments) < 1 || locals_of(place) == 0)
        return NULL;
    const char *names = gs_load(const char *, place->code, layout->local_names);
    if (!is_text(gs_load(const char *, names, layout->items), "self"))
        return NULL;
    const char *object = (const char *)local(place, 0);
    char name[8] = "", *at = name;
    uintptr_t type = gs_type_of(object);
    gs_type_append(type, &at, name + sizeof name - 1);
    if (strcmp(name, "cell") == 0 && gs_is_memory(object + layout->head))
        object = (const char *)(gs_load(uintptr_t, object, layout->head) & ~(uintptr_t)TAG);
    return gs_type_of(object) != 0 ? object : NULL;
}

bool gs_is_condition_wait(const struct gs_place *innermost)
{
    return is_text(gs_load(const char *, innermost->code, gs_stacks.layout.name), "Condition.wait");
}

const char *gs_waiting_condition(const struct gs_place *innermost, uintptr_t address, bool semaphore)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    if (!gs_is_condition_wait(innermost))
        return NULL;
    unsigned count = locals_of(innermost);
    for (unsigned i = 1; i < count && i < MOST_LOCALS; i++) {
        uintptr_t object = local(innermost, i);
        if (!is_address(object))
            continue;
        bool it = semaphore ? gs_is_memory((const char *)object + layout->head) &&
                                  gs_load(uintptr_t, object, layout->head) == address
                            : object + layout->head == address;
        if (it)
            return gs_self_of(innermost);
    }
    return NULL;
}

static uintptr_t type_if_lock(uintptr_t object, uintptr_t semaphore)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    if (!is_address(object) || !gs_is_memory((const char *)object + layout->head) ||
        gs_load(uintptr_t, object, layout->head) != semaphore)
        return 0;
    return gs_type_of((const char *)object);
}

uintptr_t gs_type_of_semaphore(const struct gs_place *innermost, uintptr_t semaphore)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    unsigned count = locals_of(innermost) + MOST_LOCALS;
    for (unsigned i = 0; i < count; i++) {
        const char *slot = innermost->frame + layout->locals + 8 * i;
        if (!gs_is_memory(slot))
            return 0;
        uintptr_t object = local(innermost, i);
        uintptr_t type = type_if_lock(object, semaphore);
        /* What a method is bound to, which a with statement works on. */
        uint32_t bound = layout->head + 8;
        if (type == 0 && is_address(object) && gs_is_memory((const char *)object + bound))
            type = type_if_lock(gs_load(uintptr_t, object, bound), semaphore);
        if (type != 0)
            return type;
    }
    return 0;
}

void gs_owners_append(const struct gs_place *places, unsigned count, char **at, const char *end)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    for (unsigned i = 0; i < count && i < GS_OWNERS; i++) {
        const char *object = gs_self_of(&places[i]);
        if (object == NULL)
            return;
        gs_append(at, end, "\n");
        gs_type_append(gs_type_of(object), at, end);
        gs_append(at, end, " ");
        gs_append_hex(at, end, (uintptr_t)object);
        gs_append(at, end, " ");
        gs_pytext_append(gs_pytext(layout, gs_load(const char *, places[i].code, layout->name)), true, at, end);
    }
}
