/* A packet: GS_PACKET_SIZE bytes of a stream file, mapped shared, so that what was written survives any death
 * of the process. */
#ifndef GILSCOPE_PACKET_H
#define GILSCOPE_PACKET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "format.h"

/* The first store into a packet prepared ahead. */
static inline void gs_packet_open(struct gs_packet_header *packet, uint64_t timestamp, uint32_t tid,
                                  uint64_t events_discarded)
{
    packet->tid = tid;
    packet->events_discarded = events_discarded;
    __atomic_store_n(&packet->timestamp_begin, timestamp, __ATOMIC_RELAXED);
    __atomic_store_n(&packet->timestamp_end, timestamp, __ATOMIC_RELAXED);
}

/* A clean end: a packet that was never used gets a time within the trace. Its thread may open it at this very
 * moment; then its own stamps win. */
static inline void gs_packet_close_unused(struct gs_packet_header *packet, uint64_t timestamp)
{
    uint64_t unused = GS_UNUSED_TIMESTAMP;
    if (__atomic_compare_exchange_n(&packet->timestamp_begin, &unused, timestamp, 0, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED)) {
        unused = GS_UNUSED_TIMESTAMP;
        __atomic_compare_exchange_n(&packet->timestamp_end, &unused, timestamp, 0, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED);
    }
}

static inline void gs_packet_commit(struct gs_packet_header *packet, uint64_t timestamp, uint64_t used)
{
    __atomic_store_n(&packet->timestamp_end, timestamp, __ATOMIC_RELAXED);
    __atomic_store_n(&packet->content_size, used * 8, __ATOMIC_RELEASE);
}

#endif
