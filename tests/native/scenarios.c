/* Programs with known numbers of takes, waits and drops, under the recorder. Usage: scenarios NAME TRACE [N].
 * Prints what the fake interpreter counted, a line a process: "pid takes contended timeouts drops answered
 * requested abandoned". The Python test that runs this holds the trace against it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gilscope.h"
#include "fake_python.h"

static struct fake_gil *gil;
static struct fake_thread main_thread;
static const char *trace;
static long amount;
static atomic_int stop_spinning;
static pthread_mutex_t sum_lock = PTHREAD_MUTEX_INITIALIZER;
static struct fake_thread sum;

#define DIE(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), exit(1))

static void add(const struct fake_thread *thread)
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

static void install(void)
{
    char message[512];
    if (gs_install(message, sizeof message) != GS_OK)
        DIE("%s", message);
}

/* Counting begins with the recording, whose first event says that the starter holds the GIL. */
static void start(void)
{
    char message[8192];
    install();
    if (gs_start(trace, "  hostname = \"test\";\n", 1, message, sizeof message) != GS_OK)
        DIE("%s", message);
    memset(&main_thread, 0, sizeof main_thread);
    main_thread.gil = gil;
    main_thread.takes = 1;
}

static void finish(void)
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

static void sleep_us(long us)
{
    struct timespec time = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&time, NULL);
}

static atomic_int spinning; /* threads that began to */

static void *spinner(void *argument)
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

static void *sleeper(void *argument)
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

static void run_threads(void *(*body)(void *), int count, void *argument)
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

static void *stopper(void *argument)
{
    (void)argument;
    sleep_us(amount * 1000);
    atomic_store(&stop_spinning, 1);
    return NULL;
}

static void contention(void)
{
    pthread_t timer;
    start();
    pthread_create(&timer, NULL, stopper, NULL);
    run_threads(spinner, 4, gil);
    pthread_join(timer, NULL);
    finish();
}

static void churn(void)
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

static void crowd(void)
{
    pthread_barrier_init(&everyone, NULL, (unsigned)amount);
    start();
    run_threads(together, (int)amount, gil);
    finish();
}

/* One thread holds for long while others time out again and again: packets fill inside one wait. */
static void long_wait(void)
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

static void cancel(void)
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

static void abandon(void)
{
    pthread_t daemon;
    start();
    pthread_create(&daemon, NULL, daemon_thread, gil);
    sleep_us(20000);
    atomic_store(&exiting, 1);
    pthread_join(daemon, NULL);
    finish();
}

static void more_gils(void)
{
    start();
    fake_drop(&main_thread, 0);
    for (int i = 0; i < amount; i++) {
        struct fake_gil *other = fake_gil_new(500);
        struct fake_thread owner = {.gil = other};
        pthread_t threads[2];
        fake_take(&owner);
        atomic_store(&stop_spinning, 0);
        for (int k = 0; k < 2; k++)
            pthread_create(&threads[k], NULL, spinner, other);
        fake_drop(&owner, 0);
        sleep_us(5000);
        atomic_store(&stop_spinning, 1);
        for (int k = 0; k < 2; k++)
            pthread_join(threads[k], NULL);
        fake_take(&owner);
        fake_drop(&owner, 1);
        fake_gil_destroy(other);
        add(&owner);
    }
    fake_take(&main_thread);
    finish();
}

/* So many at once, and as many after them, when the first are gone. */
static void many_gils(void)
{
    struct fake_gil **others = calloc((size_t)amount, sizeof *others);
    start();
    fake_drop(&main_thread, 0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < amount; i++) {
            struct fake_thread owner = {.gil = others[i] = fake_gil_new(5000)};
            fake_take(&owner);
            fake_drop(&owner, 1);
            add(&owner);
        }
        for (int i = 0; i < amount; i++)
            fake_gil_destroy(others[i]);
    }
    free(others);
    fake_take(&main_thread);
    finish();
}

static void child_works(void)
{
    fake_gil_after_fork(gil);
    memset(&sum, 0, sizeof sum);
    memset(&main_thread, 0, sizeof main_thread);
    main_thread.gil = gil;
    fake_take(&main_thread);
    run_threads(sleeper, 2, gil);
    finish();
}

/* Forks while other threads take and drop, and start and end. */
static void forks(void)
{
    pthread_t busy[2];
    start();
    for (int i = 0; i < 2; i++)
        pthread_create(&busy[i], NULL, spinner, gil);
    for (long i = 0; i < amount; i++) {
        fake_drop(&main_thread, 0);
        do /* a thread that is being made may have a lock of the sanitizer's, and then the child has it for ever */
            sleep_us(1000);
        while (atomic_load(&spinning) < 2);
        fake_take(&main_thread);
        pid_t child = fork();
        if (child == 0) {
            child_works();
            _exit(0);
        }
        fake_drop(&main_thread, 0);
        int status;
        waitpid(child, &status, 0);
        fake_take(&main_thread);
        if (status != 0)
            DIE("child: status %x", status);
    }
    fake_drop(&main_thread, 0);
    atomic_store(&stop_spinning, 1);
    for (int i = 0; i < 2; i++)
        pthread_join(busy[i], NULL);
    fake_take(&main_thread);
    finish();
}

/* Recordings one after another while threads run; each goes to TRACE/<pid>, <pid>_2, ... */
static void restarts(void)
{
    pthread_t busy[3];
    install();
    for (int i = 0; i < 3; i++)
        pthread_create(&busy[i], NULL, spinner, gil);
    for (long i = 0; i < amount; i++) {
        start();
        fake_drop(&main_thread, 0);
        sleep_us(3000);
        fake_take(&main_thread);
        gs_stop();
        if (i % 3 == 0)
            gs_uninstall();
        fake_drop(&main_thread, 0);
        sleep_us(500);
        fake_take(&main_thread);
    }
    fake_drop(&main_thread, 0);
    atomic_store(&stop_spinning, 1);
    for (int i = 0; i < 3; i++)
        pthread_join(busy[i], NULL);
}

/* Space ends after amount bytes a file: recording ends, the program does not notice. */
static void full(void)
{
    struct rlimit limit = {(rlim_t)amount, (rlim_t)amount};
    struct gs_status status;
    signal(SIGXFSZ, SIG_IGN);
    start();
    setrlimit(RLIMIT_FSIZE, &limit);
    for (int i = 0; i < 200; i++)
        run_threads(sleeper, 1, gil);
    gs_get_status(&status);
    gs_stop();
    printf("failure %d discarded %lu\n", status.failure, (unsigned long)status.discarded);
}

/* A recorder that was closed: its hooks may still be called. */
static void closed(void)
{
    start();
    fake_drop(&main_thread, 0);
    fake_take(&main_thread);
    finish();
    Dl_info core;
    dladdr((void *)gs_start, &core);
    void *again = dlopen(core.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    dlclose(again);
    dlclose(again);
    fake_drop(&main_thread, 0);
    fake_take(&main_thread);
}

int interposer_install(const void *code, char *message, size_t size);
void interposer_remove(void);
long interposer_calls(void);

static void work_some(void)
{
    for (int i = 0; i < 100; i++) {
        fake_drop(&main_thread, 0);
        fake_take(&main_thread);
    }
}

static void interpose(void)
{
    char message[512];
    if (!interposer_install((void *)PyEval_SaveThread, message, sizeof message))
        DIE("%s", message);
}

static void expect_calls(long *before, int more)
{
    long now = interposer_calls();
    if ((now > *before) != more)
        DIE("the other hooks were %scalled", more ? "not " : "");
    *before = now;
}

/* Their hooks are in before ours, and stay when ours go. */
static void interposed_before(void)
{
    long calls = 0;
    interpose();
    start();
    work_some();
    expect_calls(&calls, 1);
    finish();
    gs_uninstall();
    work_some();
    expect_calls(&calls, 1);
    interposer_remove();
    work_some();
    expect_calls(&calls, 0);
}

/* Theirs come over ours: ours can't be taken out from below, and must not call themselves when put in again. */
static void interposed_after(void)
{
    long calls = 0;
    install();
    interpose();
    work_some();
    expect_calls(&calls, 1);
    gs_uninstall();
    work_some();
    expect_calls(&calls, 1);
    start();
    work_some();
    expect_calls(&calls, 1);
    finish();
    interposer_remove();
    gs_uninstall();
    work_some();
    expect_calls(&calls, 0);
    install();
    work_some();
}

static const struct {
    const char *name;
    void (*run)(void);
    long interval_us, amount;
} scenarios[] = {
    {"contention", contention, 500, 300}, {"churn", churn, 5000, 1000}, {"crowd", crowd, 5000, 500},
    {"long_wait", long_wait, 20, 1500},   {"abandon", abandon, 1000, 0}, {"more_gils", more_gils, 5000, 5},
    {"many_gils", many_gils, 5000, 3000},
    {"forks", forks, 500, 10},            {"restarts", restarts, 500, 30}, {"full", full, 5000, 32768},
    {"cancel", cancel, 5000, 5000},       {"closed", closed, 5000, 0},
    {"interposed_before", interposed_before, 5000, 0}, {"interposed_after", interposed_after, 5000, 0},
};

int main(int argc, char **argv)
{
    if (argc < 3)
        DIE("usage: scenarios NAME TRACE [N]");
    trace = argv[2];
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        if (strcmp(argv[1], scenarios[i].name) == 0) {
            amount = argc > 3 ? atol(argv[3]) : scenarios[i].amount;
            gil = fake_gil_new(scenarios[i].interval_us);
            main_thread.gil = gil;
            fake_set_current(&main_thread);
            fake_take(&main_thread);
            scenarios[i].run();
            return 0;
        }
    DIE("no scenario %s", argv[1]);
}
