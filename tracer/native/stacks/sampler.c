/* Runs in the helper.
 *
 * The moments must have nothing to do with the program's own rhythm, so each pause is drawn. They are not those at
 * which threads begin to wait, either: a wait begins where a hold does, or where it is about to end.
 *
 * Which hold a sample is of is sure: its thread has written no event from before the look until after it. */
#define _GNU_SOURCE
#include "stacks/sampler.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/helper.h"
#include "gil/gil.h"
#include "gilscope.h"
#include "stacks/remote.h"
#include "stream/packet.h"
#include "stream/room.h"
#include "stream/run.h"
#include "stream/stream.h"

#define MS UINT64_C(1000000)
#define WHILE_AWAITED (MS * 7 / 10)  /* mean pause while somebody waits */
#define WHILE_HELD (MS * 11 / 5)     /* while a GIL is used: a hold of an interval, 5 ms, is seen twice */
#define WHILE_IDLE (10 * MS)         /* nobody has taken or let go of one */
#define WHILE_ASLEEP (25 * MS)       /* for a long time */
#define SOON_AFTER (20 * MS)         /* who waited just now may wait again: no need to be woken */
#define LONG_AFTER (1000 * MS)
#define HOLDER_WITHIN 128u
#define LONG_HOLD (2 * MS)           /* seen twice with so much between: sampled though nobody waits */

/* What a thread has written last. As long as it is the same, the thread is in the same hold. */
struct mark {
    struct gs_thread *holder;
    const void *stream;
    const void *packet;
    uint32_t used;
    uint32_t tid;
};

static bool unwanted;

static struct {
    struct gs_room room;
    struct gs_packet_header *packet;
    bool full; /* there is no further packet to be had */
    uint64_t last;
    uint32_t used, epoch;
    uint32_t holder_before; /* bytes from where a GIL says who had it last to its M */
    uint64_t drawn;                    /* of the random numbers */
    uint64_t awaited_at, active_at;    /* when somebody was last seen to wait; when a GIL was last used */
    struct {
        struct mark mark;
        uint64_t since, stamp;
    } seen[GS_GILS];
} sampler;

/* From half of it to one and a half. */
static uint64_t about(uint64_t ns)
{
    uint64_t x = sampler.drawn;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    sampler.drawn = x;
    return ns / 2 + x % ns;
}

/* Read by the kernel, too: a thread that holds no GIL any more may have ended, and its memory may be gone. */
static bool read_mark(struct gs_gil *gil, struct mark *mark)
{
    struct gs_thread thread;
    struct gs_stream stream;
    *mark = (struct mark){.holder = atomic_load_explicit(&gil->holder, memory_order_acquire)};
    if (mark->holder == NULL || !gs_remote_copy(&thread, (uintptr_t)mark->holder, sizeof thread) ||
        thread.epoch != sampler.epoch || !gs_remote_copy(&stream, (uintptr_t)thread.stream, sizeof stream))
        return false;
    mark->stream = thread.stream;
    mark->packet = stream.packet;
    mark->used = stream.used;
    mark->tid = stream.tid;
    return true;
}

static bool are_same(const struct mark *one, const struct mark *other)
{
    return one->holder == other->holder && one->stream == other->stream && one->packet == other->packet &&
           one->used == other->used;
}

static bool make_room(uint64_t now)
{
    char path[PATH_MAX];
    if (sampler.packet != NULL && sampler.used + sizeof(struct gs_sample_event) <= GS_PACKET_SIZE)
        return true;
    struct gs_packet_header *next = NULL;
    if (!sampler.full && gs_run_path(path, sizeof path, "samples", -1))
        next = gs_room_next(&sampler.room, path, GS_STREAM_SAMPLES);
    sampler.full = next == NULL; /* if that is for all, they find out for themselves */
    if (next == NULL)
        return false;
    sampler.packet = next;
    sampler.used = GS_HEADER_SIZE;
    gs_packet_open(next, now, 0, 0);
    return true;
}

static void write_sample(const struct gs_gil *gil, uint64_t now, uint32_t frame, uint32_t tid, uint32_t waiters)
{
    if (now < sampler.last)
        now = sampler.last;
    if (!make_room(now))
        return;
    struct gs_sample_event event = {
        .timestamp = now, .id = gs_sample, .gil = gil->number, .frame = frame, .tid = tid, .waiters = waiters};
    memcpy((char *)sampler.packet + sampler.used, &event, sizeof event);
    sampler.used += sizeof event;
    sampler.last = now;
    gs_packet_commit(sampler.packet, now, sampler.used);
}

static void sample(struct gs_gil *gil, const struct mark *mark, uint32_t waiters)
{
    struct mark after;
    uintptr_t thread_state;
    const struct gs_place *places;
    const char *mutex = atomic_load_explicit(&gil->mutex, memory_order_acquire);
    uint64_t now = gs_now();
    if (mutex == NULL ||
        !gs_remote_copy(&thread_state, (uintptr_t)mutex - sampler.holder_before, sizeof thread_state) ||
        gs_remote_look(thread_state) < 0 || !read_mark(gil, &after) || !are_same(mark, &after))
        return;
    int count = gs_remote_places(&places);
    uint32_t frame = count > 0 ? gs_places_number_for(places, (unsigned)count, gs_remote_code, sampler.epoch) : 0;
    if (count == 0 || frame != 0)
        write_sample(gil, now, frame, mark->tid, waiters);
}

/* Returns whether somebody waits for it. */
static bool look_at(struct gs_gil *gil, unsigned slot, uint64_t now)
{
    uint64_t waiting = atomic_load_explicit(&gil->waiting, memory_order_relaxed);
    uint32_t waiters = waiting >> 32 == sampler.epoch ? (uint32_t)waiting : 0;
    uint64_t stamp = atomic_load_explicit(&gil->last, memory_order_relaxed);
    struct mark mark;
    if (stamp != sampler.seen[slot].stamp)
        sampler.active_at = now;
    sampler.seen[slot].stamp = stamp;
    if (!read_mark(gil, &mark)) {
        sampler.seen[slot].mark = (struct mark){.holder = NULL};
        return waiters != 0;
    }
    sampler.active_at = now;
    if (!are_same(&mark, &sampler.seen[slot].mark)) {
        sampler.seen[slot].mark = mark;
        sampler.seen[slot].since = now;
    }
    if (waiters != 0 || now - sampler.seen[slot].since >= LONG_HOLD)
        sample(gil, &mark, waiters);
    return waiters != 0;
}

static uint64_t tick(bool *wakes)
{
    uint64_t now = gs_now();
    uint32_t slots = atomic_load_explicit(&gs_gil_slots, memory_order_acquire);
    for (uint32_t i = 0; i < slots; i++)
        if (atomic_load_explicit(&gs_gils[i].mutex, memory_order_acquire) != NULL && look_at(&gs_gils[i], i, now))
            sampler.awaited_at = now;
    *wakes = now - sampler.awaited_at > SOON_AFTER;
    if (!*wakes)
        return about(WHILE_AWAITED);
    uint64_t idle = now - sampler.active_at;
    return about(idle < WHILE_IDLE ? WHILE_HELD : idle < LONG_AFTER ? WHILE_IDLE : WHILE_ASLEEP);
}

static uint64_t run(bool *wakes)
{
    uint64_t pause = WHILE_ASLEEP;
    int cancel = gs_slow_begin();
    uint32_t epoch = gs_epoch();
    if (epoch != 0) {
        if (epoch != sampler.epoch) {
            sampler.epoch = epoch;
            memset(sampler.seen, 0, sizeof sampler.seen);
        }
        pause = tick(wakes);
    }
    gs_slow_end(cancel);
    return pause;
}

/* A GIL says which thread state had it last, in a word that lies before M by as much in each. The caller holds the GIL,
 * so in its GIL this is its own. 0: there is no such word, or more than one. */
static uint32_t find_holder(const char *mutex, const void *thread_state)
{
    const void *words[HOLDER_WITHIN / sizeof(void *)];
    uint32_t found = 0;
    if (!gs_remote_copy(words, (uintptr_t)mutex - sizeof words, sizeof words))
        return 0;
    for (unsigned i = 0; i < HOLDER_WITHIN / sizeof *words; i++)
        if (words[i] == thread_state) {
            if (found != 0)
                return 0;
            found = (uint32_t)(sizeof words - i * sizeof *words);
        }
    return found;
}

static bool find_holders(void)
{
    const void *thread_state = gs_stacks.thread_state();
    for (uint32_t i = 0; i < atomic_load(&gs_gil_slots) && sampler.holder_before == 0; i++)
        if (atomic_load(&gs_gils[i].mutex) != NULL)
            sampler.holder_before = find_holder(atomic_load(&gs_gils[i].mutex), thread_state);
    return sampler.holder_before != 0;
}

void gs_samples_use(int on)
{
    unwanted = on == 0;
}

bool gs_sampler_prepare(char *message, size_t size)
{
    message[0] = '\0';
    if (unwanted || !atomic_load_explicit(&gs_stacks.on, memory_order_acquire) || gs_gil_count() == 0)
        return false;
    if (!gs_remote_allowed())
        snprintf(message, size, "process_vm_readv is not permitted here (%s)", strerror(errno));
    else if (!find_holders())
        snprintf(message, size, "this build's GIL does not say who holds it");
    else
        gs_helper_add(run);
    return message[0] == '\0';
}

void gs_sampler_begin(void)
{
    gs_room_close(&sampler.room);
    sampler.packet = NULL;
    sampler.full = false;
    sampler.last = 0;
    sampler.epoch = 0;
    sampler.awaited_at = sampler.active_at = 0;
    sampler.drawn = gs_now() | 1;
}

void gs_sampler_forget(void)
{
    sampler.room = (struct gs_room){.now = {.memory = NULL}};
}

void gs_sampler_trim(void)
{
    char path[PATH_MAX];
    if (sampler.packet != NULL && gs_run_path(path, sizeof path, "samples", -1))
        gs_room_trim(&sampler.room, path);
}
