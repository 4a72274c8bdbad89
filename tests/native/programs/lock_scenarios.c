/* Locks in good and bad circumstances, under the recorder. Usage: lock_scenarios NAME TRACE.
 * Prints what the fake interpreter saw of its waits, a line a process: "pid got timed_out interrupted let_go". */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fake_locks.h"
#include "fake_python.h"
#include "gilscope.h"

#define DIE(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), exit(1))
#define THREADS 4

static struct fake_gil *gil;
static struct fake_thread main_thread;
static sem_t lock;
static char mutex[16];
static struct fake_waits of_thread[THREADS], sum;
static bool old;
static atomic_int waiting, done;

static void add(const struct fake_waits *waits)
{
    sum.got += waits->got;
    sum.timed_out += waits->timed_out;
    sum.interrupted += waits->interrupted;
    sum.let_go += waits->let_go;
}

static void report(void)
{
    gs_stop();
    printf("%d %ld %ld %ld %ld\n", getpid(), sum.got, sum.timed_out, sum.interrupted, sum.let_go);
    fflush(stdout);
}

static void run_threads(void *(*body)(void *), int count)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, body, &of_thread[i]) != 0)
            DIE("no thread %d", i);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < count; i++)
        add(&of_thread[i]);
}

static void sleep_us(long us)
{
    struct timespec time = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&time, NULL);
}

static void *takes_turns(void *waits)
{
    for (int i = 0; i < 300; i++) {
        fake_lock(&lock, -1, old, waits);
        for (volatile int k = 0; k < 300; k++)
            ;
        if (i % 50 == 0)
            sleep_us(200);
        fake_unlock(&lock, old, waits);
    }
    return NULL;
}

static void queue(void)
{
    run_threads(takes_turns, THREADS);
}

static void by_old_names(void)
{
    old = true;
    queue();
}

static void *parks(void *waits)
{
    (void)waits;
    for (int i = 0; i < 300; i++) {
        PyMutex_Lock(mutex);
        if (i % 50 == 0)
            sleep_us(200);
        PyMutex_Unlock(mutex);
    }
    return NULL;
}

static void parked(void)
{
    run_threads(parks, THREADS);
}

static void *gives_up(void *waits)
{
    for (int i = 0; i < 25; i++)
        if (fake_lock(&lock, 500, i % 2 != 0, waits))
            DIE("got what main has");
    return NULL;
}

static void timeouts(void)
{
    sem_wait(&lock);
    run_threads(gives_up, THREADS);
    sem_post(&lock);
}

static void ignore(int number)
{
    (void)number;
}

static void *is_interrupted(void *argument)
{
    struct fake_waits *waits = argument;
    while (waits->interrupted < 20) {
        atomic_store(&waiting, 1);
        if (fake_lock(&lock, 10000000, false, waits))
            DIE("got what main has");
    }
    atomic_store(&done, 1);
    return NULL;
}

static void signals(void)
{
    pthread_t thread;
    struct sigaction action = {.sa_handler = ignore};
    sigaction(SIGUSR1, &action, NULL);
    sem_wait(&lock);
    pthread_create(&thread, NULL, is_interrupted, &of_thread[0]);
    while (!atomic_load(&done)) {
        if (atomic_load(&waiting))
            pthread_kill(thread, SIGUSR1);
        sleep_us(1000);
    }
    pthread_join(thread, NULL);
    add(&of_thread[0]);
    sem_post(&lock);
}

static void *waits_for_ever(void *waits)
{
    atomic_store(&waiting, 1);
    fake_lock(&lock, -1, false, waits);
    DIE("got what main has");
}

static void cancel(void)
{
    pthread_t thread;
    void *result;
    sem_wait(&lock);
    pthread_create(&thread, NULL, waits_for_ever, &of_thread[0]);
    while (!atomic_load(&waiting))
        sleep_us(1000);
    sleep_us(20000);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    if (result != PTHREAD_CANCELED)
        DIE("not cancelled");
    sum.interrupted++; /* wherever it was cancelled: fake_lock makes no other call that ends it */
    sem_post(&lock);
    if (sem_trywait(&lock) != 0)
        DIE("a lock that nobody has is taken");
    sem_post(&lock);
}

/* One after the other at one address, each waited for, and its end told while somebody waits. */
static void destroyed(void)
{
    for (int i = 0; i < 50; i++) {
        sem_init(&lock, 0, 0);
        fake_lock(&lock, 100, false, &of_thread[0]);
        fake_lock_end(&lock);
    }
    add(&of_thread[0]);
}

static void *waits_long(void *waits)
{
    atomic_store(&waiting, 1);
    fake_lock(&lock, 50000, false, waits);
    return NULL;
}

static void destroyed_while_waited_for(void)
{
    pthread_t thread;
    sem_init(&lock, 0, 0);
    pthread_create(&thread, NULL, waits_long, &of_thread[0]);
    while (!atomic_load(&waiting))
        sleep_us(1000);
    sleep_us(10000);
    fake_lock_end(&lock);
    pthread_join(thread, NULL);
    add(&of_thread[0]);
}

static void many(void)
{
    sem_t *locks = calloc(10000, sizeof *locks);
    for (int i = 0; i < 10000; i++)
        fake_lock(&locks[i], 0, false, &of_thread[0]); /* zeroes are a semaphore that is taken */
    add(&of_thread[0]);
    free(locks);
}

/* Its child has no waiters, so nobody is woken when it lets the same lock go. */
static void forks(void)
{
    pthread_t thread;
    int status;
    sem_wait(&lock);
    pthread_create(&thread, NULL, waits_long, &of_thread[0]);
    while (!atomic_load(&waiting))
        sleep_us(1000);
    sleep_us(5000);
    for (int i = 0; i < 3; i++) {
        pid_t child = fork();
        if (child == 0) {
            fake_gil_after_fork(gil);
            fake_take(&main_thread);
            memset(&sum, 0, sizeof sum);
            fake_lock(&lock, 100, false, &sum);
            fake_unlock(&lock, false, &sum);
            report();
            _exit(0);
        }
        waitpid(child, &status, 0);
        if (status != 0)
            DIE("child: status %x", status);
    }
    pthread_join(thread, NULL);
    add(&of_thread[0]);
    sem_post(&lock);
}

static const struct {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    {"queue", queue},         {"by_old_names", by_old_names}, {"parked", parked}, {"timeouts", timeouts},
    {"signals", signals},     {"cancel", cancel},             {"many", many},     {"forks", forks},
    {"destroyed", destroyed}, {"destroyed_while_waited_for", destroyed_while_waited_for},
};

int main(int argc, char **argv)
{
    char message[8192];
    if (argc < 3)
        DIE("usage: lock_scenarios NAME TRACE");
    gil = fake_gil_new(5000);
    main_thread.gil = gil;
    fake_set_current(&main_thread);
    fake_take(&main_thread);
    if (gs_install(message, sizeof message) != GS_OK || gs_locks_find(message, sizeof message) != GS_OK)
        DIE("%s", message);
    if (gs_start(argv[2], "  hostname = \"test\";\n", 1, message, sizeof message) != GS_OK)
        DIE("%s", message);
    sem_init(&lock, 0, 1);
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        if (strcmp(argv[1], scenarios[i].name) == 0) {
            scenarios[i].run();
            report();
            return 0;
        }
    DIE("no scenario %s", argv[1]);
}
