#define _GNU_SOURCE
#include "fake_locks.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))

#ifdef __x86_64__
__asm__(".symver old_sem_wait, sem_wait@GLIBC_2.2.5");
__asm__(".symver old_sem_post, sem_post@GLIBC_2.2.5");
__asm__(".symver old_sem_timedwait, sem_timedwait@GLIBC_2.2.5");
int old_sem_wait(sem_t *semaphore);
int old_sem_post(sem_t *semaphore);
int old_sem_timedwait(sem_t *semaphore, const struct timespec *until);
#else
#define old_sem_wait sem_wait
#define old_sem_post sem_post
#define old_sem_timedwait sem_timedwait
#endif

static struct timespec in(clockid_t clock, long us)
{
    struct timespec at;
    clock_gettime(clock, &at);
    at.tv_nsec += us % 1000000 * 1000;
    at.tv_sec += us / 1000000 + at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

static int wait_for(sem_t *lock, long us, bool old)
{
    if (us < 0)
        return old ? old_sem_wait(lock) : sem_wait(lock);
    struct timespec until = in(old ? CLOCK_REALTIME : CLOCK_MONOTONIC, us);
    return old ? old_sem_timedwait(lock, &until) : sem_clockwait(lock, CLOCK_MONOTONIC, &until);
}

bool fake_lock(sem_t *lock, long us, bool old, struct fake_waits *waits)
{
    if (sem_trywait(lock) == 0)
        return true;
    bool had = wait_for(lock, us, old) == 0;
    if (had)
        waits->got++;
    else if (errno == ETIMEDOUT)
        waits->timed_out++;
    else if (errno == EINTR)
        waits->interrupted++;
    else
        abort();
    return had;
}

void fake_unlock(sem_t *lock, bool old, struct fake_waits *waits)
{
    waits->let_go++;
    if (old)
        old_sem_post(lock);
    else
        sem_post(lock);
}

void fake_lock_end(sem_t *lock)
{
    sem_destroy(lock);
}

/* The lot: who waits is on its own stack, and has what it waits for before its semaphore. */
struct parked {
    struct parked *next;
    uintptr_t address;
    sem_t semaphore;
};

static pthread_mutex_t lot = PTHREAD_MUTEX_INITIALIZER;
static struct parked *first_parked;

EXPORT __attribute__((noinline)) void PyMutex_Lock(void *mutex)
{
    char *locked = mutex;
    struct parked self = {.address = (uintptr_t)mutex};
    pthread_mutex_lock(&lot);
    if (!*locked) {
        *locked = 1;
        pthread_mutex_unlock(&lot);
        return;
    }
    sem_init(&self.semaphore, 0, 0);
    struct parked **last = &first_parked;
    while (*last != NULL)
        last = &(*last)->next;
    *last = &self;
    pthread_mutex_unlock(&lot);
    while (sem_wait(&self.semaphore) != 0)
        ;
    sem_destroy(&self.semaphore);
}

EXPORT void PyMutex_Unlock(void *mutex)
{
    pthread_mutex_lock(&lot);
    struct parked **at = &first_parked;
    while (*at != NULL && (*at)->address != (uintptr_t)mutex)
        at = &(*at)->next;
    struct parked *woken = *at;
    if (woken != NULL)
        *at = woken->next; /* it has the mutex from here on */
    else
        *(char *)mutex = 0;
    if (woken != NULL)
        sem_post(&woken->semaphore); /* with the lot locked: the woken one's stack is there until then */
    pthread_mutex_unlock(&lot);
}

/* What the self-test contends. */
EXPORT void *PyThread_allocate_lock(void)
{
    sem_t *lock = malloc(sizeof *lock);
    sem_init(lock, 0, 1);
    return lock;
}

EXPORT void PyThread_free_lock(void *lock)
{
    sem_destroy(lock);
    free(lock);
}

EXPORT void PyThread_release_lock(void *lock)
{
    sem_post(lock);
}

EXPORT int PyThread_acquire_lock(void *lock, int wait)
{
    return wait ? sem_wait(lock) == 0 : sem_trywait(lock) == 0;
}

EXPORT int PyThread_acquire_lock_timed(void *lock, long long us, int interrupts)
{
    (void)interrupts;
    struct fake_waits ignored = {0};
    return fake_lock(lock, (long)us, false, &ignored);
}
