/* Threads that call functions of known names, under the recorder with stacks. Usage: stacks NAME TRACE N.
 *
 *   nested    four threads, each in functions of its own: at depth d of thread t in "t<t>.<d>" of "/fake/t<t>.<d>",
 *             up to 90 deep, at instruction d % 32; between them what is no function. N: calls a thread.
 *             Then "alone", which nobody waits for.
 *   reused    four threads: a code object lives for one call only, and the next is made in the same memory; its
 *             name is its number, which grows, its file "/fake/<number>". N: calls a thread.
 *   plain     the same with code objects that have no version
 *   full      the same in a hurry: for more functions than there is room to know
 *   over      threads that wait and release while the interpreter is ending: nothing may be looked at
 *   restarts  recordings that begin and end under threads that run, N of them; prints nothing
 *   forks     a child of a process with running threads goes on with its own numbers */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gilscope.h"
#include "fake_frames.h"
#include "fake_python.h"

#define THREADS 4
#define DEEPEST 90

static struct fake_gil *gil;
static struct fake_thread main_thread;
static struct fake_state main_state;
static const char *trace;
static long amount;
static atomic_int stop;
static atomic_long worked; /* calls of work by all threads */
static atomic_uint versions;
static int numbered = 1, hasty;
static pthread_barrier_t together;

#define DIE(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), exit(1))

static void start(void)
{
    char message[8192];
    if (gs_start(trace, "  hostname = \"test\";\n", 1, message, sizeof message) != GS_OK)
        DIE("%s", message);
}

static void begin(void)
{
    char message[8192];
    if (gs_install(message, sizeof message) != GS_OK || gs_stacks_find(message, sizeof message) != GS_OK)
        DIE("%s", message);
    gs_stacks_use(1);
    start();
}

static uint32_t next_version(void)
{
    return numbered ? atomic_fetch_add(&versions, 1) + 1 : 0;
}

/* Hold the GIL until somebody waits for it, within reason, then let it go. */
static void work(struct fake_thread *self)
{
    for (int i = 0; i < 1000 && fake_waiting(gil) == 0 && !hasty; i++)
        for (volatile int j = 0; j < 300; j++)
            ;
    for (volatile int i = 0; i < 300; i++)
        ;
    fake_drop(self, 0);
    if (!hasty)
        usleep(10);
    fake_take(self);
    atomic_fetch_add(&worked, 1);
}

/* Without the GIL, until the others have worked so often, however slow the machine is. */
static void let_others_work(long often)
{
    fake_drop(&main_thread, 0);
    for (long before = atomic_load(&worked); atomic_load(&worked) < before + often;)
        usleep(100);
    fake_take(&main_thread);
}

static void call(struct fake_thread *self, char (*codes)[FAKE_CODE_SIZE], int depth, int deepest)
{
    struct fake_frame frame, between;
    fake_enter(&frame, codes[depth], (unsigned)depth % 32);
    if (depth % 3 == 0)
        frame.executable = (const char *)frame.executable + 1; /* a tag */
    if (depth % 5 == 0) {
        if (depth % 2 == 0)
            between = (struct fake_frame){.owner = 3, .executable = codes[depth]};
        else
            between = (struct fake_frame){.executable = (const void *)1}; /* none, tagged */
        fake_push(&between);
    }
    if (depth < deepest)
        call(self, codes, depth + 1, deepest);
    else
        work(self);
    if (depth % 5 == 0)
        fake_leave();
    fake_leave();
}

struct nest {
    pthread_t thread;
    int number;
    _Alignas(8) char codes[DEEPEST][FAKE_CODE_SIZE];
};

static void *nest(void *argument)
{
    struct nest *nest = argument;
    struct fake_state state;
    struct fake_thread self = {.gil = gil, .state = &state};
    fake_state_begin(&state, gil);
    pthread_barrier_wait(&together);
    fake_take(&self);
    for (long i = 0; amount == 0 ? !atomic_load(&stop) : i < amount; i++)
        call(&self, nest->codes, 0, (int)(i * 7 % DEEPEST));
    fake_state_end();
    fake_drop(&self, 1);
    return NULL;
}

static struct nest *nests_begin(void)
{
    struct nest *nests = calloc(THREADS, sizeof *nests);
    for (int t = 0; t < THREADS; t++) {
        nests[t].number = t;
        for (int depth = 0; depth < DEEPEST; depth++) {
            char name[32], file[48];
            snprintf(name, sizeof name, "t%d.%d", t, depth);
            snprintf(file, sizeof file, "/fake/%s", name);
            fake_code(nests[t].codes[depth], name, t < 2 ? 1 : t == 2 ? 2 : 4, file, depth + 1, next_version());
        }
        pthread_create(&nests[t].thread, NULL, nest, &nests[t]);
    }
    pthread_barrier_wait(&together);
    return nests;
}

static void nests_end(struct nest *nests)
{
    fake_drop(&main_thread, 0);
    for (int t = 0; t < THREADS; t++) {
        pthread_join(nests[t].thread, NULL);
        for (int depth = 0; depth < DEEPEST; depth++)
            fake_code_forget(nests[t].codes[depth]);
    }
    fake_take(&main_thread);
    free(nests);
}

static void nested(void)
{
    static _Alignas(8) char code[FAKE_CODE_SIZE];
    struct fake_frame frame;
    begin();
    nests_end(nests_begin());
    fake_code(code, "alone", 1, "/fake/alone", 1, next_version());
    fake_enter(&frame, code, 0);
    for (int i = 0; i < 50; i++) {
        fake_drop(&main_thread, 0);
        fake_take(&main_thread);
    }
    fake_leave();
    gs_stop();
}

static void *reuse(void *argument)
{
    struct fake_state state;
    struct fake_thread self = {.gil = gil, .state = &state};
    long number = (long)argument * 1000000;
    _Alignas(8) char code[FAKE_CODE_SIZE];
    fake_state_begin(&state, gil);
    pthread_barrier_wait(&together);
    fake_take(&self);
    for (long i = 0; i < amount; i++, number++) {
        char name[32], file[48];
        struct fake_frame frame;
        snprintf(name, sizeof name, "%ld", number);
        snprintf(file, sizeof file, "/fake/%ld", number);
        fake_code(code, name, 1, file, 7, next_version());
        fake_enter(&frame, code, 3);
        work(&self);
        fake_leave();
        fake_code_forget(code);
    }
    fake_state_end();
    fake_drop(&self, 1);
    return NULL;
}

static void run(void *(*body)(void *))
{
    pthread_t threads[THREADS];
    for (long t = 0; t < THREADS; t++)
        pthread_create(&threads[t], NULL, body, (void *)(t + 1));
    pthread_barrier_wait(&together);
    fake_drop(&main_thread, 0);
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    fake_take(&main_thread);
}

static void reused(void)
{
    begin();
    run(reuse);
    gs_stop();
}

static void plain(void)
{
    numbered = 0;
    reused();
}

static void full(void)
{
    hasty = 1;
    reused();
}

/* The thread states are gone, and whoever looks at one crashes. */
static void over(void)
{
    begin();
    struct nest *nests = nests_begin();
    let_others_work(40);
    __atomic_store_n(&fake_finalizing, 1, __ATOMIC_RELEASE);
    nests_end(nests);
    gs_stop();
}

static void restarts(void)
{
    long count = amount;
    amount = 0;
    begin();
    struct nest *nests = nests_begin();
    for (long i = 0; i < count; i++) {
        let_others_work(10);
        gs_stop();
        start();
    }
    atomic_store(&stop, 1);
    nests_end(nests);
    gs_stop();
}

static void forks(void)
{
    begin();
    struct nest *nests = nests_begin();
    let_others_work(40);
    pid_t child = fork();
    if (child == 0) {
        fake_gil_after_fork(gil);
        pthread_barrier_init(&together, NULL, THREADS + 1);
        fake_take(&main_thread);
        struct nest *its = nests_begin();
        nests_end(its);
        gs_stop();
        _exit(0);
    }
    nests_end(nests);
    int status;
    waitpid(child, &status, 0);
    if (status != 0)
        DIE("the child failed: %d", status);
    gs_stop();
}

static const struct {
    const char *name;
    void (*run)(void);
} all[] = {{"nested", nested}, {"reused", reused}, {"plain", plain}, {"full", full},
           {"over", over},     {"restarts", restarts}, {"forks", forks}};

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    trace = argv[2];
    amount = atol(argv[3]);
    gil = fake_gil_new(5000);
    pthread_barrier_init(&together, NULL, THREADS + 1);
    main_thread.gil = gil;
    main_thread.state = &main_state;
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
