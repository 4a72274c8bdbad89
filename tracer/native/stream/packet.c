/* Packets are made outside the GIL's critical section, in any thread, also in a forked child: only system
 * calls that are async-signal-safe, no allocation. */
#define _GNU_SOURCE
#include "stream/packet.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "stream/session.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; older kernels answer EINVAL */
#endif

static const char zeros[GS_PACKET_SIZE - GS_HEADER_SIZE];

void *gs_packet_reserve(unsigned count)
{
    void *room = mmap(NULL, (size_t)count * GS_PACKET_SIZE, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return room == MAP_FAILED ? NULL : room;
}

/* Writing zeros, not fallocate: both make the file system reserve the space, but only this also brings the
 * pages into the page cache, and faulting fallocated pages in one by one costs three times as much. */
static bool write_empty(int fd, uint64_t offset, uint32_t stream_class)
{
    struct gs_packet_header header = {
        .magic = GS_CTF_MAGIC,
        .stream_class = stream_class,
        .timestamp_begin = GS_UNUSED_TIMESTAMP,
        .timestamp_end = GS_UNUSED_TIMESTAMP,
        .content_size = GS_HEADER_SIZE * 8,
        .packet_size = (uint64_t)GS_PACKET_SIZE * 8,
        .pid = gs_run.pid,
    };
    struct iovec parts[2] = {{&header, sizeof header}, {(void *)zeros, sizeof zeros}};
    ssize_t written = pwritev(fd, parts, 2, (off_t)offset);
    if (written == (ssize_t)GS_PACKET_SIZE)
        return true;
    if (written >= 0) { /* the disk filled up in the middle: leave whole packets only */
        if (ftruncate(fd, (off_t)offset) != 0) { /* the reader copes with a short tail */
        }
        errno = ENOSPC;
    }
    return false;
}

/* The launcher writes empty packets ahead of busy streams, so that their pages are not this thread's work. It
 * only ever appends: what lies at this offset was not used by anybody, and writing it once more is harmless. */
static bool is_there(int fd, uint64_t offset)
{
    struct stat file;
    return fstat(fd, &file) == 0 && (uint64_t)file.st_size >= offset + GS_PACKET_SIZE;
}

static bool append_to(int fd, uint64_t size, void *address, uint32_t stream_class)
{
    if (!is_there(fd, size) && !write_empty(fd, size, stream_class))
        return false;
    if (mmap(address, GS_PACKET_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, (off_t)size) ==
        MAP_FAILED)
        return false;
    if (madvise(address, GS_PACKET_SIZE, MADV_POPULATE_WRITE) != 0)
        for (unsigned page = 0; page < GS_PACKET_SIZE; page += 4096) {
            volatile char *byte = (volatile char *)address + page;
            *byte = *byte;
        }
    return true;
}

bool gs_packet_append(const char *path, uint64_t *size, void *address, uint32_t stream_class)
{
    int saved = errno;
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (*size == 0 ? O_CREAT | O_EXCL : 0);
    int fd = open(path, flags, 0666);
    bool done = false;
    if (fd >= 0) {
        done = append_to(fd, *size, address, stream_class);
        int error = errno;
        close(fd);
        errno = error;
    }
    if (!done) {
        gs_fail(errno, path);
        errno = saved;
        return false;
    }
    *size += GS_PACKET_SIZE;
    errno = saved;
    return true;
}
