/* A thread of its own takes the kernel's records and writes what they say. It shares nothing with the threads
 * that are recorded; signals are not for it. */
#define _GNU_SOURCE
#include "sched/scheduler.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/aside.h"
#include "base/clock.h"
#include "base/helper.h"
#include "sched/lanes.h"
#include "stream/metadata.h"
#include "sched/rings.h"
#include "sched/tasks.h"

#define PAUSE_MS 200       /* how old the files may be */
#define GONE_WITHIN 2000   /* turns that whoever ends the thread yields to it */
#define SETTLED_NS 2000000 /* after which no CPU has an earlier record on the way */

static struct {
    struct gs_rings rings;
    struct gs_lanes lanes;
    char directory[PATH_MAX - 32];
    pthread_t thread;
    sem_t ready, go;
    _Atomic bool over, pausing;
    bool running, begun, paused, of_process, of_other;
    const char *environment; /* and where to say what went wrong: while it begins */
    char *message;
    size_t size;
    char native[160];
    uint32_t of;  /* the process that is recorded, where it lives already */
    uint32_t pid; /* whose recording it is: a forked child has a copy of this, and no thread */
    uint64_t cpu_ns;
} sched;

static void metadata_path(char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/metadata", sched.directory);
}

static int finish(void *unused)
{
    char path[PATH_MAX];
    (void)unused;
    uint64_t now = gs_lanes_finish(&sched.lanes);
    metadata_path(path);
    if (!gs_metadata_end_sched(path, now, gs_lanes_files(&sched.lanes)) && sched.lanes.failure == 0)
        sched.lanes.failure = errno;
    return 0;
}

static void drain_until_over(void)
{
    uint64_t flushed = gs_clock_read(CLOCK_MONOTONIC);
    while (!atomic_load(&sched.over) && !atomic_load(&sched.pausing)) {
        gs_rings_wait(&sched.rings, PAUSE_MS);
        uint64_t now = gs_clock_read(CLOCK_MONOTONIC);
        gs_lanes_drain(&sched.lanes, now - SETTLED_NS);
        if (now - flushed >= PAUSE_MS * UINT64_C(1000000)) {
            gs_lanes_flush(&sched.lanes);
            flushed = now;
        }
    }
    if (atomic_load(&sched.over))
        finish(NULL);
}

static bool begin_files(void)
{
    char path[PATH_MAX];
    if (mkdir(sched.directory, 0700) != 0)
        return false;
    metadata_path(path);
    if (gs_metadata_write_sched(path, sched.environment, sched.native, sched.pid, (uint32_t)getppid(), sched.lanes.begin))
        return true;
    int error = errno;
    unlink(path);
    rmdir(sched.directory);
    errno = error;
    return false;
}

static void release(void)
{
    gs_lanes_end(&sched.lanes);
    gs_rings_close(&sched.rings);
}

static void end_thread(void)
{
    pid_t pid = getpid();
    sem_post(&sched.go);
    pthread_join(sched.thread, NULL);
    for (int i = 0; i < GONE_WITHIN && syscall(SYS_tgkill, pid, sched.lanes.not_of[0], 0) == 0; i++)
        sched_yield(); /* until the kernel does not count it any more */
    sem_destroy(&sched.ready);
    sem_destroy(&sched.go);
}

static bool is_helper(uint32_t tid)
{
    char path[64], comm[32] = "";
    snprintf(path, sizeof path, "/proc/%u/task/%u/comm", sched.of, tid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    bool is = fgets(comm, sizeof comm, file) != NULL && strcmp(comm, GS_HELPER_NAME "\n") == 0;
    fclose(file);
    return is;
}

/* Threads that live already: nothing will be said of where they come from. */
static void tell_living(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%u/task", sched.of);
    DIR *tasks = opendir(path);
    if (tasks == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        uint32_t tid = (uint32_t)strtoul(entry->d_name, NULL, 10);
        if (tid != 0 && is_helper(tid))
            gs_lanes_leave_out(&sched.lanes, tid, true);
        else if (tid != 0 && tid != sched.lanes.not_of[0])
            gs_tasks_tell(&(struct gs_news){
                .time = sched.lanes.begin, .kind = GS_TASK_SEEN, .pid = sched.of, .tid = tid});
    }
    closedir(tasks);
}

/* What it has in memory already: of what comes the kernel tells. */
static void tell_mapped(void)
{
    FILE *file = fopen("/proc/self/maps", "re");
    char line[PATH_MAX + 128];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        struct gs_news news = {.time = sched.lanes.begin, .kind = GS_TASK_MAP, .pid = sched.pid, .tid = sched.pid};
        uint64_t begin, end, offset;
        int path = 0;
        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*c%*c%*[x]%*c %" SCNx64 " %*s %*s %n", &begin, &end, &offset, &path) ==
                3 &&
            path > 0)
            gs_tasks_tell_map(&news, begin, end, offset, line[path] != '\0' ? line + path : "//anon");
    }
    if (file != NULL)
        fclose(file);
}

static void say_of_native(bool wanted)
{
    const struct gs_perf_wants *wants = &sched.rings.wants;
    snprintf(sched.native, sizeof sched.native, "%s%s", wants->samples ? "on" : "off",
             wanted && !wants->samples ? ": this kernel does not sample them" : "");
    if (wants->refused != 0)
        snprintf(sched.native, sizeof sched.native, "off: the kernel does not sample them (%s)", strerror(wants->refused));
}

static bool begin(void)
{
    bool wanted = sched.rings.wants.samples;
    bool opened = sched.of_process || sched.of_other
                      ? gs_rings_open_for_process(&sched.rings, sched.of, sched.lanes.not_of[0], sched.message, sched.size)
                      : gs_rings_open_for_exec(&sched.rings, sched.message, sched.size);
    if (!opened)
        return false;
    say_of_native(wanted);
    sched.lanes.native = sched.rings.wants.samples;
    if (gs_lanes_begin(&sched.lanes, &sched.rings, sched.directory, sched.pid, !sched.of_process && !sched.of_other) && begin_files()) {
        if (sched.of_process || sched.of_other)
            tell_living();
        if (sched.of_process && sched.lanes.native)
            tell_mapped();
        return true;
    }
    snprintf(sched.message, sched.size, "%s; --no-sched leaves it out", strerror(errno));
    release();
    return false;
}

/* In the program's own process its files are opened here, in a table that no thread of the program shares. */
static void *run(void *unused)
{
    prctl(PR_SET_NAME, "gilscope sched");
    sched.lanes.not_of[1] = sched.lanes.not_of[0];
    sched.lanes.not_of[0] = (uint32_t)syscall(SYS_gettid);
    if (sched.of_process)
        sched.rings.apart = gs_aside_stay();
    if (sched.of_process && !sched.paused)
        sched.begun = begin();
    sem_post(&sched.ready);
    while (sem_wait(&sched.go) != 0) {
    }
    if (sched.begun)
        drain_until_over();
    if (sched.rings.apart)
        gs_aside_close_all(); /* takes its time, and who waits for the thread's end does not wait for that */
    sched.cpu_ns += gs_clock_read(CLOCK_THREAD_CPUTIME_ID);
    return unused;
}

/* Before the events are: they are inherited by the threads that come after. */
static bool begin_thread(void)
{
    sigset_t all, mask;
    sem_init(&sched.ready, 0, 0);
    sem_init(&sched.go, 0, 0);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    int error = pthread_create(&sched.thread, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    while (error == 0 && sem_wait(&sched.ready) != 0) {
    }
    errno = error;
    return error == 0;
}

static int start(const char *directory, const char *environment, int scope, uint32_t of, int native, char *message,
                 size_t size)
{
    uint32_t pid = (uint32_t)getpid();
    if (sched.running && sched.pid == pid) {
        snprintf(message, size, "it is recorded already");
        return 1;
    }
    /* In a forked child: nothing of what is here is ours, the rings are not even mapped. */
    memset(&sched, 0, sizeof sched);
    sched.pid = pid;
    sched.of = of != 0 ? of : pid;
    sched.lanes.alone = scope == GS_SCHED_PROGRAM_ALONE;
    sched.of_process = scope == GS_SCHED_PROCESS;
    sched.of_other = scope == GS_SCHED_OTHER;
    sched.environment = environment;
    sched.message = message;
    sched.size = size;
    sched.rings.wants.samples = native != 0;
    snprintf(sched.rings.bell, sizeof sched.rings.bell, "%s", directory);
    message[0] = '\0';
    if (snprintf(sched.directory, sizeof sched.directory, "%s/sched", directory) >= (int)sizeof sched.directory) {
        snprintf(message, size, "the name of its directory is too long");
        return 1;
    }
    if (!begin_thread()) {
        snprintf(message, size, "%s; --no-sched leaves it out", strerror(errno));
        return 1;
    }
    if (!sched.of_process)
        sched.begun = begin();
    sched.running = sched.begun;
    if (!sched.running) {
        end_thread();
        return 1;
    }
    sem_post(&sched.go);
    return 0;
}

const char *gs_sched_native(void)
{
    return sched.running ? sched.native : "off";
}

/* The helper steps aside by itself, later than this. */
static bool is_second(void)
{
    struct stat tasks;
    return stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink == 2 + 2 + (gs_helper_is_here() ? 1 : 0);
}

int gs_sched_start(const char *directory, const char *environment, int scope, int native, char *message, size_t size)
{
    return start(directory, environment, scope, 0, native, message, size);
}

int gs_sched_attach(const char *directory, const char *environment, uint32_t pid, char *message, size_t size)
{
    return start(directory, environment, GS_SCHED_OTHER, pid, 0, message, size);
}

void gs_sched_pause(void)
{
    if (!sched.running || sched.pid != (uint32_t)getpid() || sched.paused || !is_second())
        return;
    atomic_store(&sched.pausing, true);
    gs_rings_wake(&sched.rings);
    end_thread();
    sched.paused = true;
}

void gs_sched_resume(void)
{
    if (!sched.running || sched.pid != (uint32_t)getpid() || !sched.paused)
        return;
    atomic_store(&sched.pausing, false);
    gs_rings_rest(&sched.rings);
    if (begin_thread()) {
        sched.paused = false;
        sem_post(&sched.go);
    }
}

void gs_sched_stop(struct gs_sched_result *result)
{
    *result = (struct gs_sched_result){0};
    if (sched.running && sched.pid == (uint32_t)getpid()) {
        struct timespec moment = {0, 1};
        nanosleep(&moment, NULL); /* leave the CPU: a thread that never does is not seen at all */
        atomic_store(&sched.over, true);
        if (sched.paused) {
            gs_aside(finish, NULL);
        } else {
            gs_rings_wake(&sched.rings);
            end_thread();
        }
        sched.running = false;
        release();
        *result = (struct gs_sched_result){sched.lanes.events, sched.lanes.lost, sched.cpu_ns, sched.lanes.failure};
    }
}
