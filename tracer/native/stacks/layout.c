/* Which version this is, and what its structures look like. The numbers are tools/interpreter-layout's. */
#include "stacks/layout.h"

#include <stdio.h>

#include "elf/symbols.h"
#include "stacks/layout_3_11.h"

static const struct gs_layout of_3_12 = {
    .cframe = 56,
    .current_frame = 0,
    .interpreter = 16,
    .gil = 384,
    .version = 92,
    .previous = 8,
    .executable = 0,
    .instruction = 56,
    .owner = 70,
    .file = 112,
    .name = 128,
    .line_table = 136,
    .first_line = 68,
    .instructions = 192,
    .type = 8,
    .size = 16,
    .bytes = 32,
    .text_state = 32,
    .text_length = 16,
    .ascii = 40,
    .compact = 56,
    .locals = 72,
    .arguments = 52,
    .local_names = 96,
    .items = 24,
    .type_name = 24,
    .type_flags = 168,
    .head = 16,
};

/* From here on: where each offset stands in the table that _PyRuntime begins with. version stands for
 * co_localsplusnames there: co_version lies 4 bytes before it. */
static const struct gs_layout in_3_13 = {
    .gil = 112,
    .interpreter = 176,
    .current_frame = 184,
    .previous = 232,
    .executable = 240,
    .instruction = 248,
    .owner = 264,
    .file = 280,
    .name = 296,
    .line_table = 304,
    .first_line = 312,
    .version = 328,
    .instructions = 344,
    .type = 360,
    .size = 416,
    .bytes = 528,
    .text_state = 544,
    .text_length = 552,
    .ascii = 560,
    .locals = 256,
    .arguments = 320,
    .local_names = 328,
    .items = 408,
    .type_name = 376,
    .type_flags = 392,
    .head = 352,
    .thread_size = 152,
    .interpreter_size = 48,
    .runtime_size = 24,
    .free_threaded = 16,
};

static const struct gs_layout in_3_14 = {
    .gil = 120,
    .interpreter = 200,
    .current_frame = 208,
    .previous = 256,
    .executable = 264,
    .instruction = 272,
    .owner = 288,
    .file = 320,
    .name = 336,
    .line_table = 344,
    .first_line = 352,
    .version = 368,
    .instructions = 384,
    .type = 408,
    .size = 464,
    .bytes = 608,
    .text_state = 624,
    .text_length = 632,
    .ascii = 640,
    .locals = 280,
    .arguments = 360,
    .local_names = 368,
    .items = 456,
    .type_name = 424,
    .type_flags = 440,
    .head = 400,
    .thread_size = 176,
    .interpreter_size = 48,
    .runtime_size = 24,
    .free_threaded = 16,
    .copy = 304,
    .copies = 392,
};

static const struct gs_layout in_3_15 = {
    .gil = 120,
    .interpreter = 200,
    .current_frame = 208,
    .previous = 320,
    .executable = 328,
    .instruction = 336,
    .owner = 352,
    .file = 384,
    .name = 400,
    .line_table = 408,
    .first_line = 416,
    .version = 432,
    .instructions = 448,
    .type = 472,
    .size = 560,
    .bytes = 704,
    .text_state = 720,
    .text_length = 728,
    .ascii = 736,
    .locals = 344,
    .arguments = 424,
    .local_names = 432,
    .items = 552,
    .type_name = 488,
    .type_flags = 504,
    .head = 464,
    .thread_size = 176,
    .interpreter_size = 48,
    .runtime_size = 24,
    .free_threaded = 16,
    .copy = 368,
    .copies = 456,
};

#define LARGEST (1u << 24) /* an interpreter's state is large, nothing larger */

static bool take(uint32_t *offset, const char *runtime, uint32_t where)
{
    uint64_t published = gs_load(uint64_t, runtime, where);
    *offset = (uint32_t)published;
    return published < LARGEST;
}

static bool read_published(struct gs_layout *layout, const struct gs_layout *where, unsigned long version,
                           char *message, size_t size)
{
    const char *runtime = gs_symbol("_PyRuntime");
    if (runtime == NULL || memcmp(runtime, "xdebugpy", 8) != 0 || gs_load(uint64_t, runtime, 8) != version) {
        snprintf(message, size, "this build does not say where its frames are");
        return false;
    }
    *layout = (struct gs_layout){.cframe = 0};
#define TAKE(name)                                                                                   \
    if (!take(&layout->name, runtime, where->name)) {                                                \
        snprintf(message, size, "this build says nothing likely of where its frames are");           \
        return false;                                                                                \
    }
    GS_PUBLISHED(TAKE)
#undef TAKE
#define TAKE(name)                                                                                   \
    if (where->name != 0 && !take(&layout->name, runtime, where->name))                              \
        layout->name = 0;
    GS_PUBLISHED_SOME(TAKE)
#undef TAKE
    layout->version -= 4;
    layout->compact = layout->ascii + 16;
    return true;
}

bool gs_layout_find(struct gs_layout *layout, char *message, size_t size)
{
    static const struct gs_layout *const published[] = {&in_3_13, &in_3_14, &in_3_15};
    const unsigned long *version = gs_symbol("Py_Version"); /* since 3.11 */
    unsigned minor = version != NULL ? (unsigned)(*version >> 16 & 0xFF) : 0;
    if (sizeof(void *) != 8 || version == NULL || *version >> 24 != 3 || minor < 11 || minor > 15) {
        snprintf(message, size, "only CPython 3.11 to 3.15, on 64 bits, has frames that this gilscope can read");
        return false;
    }
    if (minor < 13)
        *layout = minor == 11 ? gs_layout_3_11 : of_3_12;
    else if (!read_published(layout, published[minor - 13], *version, message, size))
        return false;
    /* Since 3.3 it is all that lies between these two. */
    bool hash_between = layout->text_state == layout->text_length + 16;
    layout->text_hash = hash_between ? layout->text_length + 8 : 0;
    return true;
}
