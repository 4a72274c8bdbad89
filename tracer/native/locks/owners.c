/* Runs in hooks, in a thread that is about to wait. What a frame has in its local variables lives; what else is looked
 * at may be no object any more, so every step is asked for first. */
#include "locks/owners.h"

#include "base/text.h"
#include "stacks/pytext.h"

#define LOWEST_ADDRESS 4096u
#define PAGE 4096u /* or a part of one */
#define TYPE_SUBCLASS (UINT64_C(1) << 31) /* its instances are types */
#define KNOWN_TYPES 1024u
#define MOST_METATYPES 4  /* from a type to `type` */
#define LONGEST_NAME 100u /* bytes */
#define MOST_LOCALS 8u    /* of Condition.wait, that may be its waiter */
#define MOST_SLOTS 24u    /* of a frame: variables and what it works on */
#define TAG 7u            /* what 3.14 and later keep in the low bits of a reference */

static bool is_address(uintptr_t address)
{
    return address >= LOWEST_ADDRESS && address % 8 == 0 && address >> 47 == 0;
}

/* Any memory may hold an address of memory that holds one: a type's type is `type`, or a subclass whose type is that. */
static bool reaches_type(uintptr_t type)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    for (int i = 0; i < MOST_METATYPES; i++) {
        const char *object = (const char *)type;
        if (!is_address(type) || !gs_is_memory(object + layout->type) || !gs_is_memory(object + layout->type_flags))
            return false;
        if (i > 0 && !(gs_load(uint64_t, object, layout->type_flags) & TYPE_SUBCLASS))
            return false;
        type = gs_load(uintptr_t, object, layout->type);
        if (type == (uintptr_t)gs_stacks.type_type)
            return type != 0;
    }
    return false;
}

/* Types that were looked at are remembered, so that the kernel is not asked again. */
static bool is_type(uintptr_t type)
{
    static _Atomic uintptr_t known[KNOWN_TYPES];
    if (!is_address(type))
        return false;
    _Atomic uintptr_t *place = &known[(type >> 4) * 2654435761u % KNOWN_TYPES];
    if (atomic_load_explicit(place, memory_order_relaxed) == type)
        return true;
    if (!reaches_type(type))
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

/* Bytes of the character that begins here, up to `length` that are there; 0: it is none of UTF-8. */
static size_t character_size(const unsigned char *text, size_t length)
{
    size_t size = text[0] < 0x80 ? 1 : text[0] < 0xC2 ? 0 : text[0] < 0xE0 ? 2 : text[0] < 0xF0 ? 3 : text[0] < 0xF5 ? 4 : 0;
    if (size > length)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    return size;
}

/* A type that was remembered may have died since, and its memory be another's or nobody's. What it has for a name then
 * is none: no text is better than bytes that are no text. */
void gs_type_append(uintptr_t type, char **at, const char *end)
{
    uint32_t place = gs_stacks.layout.type_name;
    if (type == 0 || !gs_is_memory((const char *)type + place))
        return;
    const char *name = gs_load(const char *, type, place);
    unsigned char copy[LONGEST_NAME];
    size_t length = 0;
    for (; length < sizeof copy; length++) {
        if ((length == 0 || (uintptr_t)(name + length) % PAGE == 0) && !gs_is_memory(name + length))
            return;
        copy[length] = (unsigned char)name[length];
        if (copy[length] == '\0')
            break;
    }
    char *begin = *at;
    for (size_t i = 0, size; i < length; i += size) {
        size = character_size(copy + i, length - i);
        if (size == 0 && length < sizeof copy) {
            *at = begin;
            return;
        }
        if (size == 0 || (size_t)(end - *at) < size)
            return; /* a name that is cut */
        memcpy(*at, copy + i, size);
        if (**at == '\n')
            **at = ' ';
        *at += size;
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
    uintptr_t type = gs_type_of(object);
    if (type != 0 && type == (uintptr_t)gs_stacks.cell_type && gs_is_memory(object + layout->head))
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
