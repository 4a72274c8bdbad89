/* A holder that is sampled while its thread, its stack, its process or its rights go. Usage: sampled NAME TRACE N
 * [BROKER].
 *
 *   mortal       four threads at a time, on stacks that are unmapped when they have ended, in functions whose code lies
 *                on them too; each in one of its own, "<number>" of "/fake/<number>". N: rounds
 *   forks        N forks while the holder is sampled; the children are sampled too
 *   descriptors  N times, 0 is closed and what is opened then must be 0, while threads begin. Prints how often it was
 *   gave_up      the rights to its files: what is written after that comes by the broker's hand. N: the user
 *   copies       a holder of eight functions, in code without numbers, is sampled for N ms, longer if the sampler has no
 *                CPU. Prints how often the kernel was asked to copy memory
 *   scheduled    the process's own scheduler, sampled in native code, while threads come and go, N times */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gilscope.h"
#include "fake_frames.h"
#include "fake_python.h"
#include "sched/scheduler.h"

#define THREADS 4
#define STACK_SIZE (1u << 20)

static struct fake_gil *gil;
static struct fake_thread main_thread;
static struct fake_state main_state;
static const char *trace, *broker;
static long amount;
static atomic_uint versions;
static atomic_int stop;
static pthread_barrier_t together;

#define DIE(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), exit(1))

static void begin(void)
{
    char message[8192];
    if (gs_install(message, sizeof message) != GS_OK || gs_stacks_find(message, sizeof message) != GS_OK)
        DIE("%s", message);
    gs_stacks_use(1);
    if (broker != NULL)
        gs_use_broker(broker);
    if (gs_start(trace, "  hostname = \"test\";\n", 1, message, sizeof message) != GS_OK)
        DIE("%s", message);
}

static long long now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* Hold it for 2 ms from when somebody waits: two or three samples' worth. Who is the last has nobody. */
static void hold(void)
{
    for (int i = 0; i < 100 && fake_waiting(gil) == 0; i++)
        usleep(20);
    for (long long end = now_ns() + 2000000; now_ns() < end;)
        ;
}

static void call(struct fake_thread *self, long number)
{
    _Alignas(8) char code[FAKE_CODE_SIZE];
    char name[32], file[48];
    struct fake_frame frame;
    snprintf(name, sizeof name, "%ld", number);
    snprintf(file, sizeof file, "/fake/%ld", number);
    fake_code(code, name, 1, file, 7, number % 2 != 0 ? atomic_fetch_add(&versions, 1) + 1 : 0);
    fake_enter(&frame, code, 3);
    hold();
    fake_leave();
    fake_code_forget(code);
    fake_drop(self, 0);
    fake_take(self);
}

static void *live(void *number)
{
    struct fake_state state;
    struct fake_thread self = {.gil = gil, .state = &state};
    fake_state_begin(&state, gil);
    pthread_barrier_wait(&together);
    fake_take(&self);
    for (int i = 0; i < 3 || (amount == 0 && !atomic_load(&stop)); i++)
        call(&self, (long)number);
    fake_state_end();
    fake_drop(&self, 1);
    return NULL;
}

/* Each time the stacks lie where they were, or where nothing is any more. */
static void some_live(long first)
{
    pthread_t threads[THREADS];
    pthread_attr_t attributes;
    char *stacks = mmap(NULL, THREADS * STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stacks == MAP_FAILED)
        DIE("no stacks");
    fake_drop(&main_thread, 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_attr_init(&attributes);
        pthread_attr_setstack(&attributes, stacks + i * STACK_SIZE, STACK_SIZE);
        if (pthread_create(&threads[i], &attributes, live, (void *)(first + i)) != 0)
            DIE("no thread");
        pthread_attr_destroy(&attributes);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    munmap(stacks, THREADS * STACK_SIZE);
    struct timespec moment = {0, 1000000}; /* who had it last is gone now */
    nanosleep(&moment, NULL);
    fake_take(&main_thread);
}

static void mortal(void)
{
    begin();
    for (long i = 0; i < amount; i++)
        some_live(1 + i * THREADS);
    gs_stop();
}

static void child_works(void)
{
    fake_gil_after_fork(gil);
    main_thread = (struct fake_thread){.gil = gil, .state = &main_state};
    amount = 1;
    pthread_barrier_init(&together, NULL, THREADS);
    fake_take(&main_thread);
    some_live(1000000);
    gs_stop();
    _exit(0);
}

static void forks(void)
{
    long count = amount;
    pthread_t threads[THREADS];
    amount = 0;
    begin();
    fake_drop(&main_thread, 0);
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, live, (void *)(i + 1));
    for (long i = 0; i < count; i++) {
        int status;
        while (fake_waiting(gil) < 2) /* a thread that is being made may have a lock of the sanitizer's */
            usleep(100);
        fake_take(&main_thread);
        pid_t child = fork();
        if (child == 0)
            child_works();
        fake_drop(&main_thread, 0);
        if (waitpid(child, &status, 0) != child || status != 0)
            DIE("a child: status %x", status);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    fake_take(&main_thread);
    gs_stop();
}

static void *begin_threads(void *unused)
{
    while (!atomic_load(&stop)) {
        pthread_t threads[THREADS];
        for (long i = 0; i < THREADS; i++)
            pthread_create(&threads[i], NULL, live, (void *)(i + 1));
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    }
    return unused;
}

static void descriptors(void)
{
    pthread_t threads;
    long right = 0, count = amount;
    begin();
    fake_drop(&main_thread, 0);
    pthread_create(&threads, NULL, begin_threads, NULL);
    for (long i = 0; i < count; i++)
        right += close(0) == 0 && open("/dev/null", O_RDONLY | O_CLOEXEC) == 0;
    atomic_store(&stop, 1);
    pthread_join(threads, NULL);
    fake_take(&main_thread);
    gs_stop();
    printf("%ld\n", right);
}

static void gave_up(void)
{
    begin();
    if (setresuid((uid_t)amount, (uid_t)amount, (uid_t)amount) != 0)
        DIE("not root");
    for (long i = 0; i < 5; i++)
        some_live(1 + i * THREADS);
    gs_stop();
}

static atomic_long copies;

/* In the place of the C library's, for the core too. */
long syscall(long number, ...)
{
    static long (*real)(long, ...);
    long arguments[6];
    va_list list;
    if (number == SYS_process_vm_readv)
        atomic_fetch_add(&copies, 1);
    if (real == NULL)
        real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    return real(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}

static void call_deeper(int depth)
{
    _Alignas(8) char code[FAKE_CODE_SIZE];
    struct fake_frame frame;
    fake_code(code, "4", 1, "/fake/4", 7, 0);
    fake_enter(&frame, code, 3);
    if (depth > 1)
        call_deeper(depth - 1);
    else
        for (long long now = now_ns(), end = now + amount * 1000000, last = now + 20000000000;
             now < end || (now < last && atomic_load(&copies) < 200); now = now_ns())
            ;
    fake_leave();
    fake_code_forget(code);
}

static void *wait_once(void *unused)
{
    struct fake_state state;
    struct fake_thread self = {.gil = gil, .state = &state};
    fake_state_begin(&state, gil);
    fake_take(&self);
    fake_state_end();
    fake_drop(&self, 1);
    return unused;
}

static void count_copies(void)
{
    pthread_t thread;
    begin();
    long before = atomic_load(&copies);
    pthread_create(&thread, NULL, wait_once, NULL);
    call_deeper(8);
    printf("%ld\n", atomic_load(&copies) - before);
    fake_drop(&main_thread, 0);
    pthread_join(thread, NULL);
    fake_take(&main_thread);
    gs_stop();
}

static void scheduled(void)
{
    char message[8192];
    struct gs_sched_result result;
    begin();
    if (gs_sched_start(trace, "  hostname = \"test\";\n", GS_SCHED_PROCESS, 1, message, sizeof message) != 0) {
        printf("%s\n", message);
        return;
    }
    for (long i = 0; i < amount; i++) {
        some_live(1 + i * THREADS);
        if (i % 2 == 0) {
            gs_sched_pause();
            gs_sched_resume();
        }
    }
    gs_sched_stop(&result);
    gs_stop();
    if (result.failure != 0)
        DIE("ended early: %s", strerror(result.failure));
    printf("%lu\n", (unsigned long)result.events);
}

static const struct {
    const char *name;
    void (*run)(void);
} all[] = {{"mortal", mortal},   {"forks", forks},         {"descriptors", descriptors},
           {"gave_up", gave_up}, {"copies", count_copies}, {"scheduled", scheduled}};

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    trace = argv[2];
    amount = atol(argv[3]);
    broker = argc > 4 ? argv[4] : NULL;
    gil = fake_gil_new(5000);
    pthread_barrier_init(&together, NULL, THREADS);
    main_thread = (struct fake_thread){.gil = gil, .state = &main_state};
    fake_set_current(&main_thread);
    fake_state_begin(&main_state, gil);
    fake_take(&main_thread);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(argv[1], all[i].name) == 0) {
            all[i].run();
            return 0;
        }
    return 2;
}
