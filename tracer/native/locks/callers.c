/* gs_callers_number runs in hooks. The interpreter keeps no frame pointers, so the stack is searched for what looks like
 * a return address: it is in the interpreter's code, and a call stands before it. What a function left behind when it
 * returned looks the same; so the analysis takes only what follows a function that it knows. */
#define _GNU_SOURCE
#include "locks/callers.h"

#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/known.h"
#include "base/text.h"
#include "gil/note.h"
#include "stacks/layout.h"
#include "stream/names.h"

#define MOST 12u       /* calls that are told */
#define REACH 2048u    /* bytes of the stack that are searched: an evaluation of bytecode is above them */
#define LONGEST 800u   /* of the file's path */
#define FIRST 8u       /* bytes of code before the first that a call may return to */

static uintptr_t low, high;    /* the code; low 0: not known */
static uint64_t to_file;       /* what to add to an address in it, for its place in the file */
static char path[LONGEST];
static uint32_t callers, callers_of_run; /* in one's turn at the names */

static int look_in_object(struct dl_phdr_info *info, size_t size, void *code)
{
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X) || (uintptr_t)code - begin >= segment->p_memsz)
            continue;
        char whole[PATH_MAX];
        const char *name = info->dlpi_name[0] != '\0' ? info->dlpi_name : "/proc/self/exe";
        if (realpath(name, whole) == NULL || strlen(whole) >= sizeof path || strchr(whole, '\n') != NULL)
            return 1;
        strcpy(path, whole);
        to_file = segment->p_offset - begin;
        high = begin + segment->p_memsz;
        low = begin + FIRST;
        return 1;
    }
    return 0;
}

void gs_callers_find(const void *code)
{
#ifdef __x86_64__
    dl_iterate_phdr(look_in_object, (void *)code);
#else
    (void)code;
    (void)look_in_object;
#endif
}

/* A call with its target in it, or through a register, or through memory. */
static bool follows_call(const uint8_t *at)
{
    return at[-5] == 0xe8 || (at[-2] == 0xff && (at[-1] & 0xf8) == 0xd0) || (at[-3] == 0xff && (at[-2] & 0xf8) == 0x50) ||
           (at[-6] == 0xff && ((at[-5] & 0xf8) == 0x90 || at[-5] == 0x15));
}

static __attribute__((no_sanitize("address", "thread"))) unsigned search(const char *frame, uintptr_t found[MOST])
{
    unsigned count = 0;
    for (unsigned at = 0; at < REACH && count < MOST; at += sizeof(uintptr_t)) {
        uintptr_t word = *(const volatile uintptr_t *)(frame + at);
        if (word >= low && word < high && follows_call((const uint8_t *)word))
            found[count++] = word;
    }
    return count;
}

static bool write_calls(uint32_t number, const uintptr_t *found, unsigned count)
{
    char text[GS_NAME_TEXT_MAX], *at = text;
    const char *end = text + sizeof text - 1;
    for (unsigned i = 0; i < count; i++) {
        gs_append(&at, end, i > 0 ? " " : "");
        gs_append_hex(&at, end, found[i] + to_file - 1); /* in the call, which may be its function's last */
    }
    gs_append(&at, end, "\n");
    gs_append(&at, end, path);
    *at = '\0';
    return gs_names_append(gs_native_callers, number, text);
}

static __attribute__((noinline)) uint32_t write_unknown(uint64_t key, const uintptr_t *found, unsigned count)
{
    uint32_t number = 0;
    int cancel = gs_slow_begin();
    if (gs_turn_take(true)) {
        /* In the meantime another thread may have written it, and recording may have begun anew. */
        if (gs_ready(&gs_self) != NULL && (number = gs_known_find(key)) == 0 && gs_known_has_room(key)) {
            if (callers_of_run != gs_run.number) {
                callers_of_run = gs_run.number;
                callers = 0;
            }
            number = ++callers;
            if (!write_calls(number, found, count) || !gs_known_add(key, number))
                number = 0;
        }
        gs_turn_end();
    }
    gs_slow_end(cancel);
    return number;
}

uint32_t gs_callers_number(const char *frame)
{
    uintptr_t found[MOST];
    unsigned count = low != 0 ? search(frame, found) : 0;
    if (count == 0)
        return 0;
    uint64_t key = gs_mix(atomic_load_explicit(&gs_run.number, memory_order_relaxed), 6);
    for (unsigned i = 0; i < count; i++)
        key = gs_mix(found[i], key);
    uint32_t number = gs_known_find(key);
    return number != 0 ? number : write_unknown(key, found, count);
}
