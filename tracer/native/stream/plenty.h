/* Rooms whose windows have all their pages at once, so that their threads make no page fault and let no page go: the
 * busiest, and few, as it takes up to 384 KiB more than the two packets that a thread may have. */
#ifndef GILSCOPE_PLENTY_H
#define GILSCOPE_PLENTY_H

#include <stdbool.h>

#include "stream/room.h"

/* Whether this one, which needs a window now, is among them. In the helper: nobody else looks. */
bool gs_plenty(const struct gs_room *room);

#endif
