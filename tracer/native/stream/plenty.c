#include "stream/plenty.h"

#include "base/clock.h"

#define STAYS_FOR UINT64_C(1000000000) /* ns without a new window after which another room may have the place */

static struct {
    const struct gs_room *room;
    uint64_t since; /* its last window */
} places[2];

bool gs_plenty(const struct gs_room *room)
{
    uint64_t now = gs_now();
    unsigned oldest = places[1].since < places[0].since;
    unsigned i = places[!oldest].room == room ? !oldest : oldest;
    if (places[i].room != room && now - places[i].since < STAYS_FOR)
        return false;
    places[i].room = room;
    places[i].since = now;
    return true;
}
