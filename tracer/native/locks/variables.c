/* A frame keeps its local variables alive; a module's may be changed meanwhile by another thread. So dicts are read by
 * asking the kernel to copy them (gs_remote_copy), which can't fault, and a name only counts whose value is the object
 * that the thread waits for: what is torn is not found. Where the kernel refuses, only local variables are found. */
#define _GNU_SOURCE
#include "locks/variables.h"

#include <string.h>

#include "base/text.h"
#include "locks/owners.h"
#include "stacks/pytext.h"
#include "stacks/remote.h"

#define TAG 7u               /* what 3.14 and later keep in the low bits of a reference */
#define FRAMES GS_OWNERS     /* that are looked at, the innermost */
#define MOST_LOCALS 24u      /* of a frame */
#define MOST_NAMES 1024u     /* of a module */
#define PIECE 32u            /* of these that are copied at once */

/* A dict: its size, a version, and then its keys. These: a header, a table of indices, and the entries in order. */
#define KEYS 16u             /* after its head: where its keys are; then its values, of an instance's that has its own */
#define KEYS_LOG2_INDEX 9u   /* a byte: the size of the indices */
#define KEYS_KIND 10u        /* a byte: 0: any keys, and hashes before them; 1: all are str */
#define KEYS_ENTRIES 24u     /* how many */
#define KEYS_HEADER 32u

/* Where an instance has its dict of attributes: before it, with a GIL and without one (since 3.12 and 3.13). */
static const int dict_before[] = {-24, -8};

struct variable {
    const char *scope;
    uintptr_t name;  /* a str */
    uintptr_t value;
};

static uintptr_t word_at(uintptr_t address, int offset)
{
    uintptr_t word = 0;
    return address >= GS_LOWEST_ADDRESS && gs_remote_copy(&word, address + (uintptr_t)(intptr_t)offset, sizeof word) ? word : 0;
}

/* What a variable with this value is to what is looked for; NULL: nothing. */
static const char *relation(uintptr_t value, const struct gs_wanted *wanted)
{
    if (value == 0)
        return NULL;
    if (value == wanted->object)
        return "is";
    if (wanted->semaphore != 0 && word_at(value, (int)gs_stacks.layout.head) == wanted->semaphore)
        return "is";
    for (unsigned i = 0; wanted->attributes && i < 2; i++)
        if (word_at(value, dict_before[i]) == wanted->object)
            return "attributes";
    return NULL;
}

/* The dict of the module's variables: of what a frame has before its own variables, the first that is a dict. */
static uintptr_t globals_of(const struct gs_place *place)
{
    for (uint32_t at = 0; at < gs_stacks.layout.locals; at += 8) {
        uintptr_t object = gs_load(uintptr_t, place->frame, at) & ~(uintptr_t)TAG;
        char name[8] = "", *end = name;
        if (at == gs_stacks.layout.previous || at == gs_stacks.layout.instruction)
            continue;
        gs_type_append(gs_type_of((const char *)object), &end, name + sizeof name - 1);
        if (strcmp(name, "dict") == 0)
            return object;
    }
    return 0;
}

static const char *find_global(const struct gs_place *place, const struct gs_wanted *wanted, struct variable *found)
{
    uintptr_t keys = word_at(globals_of(place), (int)(gs_stacks.layout.head + KEYS));
    unsigned char header[KEYS_HEADER];
    if (keys < GS_LOWEST_ADDRESS || !gs_remote_copy(header, keys, sizeof header) || header[KEYS_KIND] > 1 ||
        header[KEYS_LOG2_INDEX] > 30)
        return NULL;
    unsigned words = header[KEYS_KIND] == 1 ? 2 : 3;
    uint64_t count = gs_load(uint64_t, header, KEYS_ENTRIES);
    uintptr_t entry = keys + KEYS_HEADER + (UINT64_C(1) << header[KEYS_LOG2_INDEX]);
    for (uint64_t i = 0; i < count && i < MOST_NAMES; i += PIECE) {
        uintptr_t piece[3 * PIECE];
        uint64_t size = count - i < PIECE ? count - i : PIECE;
        if (!gs_remote_copy(piece, entry + i * words * 8, size * words * 8))
            return NULL;
        for (uint64_t k = 0; k < size; k++) {
            const uintptr_t *pair = &piece[k * words + words - 2];
            const char *how = pair[0] != 0 ? relation(pair[1], wanted) : NULL;
            if (how != NULL) {
                *found = (struct variable){"global", pair[0], pair[1]};
                return how;
            }
        }
    }
    return NULL;
}

static bool is_self(uintptr_t name)
{
    struct gs_pytext text = gs_pytext(&gs_stacks.layout, (const char *)name);
    return text.characters != NULL && text.kind == 1 && text.length == 4 && memcmp(text.characters, "self", 4) == 0;
}

/* That it is the self of a frame says no more than its type does, and that is told in any case. */
static const char *find_local(const struct gs_place *place, const struct gs_wanted *wanted, struct variable *found)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    const char *names = gs_load(const char *, place->code, layout->local_names);
    uint64_t count = gs_load(uint64_t, names, layout->size);
    for (unsigned i = 0; i < count && i < MOST_LOCALS; i++) {
        uintptr_t value = gs_load(uintptr_t, place->frame, layout->locals + 8 * i) & ~(uintptr_t)TAG;
        const char *how = relation(value, wanted);
        if (how == NULL && (value = word_at(value, (int)layout->head) & ~(uintptr_t)TAG) == wanted->object && value != 0)
            how = "is"; /* in a cell, as inner functions have what is of outer ones */
        uintptr_t name = gs_load(uintptr_t, names, layout->items + 8 * i);
        if (how != NULL && (strcmp(how, "is") != 0 || !is_self(name))) {
            *found = (struct variable){"local", name, value};
            return how;
        }
    }
    return NULL;
}

static const char *find(const struct gs_place *places, unsigned count, const struct gs_wanted *wanted, struct variable *found)
{
    const char *how = NULL;
    uintptr_t looked = 0;
    for (unsigned i = 0; i < count && i < FRAMES && how == NULL; i++) {
        uintptr_t globals = globals_of(&places[i]);
        if (globals != looked)
            how = find_global(&places[i], wanted, found);
        looked = globals;
    }
    for (unsigned i = 0; i < count && i < FRAMES && how == NULL; i++)
        how = find_local(&places[i], wanted, found);
    return how;
}

static void append(const char *how, const struct variable *found, char **at, const char *end)
{
    if (gs_type_of((const char *)found->name) == 0)
        return;
    gs_append(at, end, "\n\t");
    gs_append(at, end, how);
    gs_append(at, end, "\t");
    gs_append(at, end, found->scope);
    gs_append(at, end, "\t");
    gs_pytext_append(gs_pytext(&gs_stacks.layout, (const char *)found->name), true, at, end);
    gs_append(at, end, "\t");
    gs_type_append(gs_type_of((const char *)found->value), at, end);
}

void gs_variables_append(const struct gs_place *places, unsigned count, struct gs_wanted wanted, char **at, const char *end)
{
    struct variable found;
    if (wanted.object == 0 && wanted.semaphore == 0)
        return;
    const char *how = find(places, count, &wanted, &found);
    if (how != NULL) {
        append(how, &found, at, end);
        return;
    }
    for (unsigned i = 0; i < count && i < FRAMES; i++) {
        struct gs_wanted owner = {.object = (uintptr_t)gs_self_of(&places[i])};
        if (owner.object == 0)
            return;
        if (find(&places[i], count - i, &owner, &found) != NULL && strcmp(found.scope, "global") == 0) {
            append("owner", &found, at, end);
            return;
        }
    }
}
