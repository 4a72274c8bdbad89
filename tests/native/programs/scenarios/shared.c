#define _GNU_SOURCE
#include "scenarios.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gilscope.h"

struct fake_gil *gil;
struct fake_thread main_thread;
long amount;
atomic_int stop_spinning, spinning;
const char *trace;

static pthread_mutex_t sum_lock = PTHREAD_MUTEX_INITIALIZER;
static struct fake_thread sum;

void add(const struct fake_thread *thread)
{
    pthread_mutex_lock(&sum_lock);
    sum.takes += thread->takes;
    sum.contended += thread->contended;
    sum.timeouts += thread->timeouts;
    sum.drops += thread->drops;
    sum.answered += thread->answered;
    sum.requested += thread->requested;
    sum.abandoned += thread->abandoned;
    pthread_mutex_unlock(&sum_lock);
}

static void report(void)
{
    printf("%d %ld %ld %ld %ld %ld %ld %ld\n", getpid(), sum.takes, sum.contended, sum.timeouts, sum.drops,
           sum.answered, sum.requested, sum.abandoned);
    fflush(stdout);
}

void install(void)
{
    char message[512];
    if (gs_install(message, sizeof message) != GS_OK)
        DIE("%s", message);
}

void start(void)
{
    char message[8192];
    install();
    if (gs_start(trace, "  hostname = \"test\";\n", 1, message, sizeof message) != GS_OK)
        DIE("%s", message);
    memset(&main_thread, 0, sizeof main_thread);
    main_thread.gil = gil;
    main_thread.takes = 1;
}

void finish(void)
{
    gs_stop();
    add(&main_thread);
    report();
}

static void spin(long n)
{
    for (volatile long i = 0; i < n; i++)
        ;
}

void sleep_us(long us)
{
    struct timespec time = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&time, NULL);
}

void *spinner(void *argument)
{
    struct fake_thread self = {.gil = argument};
    fake_take(&self);
    atomic_fetch_add(&spinning, 1);
    while (!atomic_load(&stop_spinning)) {
        spin(200);
        fake_check(&self);
    }
    fake_drop(&self, 1);
    add(&self);
    return NULL;
}

void *sleeper(void *argument)
{
    struct fake_thread self = {.gil = argument};
    fake_take(&self);
    for (int i = 0; i < 20; i++) {
        fake_drop(&self, 0);
        sleep_us(100);
        fake_take(&self);
    }
    fake_drop(&self, 1);
    add(&self);
    return NULL;
}

void run_threads(void *(*body)(void *), int count, void *argument)
{
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, body, argument) != 0)
            DIE("no thread %d", i);
    fake_drop(&main_thread, 0);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    fake_take(&main_thread);
    free(threads);
}

void forget(void)
{
    memset(&sum, 0, sizeof sum);
    memset(&main_thread, 0, sizeof main_thread);
    main_thread.gil = gil;
}
