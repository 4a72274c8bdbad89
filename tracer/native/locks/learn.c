/* The self-test: waits for locks whose addresses are known, and looks where the hooks see these. Runs in gs_locks_find;
 * gs_learn_wait in a hook. */
#define _GNU_SOURCE
#include "locks/learn.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/aside.h"
#include "base/clock.h"
#include "elf/symbols.h"
#include "stacks/layout.h"

#define FARTHEST 64           /* bytes before a semaphore that are looked at */
#define NEAR 4096             /* a semaphore on the caller's stack is no farther above the hook's frame */
#define PATIENCE UINT64_C(2000000000) /* ns; a machine may be busy */
#define SHORT_WAIT 100                /* us */
#define MOST_HEAD 64                  /* bytes of an object before its members */

struct gs_lock_places gs_lock_places;

/* What the self-test waits for now, and what has been seen of it. */
static _Atomic uintptr_t wanted, wanted_end;
static _Atomic uint32_t seen_distance;
static _Atomic uintptr_t seen_address;
static _Atomic int64_t seen_depth;
static _Atomic bool seen_semaphore;

void gs_learn_wait(const void *semaphore, const char *frame)
{
    uintptr_t low = atomic_load(&wanted), high = atomic_load(&wanted_end);
    if (low == 0)
        return;
    if ((uintptr_t)semaphore == low)
        atomic_store(&seen_semaphore, true);
    if ((uintptr_t)semaphore - (uintptr_t)frame >= NEAR)
        return;
    for (uint32_t distance = 8; distance <= FARTHEST; distance += 8) {
        uintptr_t address = gs_load(uintptr_t, semaphore, -(int)distance);
        if (address < low || address >= high)
            continue;
        atomic_store(&seen_address, address);
        atomic_store(&seen_depth, (const char *)semaphore - frame);
        atomic_store(&seen_distance, distance);
        return;
    }
}

static void want(const void *address, size_t size)
{
    atomic_store(&seen_distance, 0);
    atomic_store(&seen_address, 0);
    atomic_store(&seen_semaphore, false);
    atomic_store(&wanted_end, (uintptr_t)address + size);
    atomic_store(&wanted, (uintptr_t)address);
}

/* sched_yield, not the interpreter's: this thread must not let go of what it holds. */
static bool until(bool (*done)(void))
{
    uint64_t deadline = gs_now() + PATIENCE;
    while (!done() && gs_now() < deadline)
        sched_yield();
    return done();
}

static bool parked(void)
{
    return atomic_load(&seen_distance) != 0;
}

/* A lock that this thread itself has taken, and waits for a moment: no other thread is needed for that. */
static bool learn_lock(void)
{
    void *(*make)(void) = (void *(*)(void))gs_symbol("PyThread_allocate_lock");
    void (*destroy)(void *) = (void (*)(void *))gs_symbol("PyThread_free_lock");
    void (*release)(void *) = (void (*)(void *))gs_symbol("PyThread_release_lock");
    int (*take)(void *, int) = (int (*)(void *, int))gs_symbol("PyThread_acquire_lock");
    int (*wait)(void *, long long, int) = (int (*)(void *, long long, int))gs_symbol("PyThread_acquire_lock_timed");
    if (make == NULL || destroy == NULL || release == NULL || take == NULL || wait == NULL)
        return false;
    void *lock = make();
    if (lock == NULL)
        return false;
    want(lock, 8);
    take(lock, 0);
    wait(lock, SHORT_WAIT, 0);
    gs_lock_places.semaphores = atomic_load(&seen_semaphore);
    release(lock);
    destroy(lock);
    return gs_lock_places.semaphores || parked();
}

static void (*take_mutex)(void *), (*release_mutex)(void *);

static void *contend(void *mutex)
{
    prctl(PR_SET_NAME, GS_OWN_NAME "locks"); /* where the scheduler is recorded, it is none of the program's threads */
    take_mutex(mutex);
    release_mutex(mutex);
    return NULL;
}

/* A mutex, as threads park for since 3.13: nobody can wait for it for a moment only, so another thread does. */
static bool learn_parking(void)
{
    static _Alignas(16) char mutex[16];
    pthread_t other;
    take_mutex = (void (*)(void *))gs_symbol("PyMutex_Lock");
    release_mutex = (void (*)(void *))gs_symbol("PyMutex_Unlock");
    if (take_mutex == NULL || release_mutex == NULL)
        return false;
    want(mutex, 1);
    take_mutex(mutex);
    bool made = pthread_create(&other, NULL, contend, mutex) == 0;
    bool seen = made && until(parked);
    release_mutex(mutex);
    if (made)
        pthread_join(other, NULL);
    gs_lock_places.distance = atomic_load(&seen_distance);
    gs_lock_places.depth = atomic_load(&seen_depth);
    return seen;
}

/* A critical section of an object takes its mutex: a byte of its head changes, and changes back. */
static void learn_mutex_of_object(uint32_t head)
{
    void *(*make)(long) = (void *(*)(long))gs_symbol("PyList_New");
    void (*drop)(void *) = (void (*)(void *))gs_symbol("Py_DecRef");
    void (*enter)(void *, void *) = (void (*)(void *, void *))gs_symbol("PyCriticalSection_Begin");
    void (*leave)(void *) = (void (*)(void *))gs_symbol("PyCriticalSection_End");
    char *object = make != NULL && drop != NULL && enter != NULL && leave != NULL ? make(0) : NULL;
    char free[MOST_HEAD], held[MOST_HEAD];
    void *section[8] = {NULL};
    uint32_t found = 0, changed = 0;
    if (object == NULL || head > MOST_HEAD)
        return;
    memcpy(free, object, head);
    enter(section, object);
    memcpy(held, object, head);
    leave(section);
    for (uint32_t i = 0; i < head; i++)
        if (free[i] != held[i]) {
            changed++;
            found = i;
        }
    if (changed == 1 && free[found] == 0 && object[found] == 0)
        gs_lock_places.mutex = found;
    drop(object);
}

bool gs_learn_locks(uint32_t head, char *message, uint64_t size)
{
    bool lock = learn_lock(), seen = learn_parking() || lock;
    if (head != 0)
        learn_mutex_of_object(head);
    atomic_store(&wanted, 0);
    if (!seen)
        snprintf(message, size, "a wait for a lock of our own could not be seen");
    return seen;
}
