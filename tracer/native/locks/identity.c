/* Runs in hooks, in the thread that is about to wait. A lock's identity is its kind, its address and its type, so an
 * address that an object of another type gets is another lock; of one of the same type only where the old one's end
 * is a call (sem_destroy). */
#include "locks/identity.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/known.h"
#include "base/text.h"
#include "gil/note.h"
#include "locks/learn.h"
#include "locks/owners.h"
#include "locks/variables.h"
#include "stream/names.h"

#define STACK 8192u         /* a semaphore no farther above the hook's frame is on the thread's own stack */
#define GENERATIONS 65536u
#define LOWEST_ADDRESS 4096u
#define MOST_LOCKS 65536u /* known at a time: what frames need is theirs */

enum kind { UNKNOWN, OBJECT, MUTEX, SEMAPHORE, CONDITION, STATE, RUNTIME, INTERPRETER, RAW };
static const char *const kind_names[] = {"unknown",   "object", "mutex",   "semaphore",   "condition",
                                         "state",     "runtime", "interpreter", "raw"};

struct identity {
    enum kind kind;
    uintptr_t address;
    uintptr_t type;
    uint64_t offset, size; /* where in a structure of the interpreter's, and that structure's size */
    uintptr_t shown;       /* of a semaphore: the type of what has it, where that is known; no part of its identity */
};

_Atomic bool gs_identity_names;
uintptr_t gs_identity_runtime;

/* Numbers given, in one's turn at the names; begun anew in each recording, also a forked child's. */
static uint32_t locks, locks_of_run;
static _Atomic uint32_t living; /* of these: not known to have ended */
static _Atomic uint64_t missed; /* run << 32 | how often */

static _Atomic uint16_t generations[GENERATIONS];

static _Atomic uint16_t *generation_of(uintptr_t semaphore)
{
    return &generations[gs_mix(semaphore, 3) % GENERATIONS];
}

static uint64_t key_of(const struct identity *lock)
{
    uint64_t generation = lock->kind == SEMAPHORE ? atomic_load_explicit(generation_of(lock->address), memory_order_relaxed) : 0;
    uint64_t run = atomic_load_explicit(&gs_run.number, memory_order_relaxed);
    return gs_mix(gs_mix(lock->address, lock->type ^ generation << 48), gs_mix(run << 8 | (uint64_t)lock->kind, 4));
}

static bool is_full(void)
{
    return atomic_load_explicit(&living, memory_order_relaxed) >= MOST_LOCKS && locks_of_run == gs_run.number;
}

/* Its number and its name are not needed any more: a program may make locks as long as it runs. Where that can't be said
 * now they stay. */
static __attribute__((noinline)) void forget(uint64_t key, uint32_t number)
{
    int cancel = gs_slow_begin(), saved = errno;
    if (gs_turn_take(true)) {
        if (gs_epoch() != 0 && gs_epoch() == locks_of_run && gs_known_find(key) == number &&
            gs_names_append(gs_lock_ended, number, "")) {
            gs_known_remove(key);
            atomic_fetch_sub_explicit(&living, 1, memory_order_relaxed);
        }
        gs_turn_end();
    }
    errno = saved;
    gs_slow_end(cancel);
}

void gs_identity_ends(const void *semaphore)
{
    struct identity lock = {.kind = SEMAPHORE, .address = (uintptr_t)semaphore};
    uint64_t key = key_of(&lock);
    uint32_t number = gs_known_find(key);
    if (number == 0)
        return;
    forget(key, number);
    atomic_fetch_add_explicit(generation_of(lock.address), 1, memory_order_relaxed);
}

uint64_t gs_identity_missed(void)
{
    uint64_t now = atomic_load(&missed);
    return now >> 32 == gs_run.number ? (uint32_t)now : 0;
}

static void miss(void)
{
    uint64_t before = atomic_load(&missed), run = gs_run.number;
    while (!atomic_compare_exchange_weak(&missed, &before, before >> 32 == run ? before + 1 : run << 32 | 1))
        ;
}

static bool within(struct identity *lock, enum kind kind, uintptr_t start, uint64_t size)
{
    if (start == 0 || lock->address - start >= size)
        return false;
    lock->kind = kind;
    lock->offset = lock->address - start;
    lock->size = size;
    return true;
}

static bool is_object(struct identity *lock, enum kind kind, uint32_t offset)
{
    const char *word = (const char *)lock->address;
    uintptr_t type = gs_type_of_around(word - offset, word);
    if (type == 0)
        return false;
    lock->kind = kind;
    lock->type = type;
    lock->offset = offset;
    return true;
}

/* Whose word this is that a thread parks on. Its own state comes first: the world is being stopped. */
static void classify(struct identity *lock)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    uintptr_t thread_state = (uintptr_t)gs_stacks.thread_state();
    if (within(lock, STATE, thread_state, layout->thread_size))
        return;
    if (thread_state != 0 && within(lock, INTERPRETER, gs_load(uintptr_t, thread_state, layout->interpreter), layout->interpreter_size))
        return;
    if (within(lock, RUNTIME, gs_identity_runtime, layout->runtime_size))
        return;
    if (gs_lock_places.mutex != 0 && is_object(lock, MUTEX, gs_lock_places.mutex))
        return;
    is_object(lock, OBJECT, layout->head);
}

static bool is_on_stack(const char *semaphore, const char *frame)
{
    return (uintptr_t)semaphore - (uintptr_t)frame < STACK;
}

static struct identity identify(const struct gs_wait_place *wait)
{
    bool names = atomic_load_explicit(&gs_identity_names, memory_order_relaxed);
    bool on_stack = is_on_stack(wait->semaphore, wait->frame);
    if (on_stack && gs_lock_places.distance == 0)
        return (struct identity){.kind = RAW};
    struct identity lock = {.kind = on_stack ? UNKNOWN : SEMAPHORE, .address = (uintptr_t)wait->semaphore};
    if (on_stack)
        lock.address = gs_load(uintptr_t, wait->semaphore, -(int)gs_lock_places.distance);
    if (names && wait->count > 0) {
        const char *condition = gs_waiting_condition(wait->places, lock.address, !on_stack);
        if (condition != NULL)
            return (struct identity){.kind = CONDITION, .address = (uintptr_t)condition, .type = gs_type_of(condition)};
    }
    if (on_stack && names && lock.address >= LOWEST_ADDRESS)
        classify(&lock);
    /* The parking lot's own locks wait elsewhere, and have no such word. */
    if (lock.kind == UNKNOWN && wait->semaphore - wait->frame != gs_lock_places.depth)
        lock = (struct identity){.kind = RAW};
    return lock;
}

/* What a variable may have of it. */
static struct gs_wanted wanted(const struct identity *lock)
{
    static const char dict[] = "dict";
    char name[sizeof dict + 1] = "", *at = name;
    switch (lock->kind) {
    case SEMAPHORE:
        return (struct gs_wanted){.semaphore = lock->address};
    case OBJECT:
    case CONDITION:
        return (struct gs_wanted){.object = lock->address - lock->offset};
    case MUTEX:
        gs_type_append(lock->type, &at, name + sizeof name - 1);
        return (struct gs_wanted){.object = lock->address - lock->offset, .attributes = strcmp(name, dict) == 0};
    default:
        return (struct gs_wanted){0};
    }
}

static bool write(uint32_t number, const struct identity *lock, const struct gs_wait_place *wait)
{
    char text[GS_NAME_TEXT_MAX] = "", *at = text;
    const char *end = text + sizeof text - 1;
    uintptr_t type = lock->type;
    bool frames = atomic_load_explicit(&gs_identity_names, memory_order_relaxed) && wait->count > 0;
    if (lock->shown != 0)
        type = lock->shown;
    else if (lock->kind == SEMAPHORE && frames)
        type = gs_type_of_semaphore(wait->places, lock->address);
    gs_append(&at, end, kind_names[lock->kind]);
    gs_append(&at, end, "\n");
    gs_append_hex(&at, end, lock->address);
    gs_append(&at, end, "\n");
    gs_type_append(type, &at, end);
    gs_append(&at, end, "\n");
    gs_append_number(&at, end, lock->offset);
    gs_append(&at, end, " ");
    gs_append_number(&at, end, lock->size);
    if (frames) {
        gs_owners_append(wait->places, wait->count, &at, end);
        gs_variables_append(wait->places, wait->count, wanted(lock), &at, end);
    }
    *at = '\0';
    return gs_names_append(gs_lock, number, text);
}

static __attribute__((noinline)) uint32_t write_unknown(uint64_t key, const struct identity *lock, const struct gs_wait_place *wait)
{
    uint32_t number = 0;
    int cancel = gs_slow_begin();
    if (!is_full() && gs_turn_take(false)) { /* it is about to sleep */
        /* In the meantime another thread may have written it, and recording may have begun anew. */
        if (gs_ready(&gs_self) != NULL && (number = gs_known_find(key)) == 0 && gs_known_has_room(key)) {
            if (locks_of_run != gs_run.number) {
                locks_of_run = gs_run.number;
                locks = 0;
                atomic_store(&living, 0);
            }
            number = ++locks;
            if (!write(number, lock, wait) || !gs_known_add(key, number))
                number = 0;
            else
                atomic_fetch_add_explicit(&living, 1, memory_order_relaxed);
        }
        gs_turn_end();
    }
    gs_slow_end(cancel);
    if (number == 0)
        miss();
    return number;
}

static uint32_t number_of(const struct identity *lock, const struct gs_wait_place *wait)
{
    uint64_t key = key_of(lock);
    uint32_t number = gs_known_find(key);
    return likely(number != 0) ? number : write_unknown(key, lock, wait);
}

uint64_t gs_identity_key(const void *semaphore, const char *frame)
{
    struct identity lock = {.kind = SEMAPHORE, .address = (uintptr_t)semaphore};
    return is_on_stack(semaphore, frame) ? 0 : key_of(&lock);
}

uint32_t gs_identity_number(struct gs_wait_place *wait)
{
    struct identity lock = identify(wait);
    wait->stands = lock.kind == STATE;
    return number_of(&lock, wait);
}

uint32_t gs_identity_of_object(const char *object, uintptr_t type, const struct gs_place *places, unsigned count)
{
    uint32_t head = gs_stacks.layout.head;
    struct identity lock = {.kind = OBJECT, .address = (uintptr_t)object + head, .type = type, .offset = head};
    /* It has a mutex, whose lowest bit is set while it is held, or the address of a semaphore. */
    uintptr_t word = gs_load(uintptr_t, object, head);
    if (word % 8 == 0 && word >= LOWEST_ADDRESS)
        lock = (struct identity){.kind = SEMAPHORE, .address = word, .shown = type};
    struct gs_wait_place place = {.places = places, .count = count};
    return number_of(&lock, &place);
}
