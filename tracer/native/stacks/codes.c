#define _GNU_SOURCE
#include "stacks/codes.h"

#include <string.h>

#include "stacks/identity.h"

#define CODE_SIZE 256u  /* of a code object, up to its instructions: its fields lie in it */
#define TEXT_SIZE 2048u /* of a str: all that a record has room for */
#define HEAD_SIZE 64u   /* of a bytes object, at most */
#define ENDS 16u        /* bytes of a line table at each end, which tell it from others */
#define WHOLE 256u      /* bytes of a line table that come as one piece rather than as two ends */
#define MOST_LINES (1u << 16)
#define SETS 256u /* of code objects that are remembered */
#define WAYS 4u

static struct {
    struct {
        uintptr_t address[WAYS];
        struct gs_refers refers[WAYS];
    } sets[SETS];
    unsigned replaced;
    char name[TEXT_SIZE], file[TEXT_SIZE], lines[MOST_LINES + 64];
} codes;

static struct gs_refers *recall(uintptr_t address)
{
    unsigned set = gs_mix(address, 2) % SETS;
    for (unsigned i = 0; i < WAYS; i++)
        if (codes.sets[set].address[i] == address)
            return &codes.sets[set].refers[i];
    return NULL;
}

static void remember(uintptr_t address, const struct gs_refers *refers)
{
    struct gs_refers *known = recall(address);
    if (known == NULL) {
        unsigned set = gs_mix(address, 2) % SETS, way = codes.replaced++ % WAYS;
        codes.sets[set].address[way] = address;
        known = &codes.sets[set].refers[way];
    }
    *known = *refers;
}

void gs_codes_forget(const struct gs_seen *seen, int count)
{
    const struct gs_refers nothing = {0};
    for (int i = 0; i < count; i++)
        if (recall(seen[i].address) != NULL)
            remember(seen[i].address, &nothing);
}

/* As far as its fields are looked at. */
static size_t code_size(void)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    const uint32_t fields[] = {layout->file, layout->name, layout->line_table, layout->first_line,
                               layout->version, layout->size, layout->type, layout->copies};
    uint32_t last = 0;
    for (unsigned i = 0; i < sizeof fields / sizeof *fields; i++)
        last = fields[i] > last ? fields[i] : last;
    return last + sizeof(uint64_t) < CODE_SIZE ? last + sizeof(uint64_t) : CODE_SIZE;
}

/* Several functions of a file share the str that names it. */
static const char *file_of_one_before(const struct gs_seen *seen, int i)
{
    for (int j = i; j-- > 0;)
        if (seen[j].file != NULL && seen[j].refers.file == seen[i].refers.file &&
            seen[j].refers.file_size == seen[i].refers.file_size)
            return seen[j].file;
    return NULL;
}

static void ask_for_texts(struct gs_batch *batch, struct gs_seen *seen, int i)
{
    const struct gs_refers *known = recall(seen[i].address);
    if (known == NULL || known->file == 0)
        return;
    uintptr_t bytes = known->lines + gs_stacks.layout.bytes;
    uint32_t head = gs_stacks.layout.bytes, size = known->lines_size - head;
    seen[i].refers = *known;
    seen[i].name = gs_batch_add(batch, known->name, known->name_size);
    seen[i].lines = gs_batch_add(batch, known->lines, size <= WHOLE ? known->lines_size : head + ENDS);
    if (size > WHOLE && gs_batch_add(batch, bytes + size - ENDS, ENDS) == NULL)
        seen[i].lines = NULL;
    seen[i].file = file_of_one_before(seen, i);
    if (seen[i].file == NULL)
        seen[i].file = gs_batch_add(batch, known->file, known->file_size);
}

static const struct gs_seen *same_before(const struct gs_seen *seen, int i)
{
    for (int j = 0; j < i; j++)
        if (seen[j].address == seen[i].address)
            return &seen[j];
    return NULL;
}

bool gs_codes_ask(struct gs_batch *batch, struct gs_seen *seen, int count, bool texts)
{
    size_t size = code_size();
    for (int i = 0; i < count; i++) {
        const struct gs_seen *same = same_before(seen, i);
        seen[i].name = seen[i].file = seen[i].lines = NULL;
        if (same != NULL) {
            seen[i].code = same->code;
            seen[i].name = same->name;
            seen[i].file = same->file;
            seen[i].lines = same->lines;
            seen[i].refers = same->refers;
        } else {
            seen[i].code = gs_batch_add(batch, seen[i].address, size);
            if (seen[i].code == NULL)
                return false;
            if (texts)
                ask_for_texts(batch, seen, i);
        }
    }
    return true;
}

bool gs_code_lives(const char *code)
{
    return gs_load(const void *, code, gs_stacks.layout.type) == gs_stacks.code_type &&
           (gs_stacks.layout.free_threaded || gs_load(uint32_t, code, 0) != 0);
}

static bool load_word(uintptr_t address, uintptr_t *word)
{
    return address >= GS_LOWEST_ADDRESS && gs_remote_copy(word, address, sizeof *word);
}

uintptr_t gs_code_instructions(const struct gs_seen *seen)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    uintptr_t copies = seen->copy >= 0 ? gs_load(uintptr_t, seen->code, layout->copies) : 0, count, first;
    if (copies == 0)
        return seen->address + layout->instructions;
    if (!load_word(copies, &count) || (uint32_t)seen->copy >= count ||
        !load_word(copies + 8 + 8 * (uint32_t)seen->copy, &first))
        return UINTPTR_MAX;
    return first;
}

/* A str: as much as fits, and as there is. False: not even its head. */
static bool copy_text(char *to, uintptr_t address)
{
    size_t page_left = TEXT_SIZE - address % TEXT_SIZE; /* no further than into memory that is there */
    struct iovec local[2] = {{to, page_left}, {to + page_left, TEXT_SIZE - page_left}};
    struct iovec from[2] = {{(void *)address, page_left}, {(void *)(address + page_left), TEXT_SIZE - page_left}};
    memset(to, 0, TEXT_SIZE);
    ssize_t had = address >= GS_LOWEST_ADDRESS ? gs_remote_copies(local, from, page_left < TEXT_SIZE ? 2 : 1) : -1;
    struct gs_pytext text = gs_pytext(&gs_stacks.layout, to);
    if (had < (ssize_t)gs_stacks.layout.compact || text.characters == NULL)
        return false;
    size_t wanted = (size_t)(text.characters - to);
    return text.length > TEXT_SIZE || wanted + text.length * text.kind <= (size_t)had || (size_t)had == TEXT_SIZE;
}

static struct gs_pytext text_of(const char *copied)
{
    struct gs_pytext text = gs_pytext(&gs_stacks.layout, copied);
    uint64_t most = (uint64_t)(copied + TEXT_SIZE - text.characters) / text.kind;
    text.length = text.length < most ? text.length : most;
    return text;
}

/* Of a str, its head included; 0: of something else, or longer than it may be. */
static uint32_t text_size(const char *copied)
{
    struct gs_pytext text = gs_pytext(&gs_stacks.layout, copied);
    if (text.characters == NULL || text.length > TEXT_SIZE)
        return 0;
    uint64_t size = (uint64_t)(text.characters - copied) + text.length * text.kind;
    return size <= TEXT_SIZE ? (uint32_t)size : 0;
}

/* Of a name whose hash Python has, its head is all that is looked at. */
static uint32_t name_size(const char *copied)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    uint32_t size = text_size(copied), head = layout->compact > layout->ascii ? layout->compact : layout->ascii;
    bool has_hash = layout->text_hash != 0 && gs_load(uint64_t, copied, layout->text_hash) != UINT64_MAX;
    return size != 0 && has_hash && head < size ? head : size;
}

static bool line_table_hash(uintptr_t lines, uint64_t *hash, uint64_t *size)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    char head[HEAD_SIZE], first[ENDS], last[ENDS];
    if (lines < GS_LOWEST_ADDRESS || !gs_remote_copy(head, lines, layout->bytes))
        return false;
    *size = gs_load(uint64_t, head, layout->size);
    if (*size <= sizeof first) {
        if (*size != 0 && !gs_remote_copy(first, lines + layout->bytes, *size))
            return false;
        *hash = gs_hash_ends(first, *size);
        return true;
    }
    struct iovec local[2] = {{first, sizeof first}, {last, sizeof last}};
    uintptr_t bytes = lines + layout->bytes;
    struct iovec from[2] = {{(void *)bytes, sizeof first}, {(void *)(bytes + *size - sizeof last), sizeof last}};
    if (gs_remote_copies(local, from, 2) != sizeof first + sizeof last)
        return false;
    *hash = gs_hash_two_ends(first, last, *size);
    return true;
}

/* In several copies; what was found where is remembered. */
static bool content_anew(const struct gs_seen *seen, uint64_t *result)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    uint64_t hash, size;
    struct gs_refers refers = {
        .name = gs_load(uintptr_t, seen->code, layout->name),
        .file = gs_load(uintptr_t, seen->code, layout->file),
        .lines = gs_load(uintptr_t, seen->code, layout->line_table),
    };
    if (!line_table_hash(refers.lines, &hash, &size) || !copy_text(codes.name, refers.name) ||
        !copy_text(codes.file, refers.file))
        return false;
    refers.name_size = name_size(codes.name);
    refers.file_size = text_size(codes.file);
    if (refers.name_size == 0 || refers.file_size == 0)
        return false;
    refers.lines_size = layout->bytes + (uint32_t)size;
    if (size < MOST_LINES)
        remember(seen->address, &refers);
    *result = gs_content(gs_name_hash(layout, codes.name), hash, gs_text_hash(layout, codes.file));
    return true;
}

/* Whether what came with it is what it refers to, whole. */
static bool is_as_expected(const struct gs_seen *seen)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    const struct gs_refers *refers = &seen->refers;
    return seen->name != NULL && seen->file != NULL && seen->lines != NULL &&
           gs_load(uintptr_t, seen->code, layout->name) == refers->name &&
           gs_load(uintptr_t, seen->code, layout->file) == refers->file &&
           gs_load(uintptr_t, seen->code, layout->line_table) == refers->lines &&
           name_size(seen->name) == refers->name_size && text_size(seen->file) == refers->file_size &&
           layout->bytes + gs_load(uint64_t, seen->lines, layout->size) == refers->lines_size;
}

bool gs_code_content(const struct gs_seen *seen, uint64_t *content)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    if (!is_as_expected(seen))
        return content_anew(seen, content);
    const char *bytes = seen->lines + layout->bytes;
    uint64_t size = seen->refers.lines_size - layout->bytes;
    uint64_t hash = size <= WHOLE ? gs_hash_ends(bytes, size) : gs_hash_two_ends(bytes, bytes + ENDS, size);
    *content = gs_content(gs_name_hash(layout, seen->name), hash, gs_text_hash(layout, seen->file));
    return true;
}

bool gs_code_parts(const struct gs_seen *seen, struct gs_code_parts *parts)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    char head[HEAD_SIZE], again[CODE_SIZE];
    uintptr_t lines = gs_load(uintptr_t, seen->code, layout->line_table);
    if (!copy_text(codes.name, gs_load(uintptr_t, seen->code, layout->name)) ||
        !copy_text(codes.file, gs_load(uintptr_t, seen->code, layout->file)) || lines < GS_LOWEST_ADDRESS ||
        !gs_remote_copy(head, lines, layout->bytes))
        return false;
    uint64_t size = gs_load(uint64_t, head, layout->size), most = size < MOST_LINES ? size : MOST_LINES;
    if (most != 0 && !gs_remote_copy(codes.lines, lines + layout->bytes, most))
        return false;
    const uint32_t fields[] = {layout->file, layout->name, layout->line_table, layout->size};
    if (!gs_remote_copy(again, seen->address, code_size()) || !gs_code_lives(again) ||
        gs_code_version(layout, again) != gs_code_version(layout, seen->code))
        return false;
    for (unsigned i = 0; i < sizeof fields / sizeof *fields; i++)
        if (gs_load(uint64_t, again, fields[i]) != gs_load(uint64_t, seen->code, fields[i]))
            return false;
    *parts = (struct gs_code_parts){
        .first_line = gs_load(int32_t, seen->code, layout->first_line),
        .name = text_of(codes.name),
        .file = text_of(codes.file),
        .line_table = codes.lines,
        .line_table_size = most,
    };
    return true;
}
