/* Runs in the thread that drains. */
#define _GNU_SOURCE
#include "sched/lanes.h"

#include <errno.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/helper.h"
#include "format.h"
#include "stream/plain.h"
#include "sched/tasks.h"

#ifndef PERF_RECORD_MISC_COMM_EXEC
#define PERF_RECORD_MISC_COMM_EXEC (1 << 13)
#endif
#ifndef PERF_RECORD_MISC_SWITCH_OUT_PREEMPT
#define PERF_RECORD_MISC_SWITCH_OUT_PREEMPT (1 << 14)
#endif

/* What is known of a CPU. */
struct gs_lane {
    struct gs_lanes *of;
    uint16_t cpu;
    struct gs_plain stream, native;
    uint32_t running; /* tid; 0: none of ours */
    bool known;       /* false: after a loss, and when a process begins that ran before */
    uint64_t since;   /* not known: nothing has happened here since, so who leaves was here all the time */
};

static void fail(struct gs_lanes *lanes, int error)
{
    if (lanes->failure == 0)
        lanes->failure = error ? error : EIO;
}

static void write_event(struct gs_lane *lane, uint64_t time, uint16_t id, uint32_t tid)
{
    struct gs_sched_event event = {.timestamp = time, .id = id, .cpu = lane->cpu, .tid = tid};
    if (gs_plain_append(&lane->stream, &event, sizeof event, sizeof event))
        lane->of->events++;
    else
        fail(lane->of, errno);
}

static void leave(struct gs_lane *lane, uint64_t time, uint16_t id, uint32_t tid)
{
    if (!lane->known)
        write_event(lane, lane->since < time ? lane->since : time, gs_sched_in, tid);
    write_event(lane, time, id, tid);
    lane->running = 0;
    lane->known = true;
}

static void enter(struct gs_lane *lane, uint64_t time, uint32_t tid)
{
    if (lane->running != 0) /* it became this one, by exec in a thread */
        write_event(lane, time, gs_sched_out, lane->running);
    write_event(lane, time, gs_sched_in, tid);
    lane->running = tid;
    lane->known = true;
}

static void switched(struct gs_lane *lane, const struct gs_record *record)
{
    if ((record->misc & PERF_RECORD_MISC_SWITCH_OUT) == 0) {
        if (lane->running != record->tid) /* else two events told of it */
            enter(lane, record->time, record->tid);
        if (!gs_tasks_knows(record->tid))
            gs_tasks_tell(&(struct gs_news){
                .time = record->time, .kind = GS_TASK_SEEN, .pid = record->pid, .tid = record->tid});
        return;
    }
    bool preempted = (record->misc & PERF_RECORD_MISC_SWITCH_OUT_PREEMPT) != 0;
    if (!lane->known || lane->running == record->tid)
        leave(lane, record->time, preempted ? gs_sched_preempted : gs_sched_out, record->tid);
}

/* A thread that says something runs here at this moment. It was not seen to come only if this is what it begins
 * with: the exec that woke the events, or one that gave it another tid. */
static void speaks(struct gs_lane *lane, const struct gs_record *record)
{
    if (!lane->known || lane->running == record->tid)
        return;
    enter(lane, record->time, record->tid);
}

#define HIGHEST_TID (1u << 22) /* the kernel's own limit */

void gs_lanes_leave_out(struct gs_lanes *lanes, uint32_t tid, bool out)
{
    uint64_t bit = UINT64_C(1) << tid % 64;
    if (tid < HIGHEST_TID)
        lanes->helpers[tid / 64] = out ? lanes->helpers[tid / 64] | bit : lanes->helpers[tid / 64] & ~bit;
}

static bool is_left_out(const struct gs_lanes *lanes, uint32_t tid)
{
    return tid < HIGHEST_TID && (lanes->helpers[tid / 64] >> tid % 64 & 1) != 0;
}

static void named(struct gs_lane *lane, const struct gs_record *record)
{
    struct gs_news news = {.time = record->time, .kind = GS_TASK_COMM};
    if ((record->misc & PERF_RECORD_MISC_COMM_EXEC) != 0)
        news.kind = GS_TASK_EXEC;
    memcpy(&news.pid, record->payload, 4);
    memcpy(&news.tid, record->payload + 4, 4);
    strncpy(news.comm, record->payload + 8, sizeof news.comm - 1);
    if (news.tid == record->tid) /* else one thread named another */
        speaks(lane, record);
    gs_tasks_tell(&news);
    if (strcmp(news.comm, GS_HELPER_NAME) == 0) { /* its first words, and the last that are recorded */
        if (lane->running == news.tid)
            leave(lane, record->time, gs_sched_out, news.tid);
        gs_lanes_leave_out(lane->of, news.tid, true);
    }
}

/* "python3.11", "libpython3.11.so.1.0", "libpypy3.9-c.so"; a build that has no GIL ends in t. */
static bool is_python(const char *name)
{
    static const char *const beginnings[] = {"libpython", "python", "libpypy", "pypy"};
    for (unsigned i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
        size_t length = strlen(beginnings[i]);
        if (strncmp(name, beginnings[i], length) != 0)
            continue;
        const char *end = name + length + strspn(name + length, "0123456789.");
        if (strncmp(end, "so", 2) == 0 && end[-1] == '.')
            end--;
        return *end != 't' && (i >= 2 || *end == '\0' || *end == '.' || *end == 'm' || *end == 'd' || *end == 's');
    }
    return false;
}

/* A library or a program comes into memory, or code that was made at run time ("//anon"). */
static void mapped(const struct gs_lanes *lanes, const struct gs_record *record)
{
    const char *path = record->payload + 32, *name = strrchr(path, '/');
    if (lanes->native) {
        struct gs_news news = {.time = record->time, .kind = GS_TASK_MAP, .pid = record->pid, .tid = record->tid};
        uint64_t place[3]; /* address, length, offset in the file */
        memcpy(place, record->payload + 8, sizeof place);
        gs_tasks_tell_map(&news, place[0], place[0] + place[1], place[2], path);
    }
    if (name == NULL || !is_python(name + 1))
        return;
    struct gs_news news = {.time = record->time, .kind = GS_TASK_PYTHON};
    memcpy(&news.pid, record->payload, 4);
    memcpy(&news.tid, record->payload + 4, 4);
    strncpy(news.file, name + 1, sizeof news.file - 1);
    gs_tasks_tell(&news);
}

static void forked_or_gone(struct gs_lane *lane, const struct gs_record *record)
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
    if (gone && !is_left_out(lane->of, news.tid) && (!lane->known || lane->running == news.tid))
        leave(lane, record->time, gs_sched_out, news.tid);
    gs_tasks_tell(&news);
}

static void sampled(struct gs_lane *lane, const struct gs_record *record)
{
    struct gs_native_event event = {
        .timestamp = record->time, .id = gs_native_sample, .cpu = lane->cpu, .tid = record->tid};
    memcpy(&event.address, record->payload, sizeof event.address);
    if (!gs_plain_append(&lane->native, &event, sizeof event, sizeof event))
        fail(lane->of, errno);
}

static void lost(struct gs_lane *lane, uint64_t time, uint64_t count)
{
    lane->of->lost += count;
    lane->stream.discarded += count;
    write_event(lane, time, gs_sched_lost, count < UINT32_MAX ? (uint32_t)count : UINT32_MAX);
    lane->running = 0;
    lane->known = false;
    lane->since = time;
}

/* Leave out ourselves (a thread that comes after a pause inherits the events of the one that begins it) and, if
 * the program is wanted alone, the processes that it starts. */
static bool is_wanted(struct gs_lanes *lanes, const struct gs_record *record)
{
    uint32_t pid = record->pid, tid = record->tid;
    if (record->type == PERF_RECORD_LOST)
        return true;
    if (record->type == PERF_RECORD_FORK) {
        memcpy(&pid, record->payload, sizeof pid);
        memcpy(&tid, record->payload + 8, sizeof tid);
    }
    if (tid == lanes->not_of[0] || tid == lanes->not_of[1])
        return false;
    if (is_left_out(lanes, tid)) { /* also after its exit, until another thread gets its number */
        if (record->type == PERF_RECORD_FORK)
            gs_lanes_leave_out(lanes, tid, false);
        return record->type == PERF_RECORD_EXIT || record->type == PERF_RECORD_FORK;
    }
    return !lanes->alone || pid == lanes->program;
}

static void drain_ring(struct gs_lanes *lanes, struct gs_ring *ring, struct gs_lane *lane)
{
    uint64_t end = gs_ring_end(ring);
    struct gs_record record;
    while (lanes->failure == 0 && gs_ring_next(ring, end, &record, lanes->space)) {
        uint64_t count;
        if (!is_wanted(lanes, &record))
            continue;
        switch (record.type) {
        case PERF_RECORD_SWITCH:
            switched(lane, &record);
            break;
        case PERF_RECORD_COMM:
            named(lane, &record);
            break;
        case PERF_RECORD_MMAP:
            mapped(lanes, &record);
            break;
        case PERF_RECORD_SAMPLE:
            sampled(lane, &record);
            break;
        case PERF_RECORD_FORK:
        case PERF_RECORD_EXIT:
            forked_or_gone(lane, &record);
            break;
        case PERF_RECORD_LOST:
            memcpy(&count, record.payload + 8, sizeof count);
            ring->lost += count;
            lost(lane, record.time, count);
            break;
        }
    }
    gs_ring_taken(ring);
}

/* The program is who execs first: nobody is awake before it. */
static bool find_program(struct gs_lanes *lanes, uint64_t horizon)
{
    uint64_t first = UINT64_MAX;
    for (unsigned i = 0; i < lanes->rings->count; i++) {
        struct gs_ring ring = lanes->rings->rings[i]; /* a copy: nothing is taken */
        uint64_t end = gs_ring_end(&ring);
        struct gs_record record;
        while (gs_ring_next(&ring, end, &record, lanes->space))
            if (record.type == PERF_RECORD_COMM && record.time < first) {
                first = record.time;
                lanes->program = record.pid;
            }
    }
    if (first <= horizon)
        return true;
    lanes->program = 0; /* an earlier one may be on its way */
    return false;
}

void gs_lanes_drain(struct gs_lanes *lanes, uint64_t horizon)
{
    if (lanes->failure != 0 || (lanes->alone && lanes->program == 0 && !find_program(lanes, horizon)))
        return;
    for (unsigned i = 0; i < lanes->rings->count; i++)
        drain_ring(lanes, &lanes->rings->rings[i], &lanes->lanes[i]);
    if (lanes->failure == 0 && !gs_tasks_settle(horizon))
        fail(lanes, errno);
    lanes->drained = horizon;
}

void gs_lanes_flush(struct gs_lanes *lanes)
{
    for (unsigned i = 0; i < lanes->rings->count && lanes->failure == 0; i++)
        if (!gs_plain_flush(&lanes->lanes[i].stream) || !gs_plain_flush(&lanes->lanes[i].native))
            fail(lanes, errno);
    if (lanes->failure == 0 && !gs_tasks_flush())
        fail(lanes, errno);
    if (lanes->failure == 0)
        lanes->kept = lanes->drained;
}

/* Records that were lost after the last one that a ring had room for. */
static void count_the_last_lost(struct gs_lanes *lanes, uint64_t now)
{
    uint64_t *all = calloc(lanes->rings->count, sizeof *all);
    if (all == NULL)
        return;
    gs_rings_lost(lanes->rings, all);
    for (unsigned i = 0; i < lanes->rings->count && lanes->failure == 0; i++)
        if (all[i] > lanes->rings->rings[i].lost)
            lost(&lanes->lanes[i], now, all[i] - lanes->rings->rings[i].lost);
    free(all);
}

uint64_t gs_lanes_finish(struct gs_lanes *lanes)
{
    gs_lanes_drain(lanes, UINT64_MAX);
    uint64_t now = gs_clock_read(CLOCK_MONOTONIC);
    count_the_last_lost(lanes, now);
    gs_lanes_flush(lanes);
    if (lanes->failure != 0) {
        gs_tasks_failed(lanes->kept, lanes->failure, strerror(lanes->failure));
        gs_tasks_flush(); /* there may be room in a packet that the file has already */
    }
    return now;
}

bool gs_lanes_begin(struct gs_lanes *lanes, struct gs_rings *rings, const char *directory, uint32_t recorder,
                    bool idle)
{
    char path[PATH_MAX];
    lanes->rings = rings;
    lanes->begin = lanes->kept = gs_clock_read(CLOCK_MONOTONIC);
    lanes->lanes = calloc(rings->count, sizeof *lanes->lanes);
    lanes->space = malloc(GS_RECORD_SPACE);
    lanes->helpers = calloc(HIGHEST_TID / 64, sizeof *lanes->helpers);
    if (lanes->helpers == NULL || lanes->lanes == NULL || lanes->space == NULL)
        return false;
    for (unsigned i = 0; i < rings->count; i++) {
        struct gs_lane *lane = &lanes->lanes[i];
        *lane = (struct gs_lane){.of = lanes, .cpu = rings->rings[i].cpu, .known = idle, .since = lanes->begin};
        snprintf(path, sizeof path, "%s/sched_%u", directory, lane->cpu);
        if (!gs_plain_begin(&lane->stream, path, GS_STREAM_SCHED, recorder))
            return false;
        snprintf(path, sizeof path, "%s/native_%u", directory, lane->cpu);
        if (lanes->native && !gs_plain_begin(&lane->native, path, GS_STREAM_NATIVE, recorder))
            return false;
    }
    snprintf(path, sizeof path, "%s/names", directory);
    return gs_tasks_begin(path, recorder, idle);
}

unsigned gs_lanes_files(const struct gs_lanes *lanes)
{
    unsigned count = 0;
    for (unsigned i = 0; i < lanes->rings->count; i++)
        count += lanes->lanes[i].stream.written != 0 || lanes->lanes[i].stream.offset != 0;
    return count;
}

void gs_lanes_end(struct gs_lanes *lanes)
{
    for (unsigned i = 0; lanes->lanes != NULL && i < lanes->rings->count; i++) {
        gs_plain_end(&lanes->lanes[i].stream);
        gs_plain_end(&lanes->lanes[i].native);
    }
    free(lanes->lanes);
    free(lanes->space);
    free(lanes->helpers);
    lanes->helpers = NULL;
    lanes->lanes = NULL;
    lanes->space = NULL;
    gs_tasks_end();
}
