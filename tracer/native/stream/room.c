/* Windows are made outside the GIL's critical section, in any thread, also in a forked child: only system calls that
 * are async-signal-safe, no allocation. What needs a descriptor is done aside. */
#define _GNU_SOURCE
#include "stream/room.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/aside.h"
#include "stream/broker.h"
#include "stream/run.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; older kernels answer EINVAL */
#endif

#define PAGE 4096u
#define PATIENCE_NS 100000000 /* for the helper */

static const char zeros[GS_PACKET_SIZE - GS_HEADER_SIZE];

struct job {
    const char *path;
    uint32_t stream_class;
    struct gs_window window;
};

/* Older kernels: let the kernel store something of its own on each page. It says so when it can't; a store of ours
 * would raise SIGBUS. */
static bool touch(char *memory, size_t size)
{
    for (size_t page = 0; page < size; page += PAGE) {
        struct timespec *there = (struct timespec *)(memory + page + PAGE) - 1; /* no header there, but zeros */
        if (syscall(SYS_clock_getres, CLOCK_MONOTONIC, there) != 0)
            return false;
        *there = (struct timespec){0};
    }
    return true;
}

bool gs_room_populate(char *memory, size_t size)
{
    if (madvise(memory, size, MADV_POPULATE_WRITE) == 0)
        return true;
    return errno == EINVAL && touch(memory, size);
}

static struct gs_packet_header empty(uint32_t stream_class)
{
    return (struct gs_packet_header){
        .magic = GS_CTF_MAGIC,
        .stream_class = stream_class,
        .timestamp_begin = GS_UNUSED_TIMESTAMP,
        .timestamp_end = GS_UNUSED_TIMESTAMP,
        .content_size = GS_HEADER_SIZE * 8,
        .packet_size = (uint64_t)GS_PACKET_SIZE * 8,
        .pid = gs_run.pid,
    };
}

/* As many of the window's packets as there may be: a program may limit the size of its files, and of its disk. All of
 * them in one write: the kernel then has their pages at hand, and of more than one page each, where a mapped page that is
 * not in the file yet costs it more (ext4, benchmarks/RESULTS.md). */
static bool extend(int fd, struct job *job)
{
    struct gs_window *window = &job->window;
    struct gs_packet_header header = empty(job->stream_class);
    struct iovec parts[2 * GS_WINDOW_MOST];
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    getrlimit(RLIMIT_FSIZE, &limit);
    uint64_t most = limit.rlim_cur > window->offset ? (limit.rlim_cur - window->offset) / GS_PACKET_SIZE : 0;
    if (most == 0) {
        errno = EFBIG;
        return false;
    }
    if (window->packets > most)
        window->packets = (uint32_t)most;
    for (uint32_t i = 0; i < window->packets; i++) {
        parts[2 * i] = (struct iovec){&header, sizeof header};
        parts[2 * i + 1] = (struct iovec){(void *)zeros, sizeof zeros};
    }
    ssize_t written = pwritev(fd, parts, 2 * (int)window->packets, (off_t)window->offset);
    int error = written < 0 ? errno : ENOSPC;
    uint32_t whole = written < 0 ? 0 : (uint32_t)((size_t)written / GS_PACKET_SIZE);
    if (whole < window->packets && ftruncate(fd, (off_t)(window->offset + (uint64_t)whole * GS_PACKET_SIZE)) != 0) {
        /* the reader takes zeros at the end for a packet never used */
    }
    window->packets = whole;
    errno = error;
    return whole > 0;
}

static int open_window(void *argument)
{
    struct job *job = argument;
    struct gs_window *window = &job->window;
    int fd = gs_broker_open(job->path, O_RDWR | (window->offset == 0 ? O_CREAT | O_EXCL : 0));
    if (fd < 0)
        return -1;
    void *memory = MAP_FAILED;
    errno = 0;
    if (extend(fd, job))
        memory = mmap(NULL, (size_t)window->packets * GS_PACKET_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                      (off_t)window->offset);
    int error = errno;
    gs_aside_close(fd);
    errno = error;
    if (memory == MAP_FAILED)
        return -1;
    madvise(memory, (size_t)window->packets * GS_PACKET_SIZE, MADV_DONTFORK); /* a child has no business there */
    window->memory = memory;
    return 0;
}

/* Why there is no space for a packet, only a write tells; and perhaps now there is. */
static int fill(void *argument)
{
    struct job *job = argument;
    struct gs_packet_header header = empty(job->stream_class);
    struct iovec parts[2] = {{&header, sizeof header}, {(void *)zeros, sizeof zeros}};
    int fd = gs_broker_open(job->path, O_RDWR);
    if (fd < 0)
        return -1;
    ssize_t written = pwritev(fd, parts, 2, (off_t)job->window.offset);
    int error = written < 0 ? errno : ENOSPC;
    gs_aside_close(fd);
    errno = error;
    return written == (ssize_t)GS_PACKET_SIZE ? 0 : -1;
}

static bool window_after(const struct gs_window *last, const char *path, uint32_t stream_class, struct gs_window *made)
{
    uint32_t wanted = last->packets == 0 ? GS_WINDOW_FIRST : 2 * last->packets;
    struct job job = {
        .path = path,
        .stream_class = stream_class,
        .window = {.packets = wanted < GS_WINDOW_MOST ? wanted : GS_WINDOW_MOST,
                   .offset = last->offset + (uint64_t)last->packets * GS_PACKET_SIZE},
    };
    if (gs_aside(open_window, &job) != 0)
        return false;
    *made = job.window;
    return true;
}

static void unmap(struct gs_window *window)
{
    if (window->memory != NULL)
        munmap(window->memory, (size_t)window->packets * GS_PACKET_SIZE);
    window->memory = NULL;
}

/* Packets before the one in use, which is the last given out, are the disk's. */
static void let_go(struct gs_room *room)
{
    struct gs_window *now = &room->now;
    if (now->taken >= 1)
        unmap(&room->before);
    if (now->taken >= 2)
        madvise(now->memory + (size_t)(now->taken - 2) * GS_PACKET_SIZE, GS_PACKET_SIZE, MADV_DONTNEED);
}

/* The same of a window that was populated at once, in whichever thread: as rarely, as each time all CPUs that run threads
 * of the program are told. In use is the last given out or the one before it. */
static void let_go_at_once(struct gs_room *room)
{
    uint32_t taken = __atomic_load_n(&room->now.taken, __ATOMIC_RELAXED);
    if (!room->now.populated)
        return;
    if (taken >= 2)
        unmap(&room->before);
    if (taken > 2)
        madvise(room->now.memory, (size_t)(taken - 2) * GS_PACKET_SIZE, MADV_DONTNEED);
}

/* A first window is all that most threads need. */
bool gs_room_ask_ahead(struct gs_room *room)
{
    uint32_t none = GS_AHEAD_NONE;
    return room->now.packets > GS_WINDOW_FIRST && room->now.taken == room->now.packets / 2 &&
           atomic_compare_exchange_strong(&room->stage, &none, GS_AHEAD_WANTED);
}

/* Where that fails whoever needs the window makes it, and learns why it can't be had. */
void gs_room_make_ahead(struct gs_room *room, const char *path, uint32_t stream_class, bool populate)
{
    uint32_t wanted = GS_AHEAD_WANTED, making = GS_AHEAD_MAKING;
    if (!atomic_compare_exchange_strong(&room->stage, &wanted, GS_AHEAD_MAKING))
        return;
    let_go_at_once(room);
    struct gs_window made = {.memory = NULL};
    bool done = window_after(&room->now, path, stream_class, &made);
    if (done && populate)
        made.populated = gs_room_populate(made.memory, (size_t)made.packets * GS_PACKET_SIZE);
    room->ahead = made;
    if (!atomic_compare_exchange_strong(&room->stage, &making, done ? GS_AHEAD_MADE : GS_AHEAD_NONE))
        unmap(&room->ahead); /* closed meanwhile */
    syscall(SYS_futex, &room->stage, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Whether the helper is done with the window, if it is at it. It is waited for once and not for ever: it may be kept from
 * every CPU by the very threads that wait. */
static bool settle_ahead(struct gs_room *room)
{
    struct timespec patience = {0, PATIENCE_NS};
    uint32_t wanted = GS_AHEAD_WANTED;
    atomic_compare_exchange_strong(&room->stage, &wanted, GS_AHEAD_NONE); /* it did not come to it */
    while (atomic_load(&room->stage) == GS_AHEAD_MAKING && !room->late)
        room->late = syscall(SYS_futex, &room->stage, FUTEX_WAIT_PRIVATE, GS_AHEAD_MAKING, &patience, NULL, 0) != 0 &&
                     errno == ETIMEDOUT;
    room->late = atomic_load(&room->stage) == GS_AHEAD_MAKING;
    return !room->late;
}

static bool next_window(struct gs_room *room, const char *path, uint32_t stream_class)
{
    struct gs_window next;
    if (!settle_ahead(room)) {
        errno = EINPROGRESS;
        return false;
    }
    if (atomic_load(&room->stage) == GS_AHEAD_MADE) {
        next = room->ahead;
        room->ahead.memory = NULL;
        atomic_store(&room->stage, GS_AHEAD_NONE);
    } else {
        let_go_at_once(room);
        if (!window_after(&room->now, path, stream_class, &next))
            return false;
    }
    unmap(&room->before);
    room->before = room->now;
    room->now = next;
    return true;
}

struct gs_packet_header *gs_room_next(struct gs_room *room, const char *path, uint32_t stream_class)
{
    if (!room->now.populated)
        let_go(room);
    if (room->now.taken == room->now.packets && !next_window(room, path, stream_class))
        return NULL;
    struct gs_window *now = &room->now;
    char *packet = now->memory + (size_t)now->taken * GS_PACKET_SIZE;
    if (!now->populated && !gs_room_populate(packet, GS_PACKET_SIZE)) {
        struct job job = {.path = path,
                          .stream_class = stream_class,
                          .window = {.offset = now->offset + (uint64_t)now->taken * GS_PACKET_SIZE}};
        if (gs_aside(fill, &job) != 0)
            return NULL;
        if (!gs_room_populate(packet, GS_PACKET_SIZE)) {
            errno = EIO;
            return NULL;
        }
    }
    __atomic_store_n(&now->taken, now->taken + 1, __ATOMIC_RELAXED);
    return (struct gs_packet_header *)packet;
}

uint64_t gs_room_packets(const struct gs_room *room)
{
    return room->now.offset / GS_PACKET_SIZE + room->now.taken;
}

/* A path, no descriptor; cutting raises no signal. */
void gs_room_trim(const struct gs_room *room, const char *path)
{
    bool ahead = atomic_load(&room->stage) == GS_AHEAD_MADE;
    if (room->now.memory != NULL && (ahead || room->now.taken < room->now.packets) &&
        truncate(path, (off_t)(gs_room_packets(room) * GS_PACKET_SIZE)) != 0) {
        /* it is longer than it need be */
    }
}

void gs_room_close(struct gs_room *room)
{
    unmap(&room->now);
    unmap(&room->before);
    unmap(&room->ahead);
    *room = (struct gs_room){.now = {.memory = NULL}};
}
