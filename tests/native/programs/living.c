/* Programs that are armed, under a fake interpreter. Usage: living NAME DIRECTORY [N]: sockets are in DIRECTORY/sockets,
 * recordings in DIRECTORY/trace. Prints what the Python test that runs this compares. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gilscope.h"
#include "fake_python.h"

#define DIE(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), exit(1))
#define BUSY 3

static struct fake_gil *gil;
static struct fake_thread main_thread;
static const char *directory;
static long amount;
static atomic_int over;
static pthread_t busy[BUSY];

static void sleep_us(long us)
{
    struct timespec time = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&time, NULL);
}

/* The listening thread is not the fake interpreter's: nobody waits for it while the GIL is held. */
static void arm(void)
{
    char place[4096], message[8192];
    snprintf(place, sizeof place, "%s/sockets", directory);
    if (gs_install(message, sizeof message) != GS_OK ||
        gs_arm(place, "  hostname = \"test\";\n", 1, message, sizeof message) != GS_OK)
        DIE("%s", message);
}

static int connected(pid_t pid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "sockets/%d.gilscope", (int)pid); /* main() has gone there */
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        fd = -1;
    }
    return fd;
}

/* Ask until somebody answers: a listener that steps aside for a fork closes what it has not heard. */
static void ask(pid_t pid, const char *request, char *answer, size_t size)
{
    for (int i = 0; i < 20000; i++) {
        int fd = connected(pid);
        ssize_t length = -1;
        if (fd >= 0) {
            fcntl(fd, F_SETFL, 0);
            if (send(fd, request, strlen(request), MSG_NOSIGNAL) >= 0)
                length = recv(fd, answer, size - 1, 0);
            close(fd);
        }
        if (length > 0) {
            answer[length] = '\0';
            return;
        }
        sleep_us(1000);
    }
    DIE("%d does not answer: %s", (int)pid, strerror(errno));
}

/* One recording, from outside. */
static void record(pid_t pid, long us)
{
    char request[4200], answer[8192];
    snprintf(request, sizeof request, "start\n%s/trace", directory);
    ask(pid, request, answer, sizeof answer);
    if (strncmp(answer, "ok\n", 3) != 0)
        DIE("start: %s", answer);
    sleep_us(us);
    ask(pid, "stop", answer, sizeof answer);
    if (strncmp(answer, "ok\n", 3) != 0)
        DIE("stop: %s", answer);
}

static void *spinner(void *argument)
{
    struct fake_thread self = {.gil = argument};
    fake_take(&self);
    while (!atomic_load(&over)) {
        for (volatile int i = 0; i < 200; i++)
            ;
        fake_check(&self);
    }
    fake_drop(&self, 1);
    return NULL;
}

static void *short_lived(void *argument)
{
    struct fake_thread self = {.gil = argument};
    for (int i = 0; i < 5; i++) {
        fake_take(&self);
        fake_drop(&self, i == 4);
    }
    return NULL;
}

/* Threads that start and end, one after another. */
static void *churn(void *argument)
{
    while (!atomic_load(&over)) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, short_lived, argument) != 0)
            DIE("no thread");
        pthread_join(thread, NULL);
    }
    return NULL;
}

static void begin_work(void)
{
    fake_drop(&main_thread, 0);
    for (int i = 0; i < BUSY; i++)
        pthread_create(&busy[i], NULL, i == 0 ? churn : spinner, gil);
}

static void end_work(void)
{
    atomic_store(&over, 1);
    for (int i = 0; i < BUSY; i++)
        pthread_join(busy[i], NULL);
    fake_take(&main_thread);
}

/* Recordings begin and end while threads do. */
static void attached(void)
{
    arm();
    begin_work();
    for (long i = 0; i < amount; i++)
        record(getpid(), 3000);
    end_work();
    gs_disarm();
}

static void child_is_recorded(void)
{
    fake_gil_after_fork(gil);
    gs_arm_again();
    memset(&main_thread, 0, sizeof main_thread);
    main_thread.gil = gil;
    fake_take(&main_thread);
    pthread_t thread;
    pthread_create(&thread, NULL, short_lived, gil);
    fake_drop(&main_thread, 0);
    record(getpid(), 2000);
    pthread_join(thread, NULL);
    fake_take(&main_thread);
    gs_disarm();
    _exit(0);
}

static void fork_one(void (*child)(void))
{
    fake_take(&main_thread);
    pid_t pid = fork();
    if (pid == 0)
        child();
    gs_arm_again();
    fake_drop(&main_thread, 0);
    int status;
    waitpid(pid, &status, 0);
    if (status != 0)
        DIE("child: status %x", status);
}

/* Forks of an armed process whose other threads work; children are armed, and so is the parent after them. */
static void forked(void)
{
    arm();
    begin_work();
    for (long i = 0; i < amount; i++)
        fork_one(child_is_recorded);
    record(getpid(), 3000);
    end_work();
    gs_disarm();
}

static void *client(void *unused)
{
    for (long i = 0; i < 4 * amount; i++)
        record(getpid(), 500);
    atomic_store(&over, 1);
    return unused;
}

static void child_works(void)
{
    fake_gil_after_fork(gil);
    gs_arm_again();
    memset(&main_thread, 0, sizeof main_thread);
    main_thread.gil = gil;
    fake_take(&main_thread);
    fake_drop(&main_thread, 0);
    fake_take(&main_thread);
    gs_disarm();
    _exit(0);
}

/* Forks while recordings begin and end: at any moment of it. */
static void forked_meanwhile(void)
{
    pthread_t asks;
    arm();
    begin_work();
    pthread_create(&asks, NULL, client, NULL);
    while (!atomic_load(&over)) {
        fork_one(child_works);
        sleep_us(20000);
    }
    pthread_join(asks, NULL);
    end_work();
    gs_disarm();
}

/* Somebody else's process, also where file rights were lax: its answer is printed. */
static void stranger(void)
{
    char answer[8192], path[64];
    arm();
    pid_t armed = getpid(), pid = fork();
    if (pid == 0) {
        if (setgid(65534) != 0 || setuid(65534) != 0)
            DIE("%s", strerror(errno));
        ask(armed, "status", answer, sizeof answer);
        printf("%s\n", answer);
        fflush(stdout);
        _exit(0);
    }
    gs_arm_again();
    ask(armed, "status", answer, sizeof answer); /* it listens again */
    snprintf(path, sizeof path, "sockets/%d.gilscope", (int)armed);
    if (chmod("sockets", 0755) != 0 || chmod(path, 0666) != 0)
        DIE("%s", strerror(errno));
    int status;
    waitpid(pid, &status, 0);
    if (status != 0)
        DIE("child: status %x", status);
    gs_disarm();
}

/* What must not be waited for, nor harm: nothing said, nothing in it, garbage, too long, gone before the answer, and very
 * many at once. The program goes on, and who asks as one should is answered. Prints how many got in. */
static void hostile(void)
{
    static char large[60000];
    static int open[64];
    char answer[8192];
    long in = 0;
    memset(large, 'x', sizeof large);
    arm();
    begin_work();
    for (long i = 0; i < amount; i++) {
        int fd = connected(getpid());
        if (fd < 0)
            continue;
        in++;
        ssize_t sent = i % 4 == 0   ? 0 /* nothing: it is looked at below, or never */
                       : i % 4 == 1 ? send(fd, "", 0, MSG_NOSIGNAL)
                       : i % 4 == 2 ? send(fd, "start\nrelative\n\n%n%s", 19, MSG_NOSIGNAL)
                                    : send(fd, large, sizeof large, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            DIE("send: %s", strerror(errno));
        int *place = &open[in % 64];
        if (*place > 0)
            close(*place);
        *place = fd;
    }
    for (int i = 0; i < 64; i++)
        if (open[i] > 0)
            close(open[i]);
    ask(getpid(), "start\n/nowhere/at/all", answer, sizeof answer);
    printf("%s\n", strtok(answer, "\n"));
    ask(getpid(), "bye", answer, sizeof answer);
    printf("%s\n", answer);
    record(getpid(), 3000);
    end_work();
    gs_disarm();
}

/* The disk fills while it is recorded from outside: that ends, the program goes on, and the next recording is as ever. */
static void full(void)
{
    struct rlimit before, limit;
    char answer[8192], request[4200];
    signal(SIGXFSZ, SIG_IGN);
    arm();
    getrlimit(RLIMIT_FSIZE, &before);
    limit = (struct rlimit){(rlim_t)amount, before.rlim_max};
    snprintf(request, sizeof request, "start\n%s/trace", directory);
    ask(getpid(), request, answer, sizeof answer);
    setrlimit(RLIMIT_FSIZE, &limit);
    begin_work();
    for (int i = 0; i < 1000 && strstr(answer, "recording 1") != NULL; i++) {
        sleep_us(20000);
        ask(getpid(), "status", answer, sizeof answer);
    }
    char *failure = strstr(answer, "failure");
    printf("%s\n", failure == NULL ? answer : strtok(failure, "\n"));
    ask(getpid(), "stop", answer, sizeof answer);
    setrlimit(RLIMIT_FSIZE, &before);
    record(getpid(), 3000);
    end_work();
    gs_disarm();
}

/* Many packets in little time, while somebody else (the test) gives up the first and copies the rest. */
static void *taker(void *argument)
{
    struct fake_thread self = {.gil = argument};
    while (!atomic_load(&over)) {
        fake_take(&self);
        fake_drop(&self, 0);
    }
    return NULL;
}

/* Ends when its standard input does. A line of it: ask for a snapshot there; prints the errno. */
static void kept(void)
{
    char message[8192], trace[4200], line[4200];
    pthread_t takers[2];
    struct gs_status status;
    snprintf(trace, sizeof trace, "%s/trace", directory);
    if (gs_install(message, sizeof message) != GS_OK ||
        gs_start(trace, "  hostname = \"test\";\n", 1, message, sizeof message) != GS_OK)
        DIE("%s", message);
    for (int i = 0; i < 2; i++)
        pthread_create(&takers[i], NULL, taker, gil);
    fake_drop(&main_thread, 0);
    printf("%d\n", (int)getpid());
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        fake_take(&main_thread);
        printf("%d\n", gs_snapshot(line));
        fake_drop(&main_thread, 0);
        fflush(stdout);
    }
    atomic_store(&over, 1);
    for (int i = 0; i < 2; i++)
        pthread_join(takers[i], NULL);
    fake_take(&main_thread);
    gs_get_status(&status);
    gs_stop();
    printf("%d\n", (int)status.failure);
}

static const struct {
    const char *name;
    void (*run)(void);
    long amount;
} scenarios[] = {
    {"attached", attached, 10}, {"forked", forked, 3},   {"forked_meanwhile", forked_meanwhile, 2},
    {"stranger", stranger, 0},  {"hostile", hostile, 10000}, {"full", full, 1 << 18},
    {"kept", kept, 0},
};

int main(int argc, char **argv)
{
    if (argc < 3 || chdir(argv[2]) != 0)
        DIE("usage: living NAME DIRECTORY [N]");
    directory = argv[2];
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        if (strcmp(argv[1], scenarios[i].name) == 0) {
            amount = argc > 3 ? atol(argv[3]) : scenarios[i].amount;
            gil = fake_gil_new(500);
            main_thread.gil = gil;
            fake_set_current(&main_thread);
            fake_take(&main_thread);
            scenarios[i].run();
            return 0;
        }
    DIE("no scenario %s", argv[1]);
}
