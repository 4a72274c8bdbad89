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
#define SECOND (1000 * MS)
#define WHILE_AWAITED (MS * 17 / 20) /* mean pause while somebody waits */
#define WHILE_HELD (3 * MS)          /* while a GIL is used: most holds of an interval, 5 ms, are met when they are long */
#define WHILE_IDLE (10 * MS)         /* nobody has taken or let go of one */
#define WHILE_ASLEEP (25 * MS)       /* for a long time */
#define SOON_AFTER (20 * MS)         /* who waited just now may wait again: no need to be woken */
#define LONG_AFTER SECOND
#define LATE (MS / 5)               /* of what it asked for: it had to wait for a CPU */
#define AFTER_LATE (MS * 3 / 10)
#define MOST_LATE 4
#define HOLDER_WITHIN 128u
#define LONG_HOLD (MS * 3 / 2)      /* since it was taken: sampled though nobody waits */

static bool unwanted;

static struct {
    struct gs_room room;
    struct gs_packet_header *packet;
    bool full; /* there is no further packet to be had */
    uint64_t last;
    uint32_t used, epoch;
    uint32_t holder_before; /* bytes from where a GIL says who had it last to its M */
    uint64_t drawn;                    /* of the random numbers */
    uint64_t due;                      /* when it wanted to look again; 0: it did not say, or may be woken before */
    unsigned late;                     /* times in a row that it got a CPU too late to */
    uint64_t awaited_at, active_at;    /* when somebody was last seen to wait; when a GIL was last used */
    uint64_t stamps[GS_GILS]; /* of the last take or drop that was seen */
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

/* Of the thread that holds this GIL. Up to 3.11 a process has one current thread state, whoever asks, and a thread
 * changes it for an interpreter that shares its GIL without letting go of that. Later each thread has its own: this one
 * has none. Then who took the GIL last has it. */
static bool find_thread_state(const struct gs_gil *gil, struct gs_look *look)
{
    const char *mutex = atomic_load_explicit(&gil->mutex, memory_order_acquire);
    look->thread_state = (uintptr_t)gs_stacks.thread_state();
    look->said_at = (uintptr_t)mutex - sampler.holder_before;
    return look->thread_state != 0 || mutex != NULL;
}

/* Returns whether a thread of this recording holds it. */
static bool sample(struct gs_gil *gil, uint32_t waiters)
{
    struct gs_thread *holder = atomic_load_explicit(&gil->holder, memory_order_acquire);
    struct gs_look look = {.holder = (uintptr_t)holder, .epoch = sampler.epoch};
    const struct gs_place *places;
    if (holder == NULL || !find_thread_state(gil, &look) || gs_remote_look(&look) < 0 ||
        holder != atomic_load_explicit(&gil->holder, memory_order_acquire))
        return false;
    int count = gs_remote_places(&places);
    uint32_t frame = count > 0 ? gs_places_number_for(places, (unsigned)count, gs_remote_code, sampler.epoch) : 0;
    if (count == 0 || frame != 0)
        write_sample(gil, look.now, frame, look.tid, waiters);
    return true;
}

/* Returns whether somebody waits for it. Where nobody does, what it says itself tells whether a hold is long: no memory
 * of others is read. */
static bool look_at(struct gs_gil *gil, unsigned slot, uint64_t now)
{
    uint64_t waiting = atomic_load_explicit(&gil->waiting, memory_order_relaxed);
    uint32_t waiters = waiting >> 32 == sampler.epoch ? (uint32_t)waiting : 0;
    uint64_t stamp = atomic_load_explicit(&gil->last, memory_order_relaxed);
    if (stamp != sampler.stamps[slot])
        sampler.active_at = now;
    sampler.stamps[slot] = stamp;
    if ((waiters != 0 || now > stamp + LONG_HOLD) && sample(gil, waiters))
        sampler.active_at = now;
    return waiters != 0;
}

/* Who has to wait for a CPU gets it when another thread leaves one, and that is where a hold ends, or where the holder
 * makes a system call. So such a moment is not one of its own choice, and it chooses another. */
static bool is_late(uint64_t now)
{
    bool late = sampler.due != 0 && now > sampler.due + LATE && sampler.late < MOST_LATE;
    sampler.late = late ? sampler.late + 1 : 0;
    return late;
}

static uint64_t again(uint64_t now, uint64_t pause)
{
    uint64_t drawn = about(pause);
    sampler.due = now + drawn;
    return drawn;
}

static uint64_t tick(bool *wakes)
{
    uint64_t now = gs_now();
    if (is_late(now)) {
        *wakes = false;
        return again(now, AFTER_LATE);
    }
    sampler.due = 0;
    uint32_t slots = atomic_load_explicit(&gs_gil_slots, memory_order_acquire);
    for (uint32_t i = 0; i < slots; i++)
        if (atomic_load_explicit(&gs_gils[i].mutex, memory_order_acquire) != NULL && look_at(&gs_gils[i], i, now))
            sampler.awaited_at = now;
    *wakes = now - sampler.awaited_at > SOON_AFTER;
    if (!*wakes)
        return again(gs_now(), WHILE_AWAITED);
    uint64_t idle = now - sampler.active_at;
    return about(idle < WHILE_IDLE ? WHILE_HELD : idle < LONG_AFTER ? WHILE_IDLE : WHILE_ASLEEP);
}

static uint64_t run(bool *wakes)
{
    uint64_t pause = SECOND; /* nothing is recorded, or no samples are */
    int cancel = gs_slow_begin();
    uint32_t epoch = gs_epoch();
    if (epoch != 0 && gs_sampler_is_ready()) {
        if (epoch != sampler.epoch) {
            sampler.epoch = epoch;
            memset(sampler.stamps, 0, sizeof sampler.stamps);
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
    const void *thread_state = sampler.holder_before == 0 ? gs_stacks.thread_state() : NULL;
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

bool gs_sampler_is_ready(void)
{
    return !unwanted && atomic_load_explicit(&gs_stacks.on, memory_order_acquire) && sampler.holder_before != 0;
}

void gs_sampler_begin(void)
{
    gs_room_close(&sampler.room);
    sampler.packet = NULL;
    sampler.full = false;
    sampler.last = 0;
    sampler.epoch = 0;
    sampler.due = 0;
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
