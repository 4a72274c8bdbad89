/* A table of few places a line: a place is a semaphore with the number of threads that wait for it. No thread waits for
 * another here: what finds no room is not noted. */
#define _GNU_SOURCE
#include "locks/waiters.h"

#include <stddef.h>
#include <sys/mman.h>

#define PLACES 16u
#define TAKEN UINT64_C(1) /* being filled: no semaphore, one thread */
#define COUNT_BITS 16u
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)

struct place {
    _Atomic uint64_t state; /* semaphore's address << 16 | threads that wait; 0: free */
    _Atomic uint32_t lock;
    _Atomic uint32_t tid; /* 0: not one alone */
};

struct table {
    struct gs_waiters waiters;
    _Alignas(64) struct place places[GS_WAITERS_LINES][PLACES];
};

static struct gs_waiters none;
struct gs_waiters *gs_waiters = &none;

bool gs_waiters_reserve(void)
{
    if (gs_waiters != &none)
        return true;
    void *memory = mmap(NULL, sizeof(struct table), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return false;
#ifdef MADV_WIPEONFORK
    madvise(memory, sizeof(struct table), MADV_WIPEONFORK);
#endif
    gs_waiters = memory;
    return true;
}

static struct place *line_of(const void *semaphore)
{
    return ((struct table *)gs_waiters)->places[gs_waiters_line(semaphore)];
}

static _Atomic uint16_t *count_of(const void *semaphore)
{
    return &gs_waiters->in_line[gs_waiters_line(semaphore)];
}

static bool is_for(uint64_t state, const void *semaphore)
{
    return state >> COUNT_BITS == (uintptr_t)semaphore && (state & COUNT_MASK) != 0;
}

static bool join(struct place *place, const void *semaphore)
{
    uint64_t state = atomic_load(&place->state);
    while (is_for(state, semaphore) && (state & COUNT_MASK) != COUNT_MASK)
        if (atomic_compare_exchange_weak(&place->state, &state, state + 1)) {
            atomic_store(&place->tid, 0);
            return true;
        }
    return false;
}

static bool begin(struct place *place, const void *semaphore, uint32_t lock, uint32_t tid)
{
    uint64_t state = 0;
    if (atomic_load_explicit(&place->state, memory_order_relaxed) != 0 ||
        !atomic_compare_exchange_strong(&place->state, &state, TAKEN))
        return false;
    atomic_store_explicit(&place->lock, lock, memory_order_relaxed);
    atomic_store_explicit(&place->tid, tid, memory_order_relaxed);
    atomic_store_explicit(&place->state, (uint64_t)(uintptr_t)semaphore << COUNT_BITS | 1, memory_order_release);
    return true;
}

/* Who is in a place is counted in its line before that, and until after it. */
bool gs_waiters_enter(const void *semaphore, uint32_t lock, uint32_t tid)
{
    struct place *line = line_of(semaphore);
    bool entered = false, alone = atomic_fetch_add(count_of(semaphore), 1) == 0;
    for (unsigned i = 0; i < PLACES && !entered && !alone; i++)
        entered = join(&line[i], semaphore);
    for (unsigned i = 0; i < PLACES && !entered; i++)
        entered = begin(&line[i], semaphore, lock, tid);
    if (entered)
        atomic_fetch_add(&gs_waiters->count, 1); /* a fence, too: who posts from here on sees this thread */
    else
        atomic_fetch_sub(count_of(semaphore), 1);
    return entered;
}

void gs_waiters_leave(const void *semaphore)
{
    struct place *line = line_of(semaphore);
    for (unsigned i = 0; i < PLACES; i++) {
        uint64_t state = atomic_load(&line[i].state);
        while (is_for(state, semaphore)) {
            uint64_t after = (state & COUNT_MASK) == 1 ? 0 : state - 1;
            if (atomic_compare_exchange_weak(&line[i].state, &state, after)) {
                atomic_fetch_sub(count_of(semaphore), 1);
                atomic_fetch_sub(&gs_waiters->count, 1);
                return;
            }
        }
    }
}

bool gs_waiters_find(const void *semaphore, uint32_t *lock, uint32_t *tid)
{
    struct place *line = line_of(semaphore);
    unsigned found = 0;
    for (unsigned i = 0; i < PLACES; i++) {
        uint64_t state = atomic_load(&line[i].state);
        if (!is_for(state, semaphore))
            continue;
        *lock = atomic_load(&line[i].lock);
        *tid = found++ == 0 && (state & COUNT_MASK) == 1 ? atomic_load(&line[i].tid) : 0;
        if (found == 1 && atomic_load(count_of(semaphore)) == (state & COUNT_MASK))
            break; /* nobody else is in the line */
    }
    return found > 0;
}
