/* Tables one larger than the other: a key goes into the first that has room in the one cache line that it belongs
 * to. So an ordinary program touches 64 KiB and finds what it looks for in one line, and a huge one has 4 MiB. */
#define _GNU_SOURCE
#include "base/known.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>

#define PLACES 4u
#define REMOVED UINT64_MAX

struct known {
    _Atomic uint64_t key; /* 0: free, and all after it; REMOVED: free */
    _Atomic uint32_t number;
};

struct line {
    struct known known[PLACES];
};

#define LEVELS 4u
#define SMALLEST 10u /* 2^10 lines, then 2^12, 2^14, 2^16 */

static struct line *levels[LEVELS];
static size_t reserved;

static struct line *line_of(unsigned level, uint64_t key)
{
    /* Other bits at each level: what crowds a line does not crowd the next. */
    return &levels[level][key >> (level * 16) & ((UINT64_C(1) << (SMALLEST + 2 * level)) - 1)];
}

bool gs_known_reserve(void)
{
    size_t size = 0;
    if (levels[0] != NULL)
        return true;
    for (unsigned level = 0; level < LEVELS; level++)
        size += sizeof(struct line) << (SMALLEST + 2 * level);
    char *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    madvise(memory, size, MADV_NOHUGEPAGE);
    reserved = size;
    for (unsigned level = LEVELS; level-- > 0; memory += sizeof(struct line) << (SMALLEST + 2 * level))
        levels[level] = (struct line *)memory;
    return true;
}

void gs_known_forget(void)
{
    int saved = errno;
    if (levels[0] != NULL)
        madvise(levels[LEVELS - 1], reserved, MADV_DONTNEED);
    errno = saved;
}

/* Neither of the two that say that there is none. */
static uint64_t usable(uint64_t key)
{
    return key == 0 || key == REMOVED ? 1 : key;
}

uint32_t gs_known_find(uint64_t key)
{
    key = usable(key);
    for (unsigned level = 0; level < LEVELS; level++) {
        struct line *line = line_of(level, key);
        for (unsigned i = 0; i < PLACES; i++) {
            uint64_t there = atomic_load_explicit(&line->known[i].key, memory_order_acquire);
            if (there == key)
                return atomic_load_explicit(&line->known[i].number, memory_order_relaxed);
            if (there == 0)
                return 0;
        }
    }
    return 0;
}

/* The first place that is free for this key, or NULL. */
static struct known *free_place(uint64_t key)
{
    for (unsigned level = 0; level < LEVELS; level++) {
        struct line *line = line_of(level, key);
        for (unsigned i = 0; i < PLACES; i++) {
            uint64_t there = atomic_load_explicit(&line->known[i].key, memory_order_relaxed);
            if (there == 0 || there == REMOVED)
                return &line->known[i];
        }
    }
    return NULL;
}

bool gs_known_has_room(uint64_t key)
{
    return free_place(usable(key)) != NULL;
}

bool gs_known_add(uint64_t key, uint32_t number)
{
    key = usable(key);
    struct known *place = free_place(key);
    if (place == NULL)
        return false;
    atomic_store_explicit(&place->number, number, memory_order_relaxed);
    atomic_store_explicit(&place->key, key, memory_order_release);
    return true;
}

void gs_known_remove(uint64_t key)
{
    key = usable(key);
    for (unsigned level = 0; level < LEVELS; level++) {
        struct line *line = line_of(level, key);
        for (unsigned i = 0; i < PLACES; i++)
            if (atomic_load_explicit(&line->known[i].key, memory_order_relaxed) == key)
                atomic_store_explicit(&line->known[i].key, REMOVED, memory_order_relaxed);
    }
}
