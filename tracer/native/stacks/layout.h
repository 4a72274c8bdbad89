/* Where an interpreter keeps what a stack is read from: offsets in bytes. */
#ifndef GILSCOPE_LAYOUT_H
#define GILSCOPE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* X(field): published by the interpreter itself from 3.13 on. */
#define GS_PUBLISHED(X)                                                                              \
    X(gil)           /* of an interpreter: the address of its GIL; 0: 3.11, all share one */         \
    X(interpreter)   /* of a thread state */                                                         \
    X(current_frame) /* of a thread state, or of what its cframe points to */                        \
    X(previous)      /* of a frame, and so the next three */                                         \
    X(executable)    /* what it runs */                                                              \
    X(instruction)   /* where it is in it */                                                         \
    X(owner)         /* one byte */                                                                  \
    X(file)          /* of a code object, and so the next five */                                    \
    X(name)                                                                                          \
    X(line_table)                                                                                    \
    X(first_line)                                                                                    \
    X(version)       /* a number of its own, of 4 bytes; 0: 3.11 has none */                         \
    X(instructions)  /* its first */                                                                 \
    X(type)          /* of any object */                                                             \
    X(size)          /* of one of variable size: its length */                                       \
    X(bytes)         /* of a bytes object: its first */                                              \
    X(text_state)    /* of a str, and so the rest */                                                 \
    X(text_length)                                                                                   \
    X(ascii)         /* the characters, if all are ASCII */                                          \
    X(locals)        /* of a frame: its first local variable */                                      \
    X(arguments)     /* of a code object: how many, 4 bytes */                                       \
    X(local_names)   /* of a code object: a tuple */                                                 \
    X(items)         /* of a tuple: its first */                                                     \
    X(type_name)     /* of a type: its name, UTF-8 */                                                \
    X(type_flags)    /* of a type: 8 bytes */

/* X(field): the same, where there is such a thing; else 0. */
#define GS_PUBLISHED_SOME(X)                                                                         \
    X(head)             /* the size of an object without members */                                  \
    X(thread_size)      /* of a thread state, and so the next two; from 3.13 on */                   \
    X(interpreter_size)                                                                              \
    X(runtime_size)                                                                                  \
    X(free_threaded)    /* whether this is a build that can run without a GIL */                     \
    X(copy)             /* of a frame: which copy of the code it runs; from 3.14 on, free-threaded */ \
    X(copies)           /* of a code object: its copies */

struct gs_layout {
#define GS_FIELD(name) uint32_t name;
    GS_PUBLISHED(GS_FIELD)
    GS_PUBLISHED_SOME(GS_FIELD)
#undef GS_FIELD
    uint32_t cframe;    /* of a thread state; 0: it has none, and current_frame itself */
    uint32_t compact;   /* the characters of a str that are not all ASCII */
    uint32_t text_hash; /* of a str, -1 while nobody asked for it; 0: not where it should be */
};

/* Fill layout for the interpreter in this process. False: message says why not. */
bool gs_layout_find(struct gs_layout *layout, char *message, size_t size);

#define gs_load(type, object, offset)                                                                \
    ({                                                                                               \
        type loaded_;                                                                                \
        memcpy(&loaded_, (const char *)(object) + (offset), sizeof loaded_);                         \
        loaded_;                                                                                     \
    })

#endif
