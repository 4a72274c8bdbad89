/* Threads of one GIL: they contend, come and go, wait long, are cancelled, give up. */
#define _GNU_SOURCE
#include "scenarios.h"

static void *stopper(void *argument)
{
    (void)argument;
    sleep_us(amount * 1000);
    atomic_store(&stop_spinning, 1);
    return NULL;
}

void contention(void)
{
    pthread_t timer;
    start();
    pthread_create(&timer, NULL, stopper, NULL);
    run_threads(spinner, 4, gil);
    pthread_join(timer, NULL);
    finish();
}

void churn(void)
{
    start();
    for (long i = 0; i < amount; i++)
        run_threads(sleeper, 1, gil);
    finish();
}

static pthread_barrier_t everyone;

static void *together(void *argument)
{
    struct fake_thread self = {.gil = argument};
    fake_take(&self);
    fake_drop(&self, 0);
    pthread_barrier_wait(&everyone);
    fake_take(&self);
    fake_drop(&self, 1);
    add(&self);
    return NULL;
}

void crowd(void)
{
    pthread_barrier_init(&everyone, NULL, (unsigned)amount);
    start();
    run_threads(together, (int)amount, gil);
    finish();
}

/* One thread holds for long while others time out again and again: packets fill inside one wait. */
void long_wait(void)
{
    pthread_t waiters[2];
    start();
    atomic_store(&stop_spinning, 1);
    for (int i = 0; i < 2; i++)
        pthread_create(&waiters[i], NULL, spinner, gil);
    sleep_us(amount * 1000);
    fake_drop(&main_thread, 1);
    for (int i = 0; i < 2; i++)
        pthread_join(waiters[i], NULL);
    fake_take(&main_thread);
    finish();
}

static atomic_int all_done;

static __attribute__((noinline)) void take_and_drop(struct fake_gil *its)
{
    struct fake_thread self = {.gil = its};
    for (long i = 0; i < amount; i++) {
        fake_take(&self);
        fake_drop(&self, 0);
    }
    add(&self);
}

/* What a take and a drop do without anybody in the way is no cancellation point. (The address sanitizer wants that
 * no variable is in memory where it ends.) */
static void *cancelled(void *argument)
{
    pthread_cancel(pthread_self());
    take_and_drop(argument);
    atomic_store(&all_done, 1);
    pthread_testcancel();
    DIE("not cancelled");
}

void cancel(void)
{
    pthread_t thread;
    void *result;
    start();
    fake_drop(&main_thread, 0);
    pthread_create(&thread, NULL, cancelled, gil);
    pthread_join(thread, &result);
    if (result != PTHREAD_CANCELED || !atomic_load(&all_done))
        DIE("cancelled too early");
    fake_take(&main_thread);
    finish();
}

static atomic_int exiting;

static void *daemon_thread(void *argument)
{
    struct fake_thread self = {.gil = argument};
    if (!fake_take_unless(&self, &exiting)) {
        add(&self);
        return NULL;
    }
    DIE("the daemon got the GIL");
}

void abandon(void)
{
    pthread_t daemon;
    start();
    pthread_create(&daemon, NULL, daemon_thread, gil);
    sleep_us(20000);
    atomic_store(&exiting, 1);
    pthread_join(daemon, NULL);
    finish();
}
