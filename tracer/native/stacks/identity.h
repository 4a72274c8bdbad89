/* What tells a code object from every other that was or will be at its address. Reckoned from its fields, and, for a
 * version that does not number code objects, from what it refers to. Also of a copy of it. */
#ifndef GILSCOPE_IDENTITY_H
#define GILSCOPE_IDENTITY_H

#include "base/hash.h"
#include "stacks/pytext.h"

static inline uint64_t gs_text_hash(const struct gs_layout *layout, const char *object)
{
    struct gs_pytext text = gs_pytext(layout, object);
    return text.characters != NULL ? gs_hash(text.characters, text.length * text.kind) : 0;
}

/* Of a function: interned, so Python has its hash already. */
static inline uint64_t gs_name_hash(const struct gs_layout *layout, const char *object)
{
    uint64_t known = layout->text_hash != 0 ? gs_load(uint64_t, object, layout->text_hash) : UINT64_MAX;
    return known != UINT64_MAX ? known : gs_text_hash(layout, object);
}

/* name, file: of gs_name_hash and gs_text_hash; lines: gs_hash_ends of the line table. */
static inline uint64_t gs_content(uint64_t name, uint64_t lines, uint64_t file)
{
    return gs_mix(name ^ lines, file);
}

/* 0: it has no number of its own, also when there were 2^32 of them. */
static inline uint64_t gs_code_version(const struct gs_layout *layout, const char *code)
{
    return layout->version != 0 ? gs_load(uint32_t, code, layout->version) : 0;
}

/* code: the code object, or a copy of it, that is or was at address; content: gs_content, if its version is 0. */
static inline uint64_t gs_identity(const struct gs_layout *layout, const char *code, uintptr_t address, uint64_t content)
{
    uint64_t parts = gs_load(uint64_t, code, layout->file) ^ gs_rotate(gs_load(uint64_t, code, layout->name), 20) ^
                     gs_rotate(gs_load(uint64_t, code, layout->line_table), 40) ^ content;
    return gs_mix(gs_mix(address ^ gs_rotate(gs_load(uint64_t, code, layout->size), 48), parts),
                  gs_code_version(layout, code) << 32 ^ gs_load(uint32_t, code, layout->first_line));
}

#endif
