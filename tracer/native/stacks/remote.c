/* What is read may change at any moment: the thread goes on, returns, enters another function; a code object may be
 * freed, and its memory used again. So
 *   - a frame and its callers, which lie side by side, come in one copy;
 *   - a code object must look like one that lives, and an instruction must be one of its own (as in stacks.c);
 *   - what is written of it is read between two looks at it: if both find it alive and the same, so was all that it
 *     refers to. */
#define _GNU_SOURCE
#include "stacks/remote.h"

#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "stacks/identity.h"

#define FRAME_SIZE 128u  /* of a frame, as far as its fields are looked at */
#define WINDOW 4096u     /* what is copied with a frame: its callers lie before it */
#define CODE_SIZE 256u   /* of a code object, up to its instructions */
#define MOST_STEPS 256u
#define TEXT_SIZE 2048u  /* of a str: all that a record has room for */
#define ENDS_SIZE 64u    /* of a line table: its head and first bytes */
#define MOST_LINES (1u << 16)

struct seen {
    uintptr_t address, instruction;
    int32_t copy; /* of its instructions, on a free-threaded build */
    char code[CODE_SIZE];
};

static struct {
    struct gs_place places[GS_STACK_DEPTH];
    struct seen seen[GS_STACK_DEPTH];
    char window[WINDOW + FRAME_SIZE];
    int count; /* of seen */
    uintptr_t begin, end; /* what of the memory is in it */
    char name[TEXT_SIZE], file[TEXT_SIZE], lines[MOST_LINES + 64];
} remote;

static ssize_t copy(const struct iovec *local, const struct iovec *from, unsigned long count)
{
    return syscall(SYS_process_vm_readv, getpid(), local, count, from, count, 0UL);
}

bool gs_remote_copy(void *to, uintptr_t address, size_t size)
{
    struct iovec local = {to, size}, from = {(void *)address, size};
    return copy(&local, &from, 1) == (ssize_t)size;
}

bool gs_remote_allowed(void)
{
    static const char word[8] = "gilscope";
    char there[sizeof word] = "";
    return gs_remote_copy(there, (uintptr_t)word, sizeof word) && memcmp(there, word, sizeof word) == 0;
}

static bool load_word(uintptr_t address, uintptr_t *word)
{
    return address >= GS_LOWEST_ADDRESS && gs_remote_copy(word, address, sizeof *word);
}

static bool is_copied(uintptr_t address)
{
    return address >= remote.begin && address + FRAME_SIZE <= remote.end;
}

/* The frame at address, in the window; NULL: there is no memory. */
static const char *frame_at(uintptr_t address)
{
    if (!is_copied(address)) {
        /* The frame first: where it can be read and what lies before it can't, it alone is there. */
        struct iovec local[2] = {{remote.window + WINDOW, FRAME_SIZE}, {remote.window, WINDOW}};
        struct iovec from[2] = {{(void *)address, FRAME_SIZE}, {(void *)(address - WINDOW), WINDOW}};
        remote.begin = remote.end = 0;
        if (address < GS_LOWEST_ADDRESS + WINDOW)
            return NULL;
        ssize_t had = copy(local, from, 2);
        if (had < (ssize_t)FRAME_SIZE)
            return NULL;
        remote.begin = had == FRAME_SIZE + WINDOW ? address - WINDOW : address;
        remote.end = address + FRAME_SIZE;
    }
    return remote.window + WINDOW + FRAME_SIZE - (remote.end - address);
}

static bool innermost(uintptr_t thread_state, uintptr_t *frame)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    if (layout->cframe != 0 && !load_word(thread_state + layout->cframe, &thread_state))
        return false;
    return load_word(thread_state + layout->current_frame, frame);
}

/* The last frame of the first copy. As long as it is on the stack, so are those that called it. */
struct anchor {
    uintptr_t frame, executable, previous;
    int count; /* of frames up to it */
};

static bool is_on_the_stack(const struct anchor *anchor, uintptr_t thread_state)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    uintptr_t frame;
    remote.begin = remote.end = 0;
    if (!innermost(thread_state, &frame))
        return false;
    for (unsigned steps = 0; frame != 0 && steps < MOST_STEPS; steps++) {
        const char *found = frame % 8 == 0 ? frame_at(frame) : NULL;
        if (found == NULL || frame == anchor->frame)
            return found != NULL && gs_load(uintptr_t, found, layout->executable) == anchor->executable &&
                   gs_load(uintptr_t, found, layout->previous) == anchor->previous;
        frame = gs_load(uintptr_t, found, layout->previous);
    }
    return false;
}

/* The frames that may run code: where each is, and in what. Returns how many, -1: they can't be read. Callers that come
 * in a later copy may be those of another call: if so they are left out. What runs is known all the same. */
static int frames(uintptr_t thread_state)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    struct anchor anchor = {.count = -1};
    uintptr_t frame;
    int count = 0;
    remote.begin = remote.end = 0;
    if (!innermost(thread_state, &frame))
        return -1;
    for (unsigned steps = 0; frame != 0 && steps < MOST_STEPS && count < (int)GS_STACK_DEPTH; steps++) {
        const char *found = frame % 8 == 0 ? frame_at(frame) : NULL;
        if (found == NULL)
            return anchor.count > 0 ? anchor.count : -1;
        uintptr_t code = gs_load(uintptr_t, found, layout->executable) & ~(uintptr_t)3; /* the tag of 3.14 */
        if (gs_load(uint8_t, found, layout->owner) < GS_FIRST_INTERNAL && code >= GS_LOWEST_ADDRESS && code % 8 == 0) {
            remote.seen[count].address = code;
            remote.seen[count].instruction = gs_load(uintptr_t, found, layout->instruction);
            remote.seen[count++].copy = layout->copies != 0 && layout->copy != 0 ? gs_load(int32_t, found, layout->copy) : -1;
        }
        uintptr_t previous = gs_load(uintptr_t, found, layout->previous);
        if (anchor.count < 0 && previous != 0 && !is_copied(previous))
            anchor = (struct anchor){frame, gs_load(uintptr_t, found, layout->executable), previous, count};
        frame = previous;
    }
    if (anchor.count < 0 || is_on_the_stack(&anchor, thread_state))
        return count;
    return anchor.count > 0 ? anchor.count : -1;
}

static bool is_alive(const char *code)
{
    return gs_load(const void *, code, gs_stacks.layout.type) == gs_stacks.code_type &&
           (gs_stacks.layout.free_threaded || gs_load(uint32_t, code, 0) != 0);
}

/* Of its first: UINTPTR_MAX, if that can't be found out. */
static uintptr_t instructions_of(const struct seen *seen)
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

static bool copy_codes(int count)
{
    struct iovec local[GS_STACK_DEPTH], from[GS_STACK_DEPTH];
    for (int i = 0; i < count; i++) {
        local[i] = (struct iovec){remote.seen[i].code, CODE_SIZE};
        from[i] = (struct iovec){(void *)remote.seen[i].address, CODE_SIZE};
    }
    return count == 0 || copy(local, from, (unsigned long)count) == (ssize_t)(count * CODE_SIZE);
}

/* A str: as much as fits, and as there is. False: not even its head. */
static bool copy_text(char *to, uintptr_t address)
{
    size_t page_left = TEXT_SIZE - address % TEXT_SIZE; /* no further than into memory that is there */
    struct iovec local[2] = {{to, page_left}, {to + page_left, TEXT_SIZE - page_left}};
    struct iovec from[2] = {{(void *)address, page_left}, {(void *)(address + page_left), TEXT_SIZE - page_left}};
    memset(to, 0, TEXT_SIZE);
    ssize_t had = address >= GS_LOWEST_ADDRESS ? copy(local, from, page_left < TEXT_SIZE ? 2 : 1) : -1;
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

static bool line_table_hash(uintptr_t lines, uint64_t *hash)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    char head[ENDS_SIZE], first[16], last[16];
    if (lines < GS_LOWEST_ADDRESS || !gs_remote_copy(head, lines, layout->bytes))
        return false;
    uint64_t size = gs_load(uint64_t, head, layout->size);
    if (size <= sizeof first) {
        if (size != 0 && !gs_remote_copy(first, lines + layout->bytes, size))
            return false;
        *hash = gs_hash_ends(first, size);
        return true;
    }
    struct iovec local[2] = {{first, sizeof first}, {last, sizeof last}};
    uintptr_t bytes = lines + layout->bytes;
    struct iovec from[2] = {{(void *)bytes, sizeof first}, {(void *)(bytes + size - sizeof last), sizeof last}};
    if (copy(local, from, 2) != sizeof first + sizeof last)
        return false;
    *hash = gs_hash_two_ends(first, last, size);
    return true;
}

/* As stacks.c reckons it. */
static bool content(const char *code, uint64_t *result)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    uint64_t lines;
    if (!line_table_hash(gs_load(uintptr_t, code, layout->line_table), &lines) ||
        !copy_text(remote.name, gs_load(uintptr_t, code, layout->name)) ||
        !copy_text(remote.file, gs_load(uintptr_t, code, layout->file)))
        return false;
    if (text_of(remote.name).length != gs_pytext(layout, remote.name).length ||
        text_of(remote.file).length != gs_pytext(layout, remote.file).length)
        return false;
    *result = gs_content(gs_name_hash(layout, remote.name), lines, gs_text_hash(layout, remote.file));
    return true;
}

int gs_remote_look(uintptr_t thread_state)
{
    int count = frames(thread_state);
    return remote.count = count >= 0 && copy_codes(count) ? count : -1;
}

int gs_remote_places(const struct gs_place **places)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    int whole = 0;
    *places = remote.places;
    for (int i = 0; i < remote.count; i++) {
        struct seen *seen = &remote.seen[i];
        uint64_t its = 0, offset = seen->instruction - instructions_of(seen);
        if (!is_alive(seen->code) || offset >= 2 * gs_load(uint64_t, seen->code, layout->size))
            continue; /* not complete, as it is for a moment when a function is entered */
        if (gs_code_version(layout, seen->code) == 0 && !content(seen->code, &its))
            return -1;
        remote.places[whole++] = (struct gs_place){
            .code = seen->code,
            .identity = gs_identity(layout, seen->code, seen->address, its),
            .offset = (uint32_t)offset,
        };
    }
    return whole;
}

/* Of a place whose code is a copy: what it refers to is read between that look and another. */
bool gs_remote_code(const struct gs_place *place, struct gs_code_parts *parts)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    const struct seen *seen = (const void *)(place->code - offsetof(struct seen, code));
    char head[ENDS_SIZE], again[CODE_SIZE];
    uintptr_t lines = gs_load(uintptr_t, seen->code, layout->line_table);
    if (!copy_text(remote.name, gs_load(uintptr_t, seen->code, layout->name)) ||
        !copy_text(remote.file, gs_load(uintptr_t, seen->code, layout->file)) || lines < GS_LOWEST_ADDRESS ||
        !gs_remote_copy(head, lines, layout->bytes))
        return false;
    uint64_t size = gs_load(uint64_t, head, layout->size), most = size < MOST_LINES ? size : MOST_LINES;
    if (most != 0 && !gs_remote_copy(remote.lines, lines + layout->bytes, most))
        return false;
    const uint32_t fields[] = {layout->file, layout->name, layout->line_table, layout->size};
    if (!gs_remote_copy(again, seen->address, CODE_SIZE) || !is_alive(again) ||
        gs_code_version(layout, again) != gs_code_version(layout, seen->code))
        return false;
    for (unsigned i = 0; i < sizeof fields / sizeof *fields; i++)
        if (gs_load(uint64_t, again, fields[i]) != gs_load(uint64_t, seen->code, fields[i]))
            return false;
    *parts = (struct gs_code_parts){
        .first_line = gs_load(int32_t, seen->code, layout->first_line),
        .name = text_of(remote.name),
        .file = text_of(remote.file),
        .line_table = remote.lines,
        .line_table_size = most,
    };
    return true;
}
