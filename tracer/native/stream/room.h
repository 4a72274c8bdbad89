/* A stream's file as its writer has it: mapped a window at a time, so that a packet is had without a descriptor.
 *
 * A window's packets are in the file, with their headers and zeros, before any is used; space for one is had before it
 * is given out, so a later store neither raises SIGBUS nor waits for the disk. Windows grow: a thread that does little
 * has two packets, one that does much needs a new one only every 16,000 events, which the helper makes ahead. */
#ifndef GILSCOPE_ROOM_H
#define GILSCOPE_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream/packet.h"

#define GS_WINDOW_FIRST 2u /* packets */
#define GS_WINDOW_MOST 8u

struct gs_window {
    char *memory; /* NULL: there is none */
    uint32_t packets, taken;
    uint64_t offset; /* in the file */
    bool populated;  /* no store into it is a page fault */
};

/* Of the window made ahead. Who writes only asks and takes; a window that is being made is the helper's, and so is before. */
enum gs_ahead { GS_AHEAD_NONE, GS_AHEAD_WANTED, GS_AHEAD_MAKING, GS_AHEAD_MADE };

struct gs_room {
    struct gs_window now, before; /* before: has the packet that was in use when now was made */
    struct gs_window ahead;
    _Atomic uint32_t stage; /* of that: enum gs_ahead */
    bool late;              /* the helper was waited for in vain */
};

/* The next packet of the file at path, with space, or NULL, with errno; EINPROGRESS: the helper does not get along with its
 * window. Slow: never under the GIL's mutex. */
struct gs_packet_header *gs_room_next(struct gs_room *room, const char *path, uint32_t stream_class);

/* Ask for a window ahead if it is time for that. Only a room that gs_room_make_ahead is called for. */
bool gs_room_ask_ahead(struct gs_room *room);

/* Whether it waits for gs_room_make_ahead. */
static inline bool gs_room_wants(const struct gs_room *room)
{
    return atomic_load_explicit(&room->stage, memory_order_relaxed) == GS_AHEAD_WANTED;
}

/* Make it, if it was asked for. In the helper. populate: all its pages too, so that the thread has none of that to do; two
 * windows are resident then. */
void gs_room_make_ahead(struct gs_room *room, const char *path, uint32_t stream_class, bool populate);

/* How many packets were given out. */
uint64_t gs_room_packets(const struct gs_room *room);

/* Give back what was not given out. Only while nobody uses the room. */
void gs_room_trim(const struct gs_room *room, const char *path);

void gs_room_close(struct gs_room *room);

/* Have these bytes of a shared mapping, without a signal where there is no space. */
bool gs_room_populate(char *memory, size_t size);

#endif
