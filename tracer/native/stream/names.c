/* Written by many threads, seldom: at a thread's start and end, and when Python names one. A writer tries for
 * its turn a bounded number of times and gives up, so that nobody can wait here for a thread that was stopped
 * or forked away. */
#define _GNU_SOURCE
#include "stream/names.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"
#include "stream/room.h"
#include "stream/run.h"

/* Kept free in a packet for what ended recording: that may be that there is no room for another. */
#define LAST_WORDS (sizeof(struct gs_name_record) + GS_NAME_TEXT_MAX + 8)

#define PATIENT_TRIES 100 /* of 0.1 ms */

static struct {
    struct gs_packet_header *_Atomic packet;
    struct gs_room room;
    uint32_t used;
    bool full; /* there is no further packet to be had */
} names; /* whoever has the turn changes it */

static bool append(uint16_t id, uint32_t ref, const char *text, bool may_grow);

/* Names that can't grow any further are missed by all, but the events go on where there is room for them. */
static void no_packet(int error, const char *path)
{
    names.full = true;
    if (gs_run_ends_with(error) && gs_run_fail(error))
        append(gs_recording_failed, (uint32_t)error, path, false);
}

static bool next_packet(uint64_t timestamp)
{
    char path[PATH_MAX];
    int saved = errno;
    struct gs_packet_header *old = atomic_load(&names.packet), *next = NULL;
    if (!names.full && gs_run_path(path, sizeof path, "names", -1) &&
        (next = gs_room_next(&names.room, path, GS_STREAM_NAMES)) == NULL)
        no_packet(errno, path);
    if (next != NULL) {
        gs_packet_open(next, timestamp, 0, old ? old->events_discarded : 0);
        atomic_store(&names.packet, next);
        names.used = GS_HEADER_SIZE;
        errno = saved;
    }
    return next != NULL;
}

/* The longest prefix of text that fits and ends between characters. */
static uint32_t text_length(const char *text)
{
    size_t length = strnlen(text, GS_NAME_TEXT_MAX);
    if (length == GS_NAME_TEXT_MAX)
        while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
            length--;
    return (uint32_t)length;
}

static bool append(uint16_t id, uint32_t ref, const char *text, bool may_grow)
{
    uint32_t length = text_length(text);
    uint32_t exact = (uint32_t)sizeof(struct gs_name_record) + length + 1;
    uint32_t size = (exact + 7u) & ~7u;
    struct gs_packet_header *packet = atomic_load(&names.packet);
    uint64_t timestamp = gs_now();
    if (packet == NULL)
        return false;
    if (timestamp < packet->timestamp_end)
        timestamp = packet->timestamp_end; /* another thread's stamp, which may be some ns ahead of ours */
    if (names.used + size > GS_PACKET_SIZE - (may_grow ? LAST_WORDS : 0)) {
        if (!may_grow || !next_packet(timestamp))
            return false;
        packet = atomic_load(&names.packet);
    }
    char *at = (char *)packet + names.used;
    struct gs_name_record record = {.timestamp = timestamp, .id = id, .ref = ref};
    memcpy(at, &record, sizeof record);
    memcpy(at + sizeof record, text, length); /* the rest is zero already */
    gs_packet_commit(packet, timestamp, names.used + exact); /* padding belongs to the record that follows */
    names.used += size;
    return true;
}

static bool write_record(uint16_t id, uint32_t ref, const char *text)
{
    uint32_t state = gs_state();
    /* What ended recording is written as long as there is room in the packet that we have. */
    bool failure = id == gs_recording_failed;
    if (!failure && state != GS_RECORDING && state != GS_STARTING)
        return false;
    /* In a turn, the lack of room for another packet is what ends recording. */
    bool nested = gs_turn_is_ours();
    if (!nested && !gs_turn_take(false))
        return false;
    bool done = append(id, ref, text, !failure);
    if (!nested)
        gs_turn_end();
    return done;
}

bool gs_names_write(uint16_t id, uint32_t ref, const char *text)
{
    int cancel = gs_slow_begin();
    bool done = write_record(id, ref, text);
    gs_slow_end(cancel);
    return done;
}

bool gs_names_write_patiently(uint16_t id, uint32_t ref, const char *text)
{
    int before = errno;
    bool done = gs_names_write(id, ref, text);
    for (int i = 0; !done && i < PATIENT_TRIES && gs_state() == GS_RECORDING; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        done = gs_names_write(id, ref, text);
    }
    errno = before;
    return done;
}

bool gs_names_append(uint16_t id, uint32_t ref, const char *text)
{
    return append(id, ref, text, true);
}

bool gs_names_comm(uint32_t tid)
{
    char comm[16 + 1] = "";
    if (prctl(PR_GET_NAME, comm) != 0)
        return true;
    return gs_names_write(gs_thread_comm, tid, comm);
}

void gs_names_tell_failure(int error, const char *what)
{
    gs_names_write(gs_recording_failed, (uint32_t)error, what);
}

bool gs_names_begin(void)
{
    atomic_store(&names.packet, NULL);
    gs_room_close(&names.room);
    names.full = false;
    return next_packet(gs_now());
}

void gs_names_forget(void)
{
    atomic_store(&names.packet, NULL);
    names.room = (struct gs_room){.now = {.memory = NULL}};
}

void gs_names_trim(void)
{
    char path[PATH_MAX];
    if (gs_run_path(path, sizeof path, "names", -1))
        gs_room_trim(&names.room, path);
}

void gs_names_end(uint64_t timestamp)
{
    struct gs_packet_header *packet = atomic_load(&names.packet);
    if (packet != NULL && __atomic_load_n(&packet->timestamp_end, __ATOMIC_RELAXED) < timestamp)
        __atomic_store_n(&packet->timestamp_end, timestamp, __ATOMIC_RELAXED);
}

void gs_names_count_discarded(void)
{
    struct gs_packet_header *packet = atomic_load(&names.packet);
    if (packet != NULL)
        __atomic_add_fetch(&packet->events_discarded, 1, __ATOMIC_RELAXED);
}

uint64_t gs_names_discarded(void)
{
    struct gs_packet_header *packet = atomic_load(&gs_control->here) ? atomic_load(&names.packet) : NULL;
    return packet ? __atomic_load_n(&packet->events_discarded, __ATOMIC_RELAXED) : 0;
}
