/* Waits and wakes of a thread with some frames, for an instruction counter that counts inside of a function.
 * Usage: lock_costs MODE N NUMBERED TRACE. MODE: waits, N that time out at once; wakes, N of a thread that
 * waits; nobody, N times a lock is let go that is free otherwise; others, the same while a thread waits for another lock.
 * NUMBERED: 1, or 0 for code objects without a version, as 3.11's. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_frames.h"
#include "fake_locks.h"
#include "fake_python.h"
#include "gilscope.h"

#define DEPTH 8

static struct fake_thread main_thread;
static sem_t lock, answer, other;
static long count;

static atomic_int done;

static void *is_woken(void *unused)
{
    struct fake_waits waits = {0};
    (void)unused;
    while (!atomic_load(&done)) {
        fake_lock(&lock, -1, false, &waits);
        sem_post(&answer); /* the program's own call: only those of the interpreter's file are hooked */
    }
    return NULL;
}

static void waits(void)
{
    struct fake_waits waits = {0};
    for (long i = 0; i < count; i++)
        fake_lock(&lock, 0, false, &waits);
}

/* glibc counts in a semaphore's upper half who sleeps: then it is in the call, beyond the hook. */
static int sleeps(sem_t *semaphore)
{
    return __atomic_load_n((int *)((char *)semaphore + 4), __ATOMIC_ACQUIRE) != 0;
}

static pthread_t begin(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, is_woken, NULL);
    while (!sleeps(&lock))
        usleep(100);
    return thread;
}

static void end(pthread_t thread)
{
    atomic_store(&done, 1);
    sem_post(&lock);
    pthread_join(thread, NULL);
}

/* What is let go is taken again at once, if the other thread, which has to be woken, is not quicker. */
static void wakes(void)
{
    struct fake_waits waits = {0};
    pthread_t thread = begin();
    for (long i = 0; i < count; i++) {
        while (!sleeps(&lock))
            usleep(100);
        fake_unlock(&lock, false, &waits);
        if (sem_trywait(&lock) != 0)
            sem_wait(&answer);
    }
    end(thread);
}

static void nobody(void)
{
    struct fake_waits waits = {0};
    for (long i = 0; i < count; i++) {
        fake_unlock(&other, false, &waits);
        fake_lock(&other, -1, false, &waits);
    }
}

static void others(void)
{
    pthread_t thread = begin();
    nobody();
    end(thread);
}

static const struct {
    const char *name;
    void (*run)(void);
} modes[] = {{"waits", waits}, {"wakes", wakes}, {"nobody", nobody}, {"others", others}};

int main(int argc, char **argv)
{
    char message[8192];
    if (argc != 5)
        return 2;
    count = atol(argv[2]);
    fake_main(&main_thread);
    fake_stand(DEPTH, atoi(argv[3]));
    if (gs_install(message, sizeof message) != GS_OK || gs_stacks_find(message, sizeof message) != GS_OK ||
        gs_locks_find(message, sizeof message) != GS_OK) {
        fprintf(stderr, "%s\n", message);
        return 1;
    }
    gs_stacks_use(1);
    if (gs_start(argv[4], "", 0, message, sizeof message) != GS_OK)
        return 1;
    sem_init(&lock, 0, 0);
    sem_init(&answer, 0, 0);
    sem_init(&other, 0, 0);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(argv[1], modes[i].name) == 0)
            modes[i].run();
    gs_stop();
    return 0;
}
