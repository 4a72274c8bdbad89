/* Python's str objects, read without Python. */
#ifndef GILSCOPE_PYTEXT_H
#define GILSCOPE_PYTEXT_H

#include "stacks/layout.h"

/* The characters of a str as they lie in memory: NULL if this is no str whose characters follow it. */
struct gs_pytext {
    const char *characters;
    uint64_t length;
    unsigned kind; /* bytes a character */
};

static inline struct gs_pytext gs_pytext(const struct gs_layout *layout, const char *object)
{
    uint32_t state = gs_load(uint32_t, object, layout->text_state);
    uint32_t kind = state >> 2 & 7, compact = state >> 5 & 1, ascii = state >> 6 & 1;
    if (!compact || (kind != 1 && kind != 2 && kind != 4))
        return (struct gs_pytext){.characters = NULL};
    return (struct gs_pytext){
        .characters = object + (ascii ? layout->ascii : layout->compact),
        .length = gs_load(uint64_t, object, layout->text_length),
        .kind = kind,
    };
}

/* Append it as UTF-8 at *at, whole characters only, never beyond end. What no record can hold (NUL, a lone
 * surrogate, a newline if it is said to be one line) becomes U+FFFD. */
void gs_pytext_append(struct gs_pytext text, bool one_line, char **at, const char *end);

#endif
