/* A stream's room: packets one after the other, each marked by its number. Usage: rooms MODE FILE. Prints how many packets
 * were had and what MODE says. MODE:
 *   ahead    a second thread makes windows whenever one is wanted
 *   missing  nobody makes what is wanted
 *   late     the first window that is wanted is not made for a while: whether a call says so, and the second one, and how
 *            often this slept
 * Built with the core's sources, whose inner functions it calls. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "stream/room.h"

#define PACKETS 301 /* the last one is the 7th of a window of 8: the next one is there already */

static struct gs_room room;
static const char *path;
static atomic_bool over;
static _Atomic unsigned had;

static void *make_ahead(void *unused)
{
    while (!atomic_load(&over)) {
        gs_room_make_ahead(&room, path, GS_STREAM_GIL, had / 50 % 2 == 0);
        sched_yield();
    }
    return unused;
}

static bool next(void)
{
    struct gs_packet_header *packet = gs_room_next(&room, path, GS_STREAM_GIL);
    if (packet == NULL)
        return false;
    packet->tid = had++;
    memset(packet + 1, 1, GS_PACKET_SIZE - sizeof *packet);
    return true;
}

static long sleeps(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
}

static void settle(void)
{
    while (atomic_load(&room.stage) == GS_AHEAD_WANTED || atomic_load(&room.stage) == GS_AHEAD_MAKING)
        sched_yield();
}

static void ahead(void)
{
    pthread_t helper;
    unsigned asked = 0, made = 0;
    pthread_create(&helper, NULL, make_ahead, NULL);
    while (had < PACKETS && next())
        if (gs_room_ask_ahead(&room)) {
            asked++;
            if (asked % 2 == 0) /* else whoever is first */
                settle();
            made += asked % 2 == 0 && atomic_load(&room.stage) == GS_AHEAD_MADE;
        }
    settle();
    atomic_store(&over, true);
    pthread_join(helper, NULL);
    printf("%u of %u", made, asked / 2);
}

static void missing(void)
{
    unsigned asked = 0;
    while (had < PACKETS && next())
        asked += gs_room_ask_ahead(&room);
    printf("%u", asked);
}

static void late(void)
{
    while (!gs_room_ask_ahead(&room))
        next();
    atomic_store(&room.stage, GS_AHEAD_MAKING);
    while (next())
        continue;
    int first = errno;
    long before = sleeps();
    bool second = next();
    int again = errno;
    printf("%d %d %ld", first == EINPROGRESS, !second && again == EINPROGRESS, sleeps() - before);
    atomic_store(&room.stage, GS_AHEAD_WANTED);
    gs_room_make_ahead(&room, path, GS_STREAM_GIL, true);
    while (had < PACKETS && next())
        continue;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    path = argv[2];
    if (strcmp(argv[1], "ahead") == 0)
        ahead();
    else if (strcmp(argv[1], "missing") == 0)
        missing();
    else
        late();
    printf(" %u\n", had);
    gs_room_trim(&room, path);
    gs_room_close(&room);
    return 0;
}
