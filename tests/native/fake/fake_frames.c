#define _GNU_SOURCE
#include "fake_frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_python.h"

#define EXPORT __attribute__((visibility("default")))

struct text {
    uint64_t references;
    const void *type;
    uint64_t length, hash;
    uint32_t state;
    uint32_t unused;
    char ascii[16]; /* the characters begin here, or after it */
};

struct bytes {
    uint64_t references;
    const void *type;
    uint64_t size;
    char bytes[8];
};

struct type {
    uint64_t references;
    const struct type *type;
    const char *name;
    uint64_t flags;
};

/* No function has variables, and none a block that an exception would end. */
struct code {
    uint64_t references;
    const void *type;
    uint64_t size; /* instructions */
    void *constants, *attributes;
    const struct bytes *exceptions;
    struct bytes *line_table;
    struct text *name, *file;
    int first_line;
    int arguments;
    uint32_t unused, version;
    const struct bytes *names; /* as long as a tuple without items */
    char instructions[64];
};

static const struct type type_type = {1, &type_type, "type", UINT64_C(1) << 31}, bytes_type = {1, &type_type, "bytes", 0},
                         tuple_type = {1, &type_type, "tuple", 0};
static const struct bytes no_bytes = {.references = 1, .type = &bytes_type}, no_names = {.references = 1, .type = &tuple_type};

_Static_assert(sizeof(struct code) <= FAKE_CODE_SIZE, "code");

EXPORT char PyCode_Type[8];
EXPORT const unsigned long Py_Version = 0x030D00F0;
EXPORT uint64_t _PyRuntime[100];
int fake_finalizing;
static __thread struct fake_state *current;

int Py_IsFinalizing(void);

__attribute__((constructor)) static void publish(void)
{
#define PUT(where, value) _PyRuntime[(where) / 8] = (value)
    memcpy(_PyRuntime, "xdebugpy", 8);
    PUT(8, Py_Version);
    PUT(112, offsetof(struct fake_interpreter, gil));
    PUT(176, offsetof(struct fake_state, interpreter));
    PUT(184, offsetof(struct fake_state, current_frame));
    PUT(232, offsetof(struct fake_frame, previous));
    PUT(240, offsetof(struct fake_frame, executable));
    PUT(248, offsetof(struct fake_frame, instruction));
    PUT(264, offsetof(struct fake_frame, owner));
    PUT(280, offsetof(struct code, file));
    PUT(296, offsetof(struct code, name));
    PUT(304, offsetof(struct code, line_table));
    PUT(312, offsetof(struct code, first_line));
    PUT(320, offsetof(struct code, arguments));
    PUT(328, offsetof(struct code, names));
    PUT(344, offsetof(struct code, instructions));
    PUT(360, offsetof(struct code, type));
    PUT(376, offsetof(struct type, name));
    PUT(392, offsetof(struct type, flags));
    PUT(408, offsetof(struct bytes, bytes));
    PUT(416, offsetof(struct bytes, size));
    PUT(528, offsetof(struct bytes, bytes));
    PUT(544, offsetof(struct text, state));
    PUT(552, offsetof(struct text, length));
    PUT(560, offsetof(struct text, ascii));
}

EXPORT void *PyGILState_GetThisThreadState(void)
{
    return Py_IsFinalizing() ? (void *)16 : (void *)current; /* it may be freed then */
}

EXPORT int Py_IsFinalizing(void)
{
    return __atomic_load_n(&fake_finalizing, __ATOMIC_ACQUIRE);
}

/* kind 1 is ASCII; in the others each character is moved up, beyond Latin-1. */
static struct text *make_text(const char *characters, unsigned kind)
{
    size_t length = strlen(characters);
    struct text *text = calloc(1, sizeof *text + length * kind);
    char *at = kind == 1 ? text->ascii : text->ascii + sizeof text->ascii;
    for (size_t i = 0; i < length; i++) {
        uint32_t code = (unsigned char)characters[i] + (kind == 1 ? 0 : kind == 2 ? 0x4E00 : 0x1F300);
        memcpy(at + i * kind, &code, kind);
    }
    text->length = length;
    text->hash = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < length; i++)
        text->hash = (text->hash ^ (unsigned char)characters[i]) * UINT64_C(0x100000001B3);
    text->state = 1 | kind << 2 | 1 << 5 | (kind == 1) << 6;
    return text;
}

/* Code objects of one file, made one after the other, have one str for it. */
static struct text *last_file;

static struct text *share_file(const char *file)
{
    if (last_file == NULL || strcmp(last_file->ascii, file) != 0)
        last_file = make_text(file, 1);
    last_file->references++;
    return last_file;
}

static void forget_file(struct text *file)
{
    if (--file->references > 0)
        return;
    if (file == last_file)
        last_file = NULL;
    free(file);
}

void fake_code(void *memory, const char *name, unsigned kind, const char *file, int first_line, uint32_t version)
{
    struct code *code = memory;
    struct bytes *table = calloc(1, sizeof *table);
    table->type = &bytes_type;
    table->size = sizeof table->bytes;
    for (int i = 0; i < 8; i += 2) { /* eight instructions, one line further down, no columns */
        table->bytes[i] = (char)(0x80 | 13 << 3 | 7);
        table->bytes[i + 1] = 1 << 1;
    }
    *code = (struct code){
        .references = 1,
        .type = PyCode_Type,
        .size = sizeof code->instructions / 2,
        .exceptions = &no_bytes,
        .line_table = table,
        .names = &no_names,
        .name = make_text(name, kind),
        .file = share_file(file),
        .first_line = first_line,
        .version = version,
    };
}

void fake_code_forget(void *memory)
{
    struct code *code = memory;
    free(code->line_table);
    free(code->name);
    forget_file(code->file);
    memset(code, 0, sizeof *code);
}

void fake_state_begin(struct fake_state *state, struct fake_gil *gil)
{
    *state = (struct fake_state){.interpreter = &state->its, .its = {.gil = gil}};
    current = state;
}

void fake_state_end(void)
{
    current = NULL;
}

void fake_enter(struct fake_frame *frame, const void *code, unsigned instruction)
{
    const char *instructions = (const char *)code + offsetof(struct code, instructions);
    *frame = (struct fake_frame){.executable = code, .instruction = instructions + 2 * instruction};
    fake_push(frame);
}

void fake_push(struct fake_frame *frame)
{
    frame->previous = current->current_frame;
    __atomic_store_n(&current->current_frame, frame, __ATOMIC_RELEASE); /* whole: it may be looked at from now on */
}

void fake_leave(void)
{
    current->current_frame = current->current_frame->previous;
}

void fake_main(struct fake_thread *thread)
{
    static struct fake_state state;
    thread->gil = fake_gil_new(5000);
    thread->state = &state;
    fake_set_current(thread);
    fake_state_begin(&state, thread->gil);
    fake_take(thread);
}

void fake_stand(int depth, int numbered)
{
    static _Alignas(64) char codes[64][FAKE_CODE_SIZE];
    static struct fake_frame frames[64];
    char name[32], file[64];
    for (int i = 0; i < depth; i++) {
        snprintf(name, sizeof name, "function_%d", i);
        snprintf(file, sizeof file, "/usr/lib/python3/package/module_%d.py", i / 4); /* four are of one file */
        fake_code(codes[i], name, 1, file, i, numbered ? (uint32_t)i + 1 : 0);
        fake_enter(&frames[i], codes[i], (unsigned)i % 32);
    }
}
