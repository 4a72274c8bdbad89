/* Written by many threads, seldom: at a thread's start and end, and when Python names one. A writer tries for
 * its turn a bounded number of times and gives up, so that nobody can wait here for a thread that was stopped
 * or forked away. */
#define _GNU_SOURCE
#include "stream/names.h"

#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "stream/packet.h"
#include "stacks/places.h"
#include "stream/session.h"
#include "base/thread.h"

#define TRIES 200
#define FEW_TRIES 3

/* Kept free in a packet for what ended recording: that may be that there is no room for another. */
#define LAST_WORDS (sizeof(struct gs_name_record) + GS_NAME_TEXT_MAX + 8)

static struct {
    struct gs_thread *_Atomic turn; /* who writes now, or NULL */
    struct gs_packet_header *_Atomic packet;
    char *room; /* address space of two packets, used in turn */
    uint64_t size;
    uint32_t used;
} names;

bool gs_names_take_turn(bool hurry)
{
    for (int i = 0; i < (hurry ? FEW_TRIES : TRIES); i++) {
        struct gs_thread *nobody = NULL;
        if (atomic_compare_exchange_strong(&names.turn, &nobody, &gs_self))
            return true;
        sched_yield();
    }
    return false;
}

void gs_names_end_turn(void)
{
    atomic_store_explicit(&names.turn, NULL, memory_order_release);
}

static bool next_packet(uint64_t timestamp)
{
    char path[PATH_MAX];
    struct gs_packet_header *old = atomic_load(&names.packet);
    void *place = names.room + (names.size / GS_PACKET_SIZE % 2) * GS_PACKET_SIZE;
    if (!gs_session_path(path, sizeof path, "names", -1) ||
        !gs_packet_append(path, &names.size, place, GS_STREAM_NAMES))
        return false;
    gs_packet_open(place, timestamp, 0, old ? old->events_discarded : 0);
    atomic_store(&names.packet, (struct gs_packet_header *)place);
    names.used = GS_HEADER_SIZE;
    return true;
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
    bool nested = atomic_load_explicit(&names.turn, memory_order_relaxed) == &gs_self;
    if (!nested && !gs_names_take_turn(false))
        return false;
    bool done = append(id, ref, text, !failure);
    if (!nested)
        gs_names_end_turn();
    return done;
}

bool gs_names_write(uint16_t id, uint32_t ref, const char *text)
{
    int cancel = gs_slow_begin();
    bool done = write_record(id, ref, text);
    gs_slow_end(cancel);
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

bool gs_names_begin(void)
{
    /* A thread that writes for the last recording is let finish, if it does; those after it see that it is over. */
    gs_names_take_turn(false);
    atomic_store(&names.packet, NULL);
    names.size = 0;
    gs_places_begin();
    bool done = (names.room != NULL || (names.room = gs_packet_reserve(2)) != NULL) && next_packet(gs_now());
    gs_names_end_turn();
    return done;
}

void gs_names_forget(void)
{
    atomic_store(&names.turn, NULL);
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
    struct gs_packet_header *packet = atomic_load(&names.packet);
    return packet ? __atomic_load_n(&packet->events_discarded, __ATOMIC_RELAXED) : 0;
}
