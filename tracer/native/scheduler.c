/* A thread of its own takes the kernel's records and writes what they say. It shares nothing with the threads
 * that are recorded; signals are not for it. */
#define _GNU_SOURCE
#include "scheduler.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <pthread.h>
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

#include "clock.h"
#include "metadata.h"
#include "plain.h"
#include "rings.h"
#include "tasks.h"

#define PAUSE_MS 200           /* how old the files may be */
#define SETTLED_NS 2000000     /* after which no CPU has an earlier record on the way */

#ifndef PERF_RECORD_MISC_COMM_EXEC
#define PERF_RECORD_MISC_COMM_EXEC (1 << 13)
#endif
#ifndef PERF_RECORD_MISC_SWITCH_OUT_PREEMPT
#define PERF_RECORD_MISC_SWITCH_OUT_PREEMPT (1 << 14)
#endif

/* What is known of a CPU. */
struct lane {
    struct gs_plain stream;
    uint32_t running; /* tid; 0: none of ours */
    bool known;       /* false: after a loss, and when a process begins that ran before */
    uint64_t since;   /* not known: nothing has happened here since, so who leaves was here all the time */
};

static struct {
    struct gs_rings rings;
    struct lane *lanes;
    char *space;
    char directory[PATH_MAX - 32];
    pthread_t thread;
    uint32_t tid, former_tid; /* the draining thread's, and the one's before a pause: they are not recorded */
    sem_t ready, go;
    _Atomic bool over, pausing;
    bool running, begun, paused;
    bool alone;
    uint32_t program; /* alone: its pid, once it has exec'd */
    uint32_t pid; /* whose recording it is: a forked child has a copy of this, and no thread */
    struct gs_sched_result result;
} sched;

static void fail(int error)
{
    if (sched.result.failure == 0)
        sched.result.failure = error ? error : EIO;
}

static void write_event(struct lane *lane, uint16_t cpu, uint64_t time, uint16_t id, uint32_t tid)
{
    struct gs_sched_event event = {.timestamp = time, .id = id, .cpu = cpu, .tid = tid};
    if (gs_plain_append(&lane->stream, &event, sizeof event, sizeof event))
        sched.result.events++;
    else
        fail(errno);
}

static void leave(struct lane *lane, uint16_t cpu, uint64_t time, uint16_t id, uint32_t tid)
{
    if (!lane->known)
        write_event(lane, cpu, lane->since < time ? lane->since : time, gs_sched_in, tid);
    write_event(lane, cpu, time, id, tid);
    lane->running = 0;
    lane->known = true;
}

static void enter(struct lane *lane, uint16_t cpu, uint64_t time, uint32_t tid)
{
    if (lane->running != 0) /* it became this one, by exec in a thread */
        write_event(lane, cpu, time, gs_sched_out, lane->running);
    write_event(lane, cpu, time, gs_sched_in, tid);
    lane->running = tid;
    lane->known = true;
}

static void switched(struct lane *lane, uint16_t cpu, const struct gs_record *record)
{
    if ((record->misc & PERF_RECORD_MISC_SWITCH_OUT) == 0) {
        if (lane->running != record->tid) /* else two events told of it */
            enter(lane, cpu, record->time, record->tid);
        if (!gs_tasks_knows(record->tid))
            gs_tasks_tell(&(struct gs_news){
                .time = record->time, .kind = GS_TASK_SEEN, .pid = record->pid, .tid = record->tid});
        return;
    }
    bool preempted = (record->misc & PERF_RECORD_MISC_SWITCH_OUT_PREEMPT) != 0;
    if (!lane->known || lane->running == record->tid)
        leave(lane, cpu, record->time, preempted ? gs_sched_preempted : gs_sched_out, record->tid);
}

/* A thread that says something runs here at this moment. It was not seen to come only if this is what it begins
 * with: the exec that woke the events, or one that gave it another tid. */
static void speaks(struct lane *lane, uint16_t cpu, const struct gs_record *record)
{
    if (!lane->known || lane->running == record->tid)
        return;
    enter(lane, cpu, record->time, record->tid);
}

static void named(struct lane *lane, uint16_t cpu, const struct gs_record *record)
{
    struct gs_news news = {.time = record->time, .kind = GS_TASK_COMM};
    if ((record->misc & PERF_RECORD_MISC_COMM_EXEC) != 0)
        news.kind = GS_TASK_EXEC;
    memcpy(&news.pid, record->payload, 4);
    memcpy(&news.tid, record->payload + 4, 4);
    strncpy(news.comm, record->payload + 8, sizeof news.comm - 1);
    if (news.tid == record->tid) /* else one thread named another */
        speaks(lane, cpu, record);
    gs_tasks_tell(&news);
}

static void forked_or_gone(struct lane *lane, uint16_t cpu, const struct gs_record *record)
{
    uint32_t ids[4]; /* pid, ppid, tid, ptid */
    memcpy(ids, record->payload, sizeof ids);
    bool gone = record->type == PERF_RECORD_EXIT;
    struct gs_news news = {.time = record->time,
                           .kind = gone ? GS_TASK_EXIT : GS_TASK_FORK,
                           .pid = ids[0],
                           .ppid = ids[1],
                           .tid = ids[2],
                           .ptid = ids[3]};
    if (gone && (!lane->known || lane->running == news.tid))
        leave(lane, cpu, record->time, gs_sched_out, news.tid);
    gs_tasks_tell(&news);
}

static void lost(struct lane *lane, uint16_t cpu, uint64_t time, uint64_t count)
{
    sched.result.lost += count;
    lane->stream.discarded += count;
    write_event(lane, cpu, time, gs_sched_lost, count < UINT32_MAX ? (uint32_t)count : UINT32_MAX);
    lane->running = 0;
    lane->known = false;
    lane->since = time;
}

/* Leave out ourselves (a thread that comes after a pause inherits the events of the one that begins it) and, if
 * the program is wanted alone, the processes that it starts. Its own first word is that of its exec. */
static bool is_wanted(const struct gs_record *record)
{
    uint32_t pid = record->pid, tid = record->tid;
    if (record->type == PERF_RECORD_LOST)
        return true;
    if (record->type == PERF_RECORD_FORK) {
        memcpy(&pid, record->payload, sizeof pid);
        memcpy(&tid, record->payload + 8, sizeof tid);
    }
    if (tid == sched.tid || tid == sched.former_tid)
        return false;
    if (sched.program == 0 && record->type == PERF_RECORD_COMM)
        sched.program = record->pid;
    return !sched.alone || pid == sched.program;
}

static void drain_ring(struct gs_ring *ring, struct lane *lane)
{
    uint64_t end = gs_ring_end(ring);
    struct gs_record record;
    while (sched.result.failure == 0 && gs_ring_next(ring, end, &record, sched.space)) {
        uint64_t count;
        if (!is_wanted(&record))
            continue;
        switch (record.type) {
        case PERF_RECORD_SWITCH:
            switched(lane, ring->cpu, &record);
            break;
        case PERF_RECORD_COMM:
            named(lane, ring->cpu, &record);
            break;
        case PERF_RECORD_FORK:
        case PERF_RECORD_EXIT:
            forked_or_gone(lane, ring->cpu, &record);
            break;
        case PERF_RECORD_LOST:
            memcpy(&count, record.payload + 8, sizeof count);
            ring->lost += count;
            lost(lane, ring->cpu, record.time, count);
            break;
        }
    }
    gs_ring_taken(ring);
}

static void drain(uint64_t horizon)
{
    for (unsigned i = 0; i < sched.rings.count; i++)
        drain_ring(&sched.rings.rings[i], &sched.lanes[i]);
    if (sched.result.failure == 0 && !gs_tasks_settle(horizon))
        fail(errno);
}

static void flush(void)
{
    for (unsigned i = 0; i < sched.rings.count && sched.result.failure == 0; i++)
        if (!gs_plain_flush(&sched.lanes[i].stream))
            fail(errno);
    if (sched.result.failure == 0 && !gs_tasks_flush())
        fail(errno);
}

/* Records that were lost after the last one that a ring had room for. */
static void count_the_last_lost(uint64_t now)
{
    uint64_t *all = calloc(sched.rings.count, sizeof *all);
    if (all == NULL)
        return;
    gs_rings_lost(&sched.rings, all);
    for (unsigned i = 0; i < sched.rings.count && sched.result.failure == 0; i++)
        if (all[i] > sched.rings.rings[i].lost)
            lost(&sched.lanes[i], sched.rings.rings[i].cpu, now, all[i] - sched.rings.rings[i].lost);
    free(all);
}

static void path_of(char path[PATH_MAX], const char *name)
{
    snprintf(path, PATH_MAX, "%s/%.30s", sched.directory, name);
}

static void finish(void)
{
    char path[PATH_MAX];
    uint64_t now = gs_clock_read(CLOCK_MONOTONIC);
    drain(UINT64_MAX);
    count_the_last_lost(now);
    flush();
    if (sched.result.failure != 0) {
        gs_tasks_failed(now, sched.result.failure, strerror(sched.result.failure));
        gs_tasks_flush(); /* there may be room in a packet that the file has already */
    }
    path_of(path, "metadata");
    if (!gs_metadata_end_sched(path, now))
        fail(errno);
}

static void drain_until_over(void)
{
    uint64_t flushed = gs_clock_read(CLOCK_MONOTONIC);
    while (!atomic_load(&sched.over) && !atomic_load(&sched.pausing)) {
        gs_rings_wait(&sched.rings, PAUSE_MS);
        uint64_t now = gs_clock_read(CLOCK_MONOTONIC);
        if (sched.result.failure == 0)
            drain(now - SETTLED_NS);
        if (now - flushed >= PAUSE_MS * UINT64_C(1000000)) {
            flush();
            flushed = now;
        }
    }
    if (atomic_load(&sched.over))
        finish();
}

static void *run(void *unused)
{
    prctl(PR_SET_NAME, "gilscope sched");
    sched.former_tid = sched.tid;
    sched.tid = (uint32_t)syscall(SYS_gettid);
    sem_post(&sched.ready);
    while (sem_wait(&sched.go) != 0) {
    }
    if (sched.begun)
        drain_until_over();
    sched.result.cpu_ns += gs_clock_read(CLOCK_THREAD_CPUTIME_ID);
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

static bool begin_files(const char *environment)
{
    char path[PATH_MAX];
    if (mkdir(sched.directory, 0777) != 0)
        return false;
    path_of(path, "metadata");
    if (gs_metadata_write_sched(path, environment, sched.pid, (uint32_t)getppid(),
                                gs_clock_read(CLOCK_MONOTONIC)))
        return true;
    int error = errno;
    unlink(path);
    rmdir(sched.directory);
    errno = error;
    return false;
}

static bool begin_lanes(bool of_process)
{
    char path[PATH_MAX], name[32];
    uint64_t now = gs_clock_read(CLOCK_MONOTONIC);
    sched.lanes = calloc(sched.rings.count, sizeof *sched.lanes);
    sched.space = malloc(GS_RECORD_SPACE);
    if (sched.lanes == NULL || sched.space == NULL)
        return false;
    for (unsigned i = 0; i < sched.rings.count; i++) {
        snprintf(name, sizeof name, "sched_%u", sched.rings.rings[i].cpu);
        path_of(path, name);
        if (!gs_plain_begin(&sched.lanes[i].stream, path, GS_STREAM_SCHED, sched.pid))
            return false;
        sched.lanes[i].known = !of_process; /* nothing of the target runs yet */
        sched.lanes[i].since = now;
    }
    path_of(path, "names");
    return gs_tasks_begin(path, sched.pid, !of_process);
}

static void release(void)
{
    for (unsigned i = 0; sched.lanes != NULL && i < sched.rings.count; i++)
        gs_plain_end(&sched.lanes[i].stream);
    free(sched.lanes);
    free(sched.space);
    sched.lanes = NULL;
    sched.space = NULL;
    gs_tasks_end();
    gs_rings_close(&sched.rings);
}

static void end_thread(void)
{
    sem_post(&sched.go);
    pthread_join(sched.thread, NULL);
    sem_destroy(&sched.ready);
    sem_destroy(&sched.go);
}

/* Threads that live already: nothing will be said of where they come from. */
static void tell_living(void)
{
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL)
        return;
    uint64_t now = gs_clock_read(CLOCK_MONOTONIC);
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        uint32_t tid = (uint32_t)strtoul(entry->d_name, NULL, 10);
        if (tid != 0 && tid != sched.tid)
            gs_tasks_tell(&(struct gs_news){.time = now, .kind = GS_TASK_SEEN, .pid = sched.pid, .tid = tid});
    }
    closedir(tasks);
}

static bool begin(const char *environment, int scope, char *message, size_t size)
{
    bool of_process = scope == GS_SCHED_PROCESS;
    bool opened = of_process ? gs_rings_open_for_process(&sched.rings, sched.tid, message, size)
                             : gs_rings_open_for_exec(&sched.rings, message, size);
    if (!opened)
        return false;
    if (begin_lanes(of_process) && begin_files(environment)) {
        if (of_process)
            tell_living();
        return true;
    }
    snprintf(message, size, "%s; --no-sched leaves it out", strerror(errno));
    release();
    return false;
}

int gs_sched_start(const char *directory, const char *environment, int scope, char *message, size_t size)
{
    uint32_t pid = (uint32_t)getpid();
    if (sched.running && sched.pid == pid) {
        snprintf(message, size, "it is recorded already");
        return 1;
    }
    /* In a forked child: nothing of what is here is ours, the rings are not even mapped. */
    memset(&sched, 0, sizeof sched);
    sched.pid = pid;
    sched.alone = scope == GS_SCHED_PROGRAM_ALONE;
    if (snprintf(sched.directory, sizeof sched.directory, "%s/sched", directory) >= (int)sizeof sched.directory) {
        snprintf(message, size, "the name of its directory is too long");
        return 1;
    }
    if (!begin_thread()) {
        snprintf(message, size, "%s; --no-sched leaves it out", strerror(errno));
        return 1;
    }
    sched.running = sched.begun = begin(environment, scope, message, size);
    if (!sched.running) {
        end_thread();
        return 1;
    }
    sem_post(&sched.go);
    return 0;
}

void gs_sched_pause(void)
{
    if (!sched.running || sched.pid != (uint32_t)getpid() || sched.paused)
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
    if (sched.running && sched.pid == (uint32_t)getpid()) {
        struct timespec moment = {0, 1};
        nanosleep(&moment, NULL); /* leave the CPU: a thread that never does is not seen at all */
        atomic_store(&sched.over, true);
        if (sched.paused) {
            finish();
        } else {
            gs_rings_wake(&sched.rings);
            end_thread();
        }
        sched.running = false;
        release();
    }
    *result = sched.result;
}
