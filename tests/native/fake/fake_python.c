#define _GNU_SOURCE
#include "fake_python.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

struct fake_gil {
    char before[128]; /* in CPython it lies in a larger struct: what is before it can be read */
    atomic_int locked, drop_request, waiting;
    struct fake_thread *_Atomic last_holder; /* as in CPython, where it is read under another mutex */
    unsigned long switch_number;
    long interval_us;
    void *_Atomic state; /* of the last holder: what CPython's last_holder is */
    pthread_mutex_t mutex, switch_mutex;
    pthread_cond_t cond, switch_cond;
};

static __thread struct fake_thread *current;

static void create(struct fake_gil *gil)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&gil->mutex, NULL);
    pthread_mutex_init(&gil->switch_mutex, NULL);
    pthread_cond_init(&gil->cond, &monotonic);
    pthread_cond_init(&gil->switch_cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
    gil->last_holder = NULL;
    atomic_store(&gil->locked, 0);
    atomic_store(&gil->drop_request, 0);
    atomic_store(&gil->waiting, 0);
}

struct fake_gil *fake_gil_new(long interval_us)
{
    struct fake_gil *gil = calloc(1, sizeof *gil);
    gil->interval_us = interval_us;
    create(gil);
    return gil;
}

void fake_gil_after_fork(struct fake_gil *gil)
{
    create(gil);
}

void fake_gil_destroy(struct fake_gil *gil)
{
    pthread_cond_destroy(&gil->cond);
    pthread_mutex_destroy(&gil->mutex);
    pthread_cond_destroy(&gil->switch_cond);
    pthread_mutex_destroy(&gil->switch_mutex);
    free(gil);
}

static struct timespec deadline(long us)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += us * 1000;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

int fake_take_unless(struct fake_thread *thread, atomic_int *exiting)
{
    struct fake_gil *gil = thread->gil;
    pthread_mutex_lock(&gil->mutex);
    int waits = atomic_load(&gil->locked);
    if (waits) {
        thread->contended++;
        atomic_fetch_add(&gil->waiting, 1);
    }
    while (atomic_load(&gil->locked)) {
        unsigned long saved = gil->switch_number;
        struct timespec until = deadline(gil->interval_us);
        int timed_out = pthread_cond_timedwait(&gil->cond, &gil->mutex, &until) == ETIMEDOUT;
        thread->timeouts += timed_out;
        if (timed_out && atomic_load(&gil->locked) && gil->switch_number == saved) {
            if (exiting != NULL && atomic_load(exiting)) {
                thread->abandoned++;
                atomic_fetch_sub(&gil->waiting, 1);
                pthread_mutex_unlock(&gil->mutex);
                return 0;
            }
            atomic_store(&gil->drop_request, 1);
        }
    }
    if (waits)
        atomic_fetch_sub(&gil->waiting, 1);
    pthread_mutex_lock(&gil->switch_mutex);
    atomic_store(&gil->locked, 1);
    if (thread != gil->last_holder) {
        gil->last_holder = thread;
        atomic_store(&gil->state, thread->state);
        gil->switch_number++;
    }
    pthread_cond_signal(&gil->switch_cond);
    pthread_mutex_unlock(&gil->switch_mutex);
    thread->takes++;
    atomic_store(&gil->drop_request, 0);
    pthread_mutex_unlock(&gil->mutex);
    return 1;
}

void fake_take(struct fake_thread *thread)
{
    fake_take_unless(thread, NULL);
}

void fake_drop(struct fake_thread *thread, int final)
{
    struct fake_gil *gil = thread->gil;
    pthread_mutex_lock(&gil->mutex);
    thread->answered += atomic_load(&gil->drop_request);
    gil->last_holder = thread;
    atomic_store(&gil->locked, 0);
    pthread_cond_signal(&gil->cond);
    pthread_mutex_unlock(&gil->mutex);
    thread->drops++;
    if (!final && atomic_load(&gil->drop_request)) {
        thread->requested++;
        pthread_mutex_lock(&gil->switch_mutex);
        if (gil->last_holder == thread) {
            atomic_store(&gil->drop_request, 0);
            pthread_cond_wait(&gil->switch_cond, &gil->switch_mutex);
        }
        pthread_mutex_unlock(&gil->switch_mutex);
    }
}

void fake_wait_for_ever(struct fake_thread *thread)
{
    pthread_cond_t never = PTHREAD_COND_INITIALIZER;
    struct timespec until = deadline(1000000000);
    pthread_mutex_lock(&thread->gil->mutex);
    atomic_fetch_add(&thread->gil->waiting, 1);
    for (;;)
        pthread_cond_timedwait(&never, &thread->gil->mutex, &until);
}

int fake_waiting(struct fake_gil *gil)
{
    return atomic_load(&gil->waiting);
}

void fake_check(struct fake_thread *thread)
{
    if (atomic_load(&thread->gil->drop_request)) {
        fake_drop(thread, 0);
        fake_take(thread);
    }
}

void fake_set_current(struct fake_thread *thread)
{
    current = thread;
}

void *PyEval_SaveThread(void)
{
    struct fake_thread *thread = current;
    fake_drop(thread, 0);
    return thread;
}

void PyEval_RestoreThread(void *thread)
{
    fake_take(thread);
}
