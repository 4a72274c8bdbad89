/* A stream: the file that one thread at a time writes its events to. */
#ifndef GILSCOPE_STREAM_H
#define GILSCOPE_STREAM_H

#include "base/clock.h"
#include "stream/packet.h"
#include "stream/room.h"
#include "base/thread.h"

/* Cache lines of its own: threads never share one. */
struct gs_stream {
    _Alignas(64) struct gs_packet_header *packet; /* written to now */
    struct gs_packet_header *next;                /* prepared ahead, or NULL */
    uint32_t used;                                /* bytes of packet */
    uint32_t attention;                           /* from here on there is slow work to do */
    uint32_t recording;                           /* number of the one it belongs to */
    uint32_t tid;
    uint32_t spans;                               /* that its thread has begun (marks/) */
    _Atomic uint32_t owned;
    bool broken;                                  /* there is no further packet to be had */
    struct gs_room room;
};

/* recording, packet and next are written by the owner alone, and looked at by whoever ends a recording. */
#define gs_publish(field, value) __atomic_store_n(&(field), value, __ATOMIC_RELEASE)
#define gs_peek(field) __atomic_load_n(&(field), __ATOMIC_ACQUIRE)

#define GS_STREAMS 8192u         /* threads that can live at once */
#define GS_PREPARE_AT (GS_PACKET_SIZE / 4 * 3)

/* Go on in the packet prepared ahead. Under the GIL's mutex: stores only. */
bool gs_stream_advance(struct gs_stream *stream, uint64_t timestamp);

static inline bool gs_stream_has_room(const struct gs_stream *stream)
{
    return __builtin_expect(stream->used != GS_PACKET_SIZE, 1);
}

#define GS_FETCH_AHEAD 256u

/* The line that the next events will be in, which another CPU has as it wrote zeros there: that takes longer than all else
 * of an event, and may be under way meanwhile. Past the packet it does nothing. x86: of __builtin_prefetch gcc makes one
 * for reading. */
static inline void gs_stream_fetch(const struct gs_event *event)
{
    const char *ahead = (const char *)event + GS_FETCH_AHEAD;
#ifdef __x86_64__
    __asm__ volatile("prefetchw %0" : : "m"(*ahead));
#else
    __builtin_prefetch(ahead, 1);
#endif
}

/* What an event is and of which GIL, as it stands in the packet. */
struct gs_event_head {
    uint16_t id, gil;
};

/* Where there is room. fetch: gs_clock_fetches, or gs_now_quickly told the time. */
static inline void gs_stream_put(struct gs_stream *stream, uint64_t timestamp, const struct gs_event_head *head,
                                 uint32_t arg, bool fetch)
{
    struct gs_packet_header *packet = stream->packet;
    uint64_t used = stream->used;
    struct gs_event *event = (struct gs_event *)((char *)packet + used);
    if (fetch)
        gs_stream_fetch(event);
    uint64_t last = packet->timestamp_end;
    timestamp = timestamp > last ? timestamp : last;
    event->timestamp = timestamp;
    __builtin_memcpy(&event->id, head, sizeof *head);
    __atomic_store_n(&event->arg, arg, __ATOMIC_RELAXED); /* a store of its own: gcc would pack the two in a vector */
    used += GS_EVENT_SIZE;
    stream->used = (uint32_t)used;
    gs_packet_commit(packet, timestamp, used);
}

/* False: there is no room, it is counted as lost. */
static inline bool gs_stream_write(struct gs_stream *stream, uint64_t timestamp, uint16_t id, uint16_t gil,
                                   uint32_t arg)
{
    struct gs_event_head head = {id, gil};
    bool room = gs_stream_has_room(stream) || gs_stream_advance(stream, timestamp);
    if (room)
        gs_stream_put(stream, timestamp, &head, arg, gs_clock_fetches());
    else
        stream->packet->events_discarded++;
    return room;
}

/* What has to be done now and then: map the next packet, write the thread's name. Never under the GIL's mutex. */
void gs_stream_attend(struct gs_stream *stream);
void gs_stream_ask_attention(void); /* for the calling thread's, soon */

/* Give the calling thread a stream and write its thread_start. fast: only one made ahead will do, because the
 * caller holds the GIL's mutex. NULL: none to be had, the event is lost (and counted). */
struct gs_stream *gs_stream_attach(struct gs_thread *self, uint64_t timestamp, bool fast);

bool gs_streams_initialise(void); /* once; false: errno says why */
void gs_streams_begin(void);      /* a new recording: forget the files of the last one */
void gs_streams_make_ready(unsigned count);
void gs_streams_end(uint64_t timestamp);
void gs_streams_trim(void); /* after that */
void gs_streams_forget(void); /* in a forked child: all of the parent's streams */
uint64_t gs_streams_discarded(void);
uint32_t gs_streams_count(void);

#endif
