/* A stream: the file that one thread at a time writes its events to. */
#ifndef GILSCOPE_STREAM_H
#define GILSCOPE_STREAM_H

#include "stream/packet.h"
#include "base/thread.h"

/* One cache line each: threads never share one. */
struct gs_stream {
    _Alignas(64) struct gs_packet_header *packet; /* written to now */
    struct gs_packet_header *next;                /* prepared ahead, or NULL */
    char *room;                                   /* address space of two packets, used in turn */
    uint64_t size;                                /* of the file */
    uint32_t used;                                /* bytes of packet */
    uint32_t attention;                           /* from here on there is slow work to do */
    uint32_t recording;                           /* number of the one it belongs to */
    uint32_t tid;
    _Atomic uint32_t owned;
};

/* recording, packet and next are written by the owner alone, and looked at by whoever ends a recording. */
#define gs_publish(field, value) __atomic_store_n(&(field), value, __ATOMIC_RELEASE)
#define gs_peek(field) __atomic_load_n(&(field), __ATOMIC_ACQUIRE)

#define GS_STREAMS 8192u         /* threads that can live at once */
#define GS_PREPARE_AT (GS_PACKET_SIZE / 4 * 3)

/* Go on in the packet prepared ahead. Under the GIL's mutex: stores only. */
bool gs_stream_advance(struct gs_stream *stream, uint64_t timestamp);

static inline void gs_stream_write(struct gs_stream *stream, uint64_t timestamp, uint16_t id, uint16_t gil,
                                   uint32_t arg)
{
    if (__builtin_expect(stream->used == GS_PACKET_SIZE, 0) && !gs_stream_advance(stream, timestamp)) {
        stream->packet->events_discarded++;
        return;
    }
    uint64_t last = stream->packet->timestamp_end;
    timestamp = timestamp > last ? timestamp : last;
    struct gs_event *event = (struct gs_event *)((char *)stream->packet + stream->used);
    event->timestamp = timestamp;
    event->id = id;
    event->gil = gil;
    event->arg = arg;
    stream->used += GS_EVENT_SIZE;
    gs_packet_commit(stream->packet, timestamp, stream->used);
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
void gs_streams_forget(void); /* in a forked child: all of the parent's streams */
uint64_t gs_streams_discarded(void);
uint32_t gs_streams_count(void);

#endif
