/* Runs in the thread that drains the scheduler's records. */
#define _GNU_SOURCE
#include "stream/plain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool gs_plain_begin(struct gs_plain *stream, const char *path, uint32_t stream_class, uint32_t pid)
{
    *stream = (struct gs_plain){.stream_class = stream_class, .pid = pid, .used = GS_PACKET_SIZE};
    stream->path = strdup(path);
    stream->packet = malloc(GS_PACKET_SIZE);
    return stream->path != NULL && stream->packet != NULL;
}

static bool write_at(int fd, const char *data, uint32_t size, uint64_t offset)
{
    while (size > 0) {
        ssize_t n = pwrite(fd, data, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n == 0 ? ENOSPC : errno;
            return false;
        }
        data += n;
        size -= (uint32_t)n;
        offset += (uint64_t)n;
    }
    return true;
}

/* The header last: it says how much of the packet holds. */
static bool write_packet(struct gs_plain *stream, int fd)
{
    bool fresh = stream->written == 0;
    uint32_t from = fresh ? GS_HEADER_SIZE : stream->written;
    uint32_t to = fresh ? GS_PACKET_SIZE : stream->used;
    struct gs_packet_header *header = (void *)stream->packet;
    header->timestamp_end = stream->last;
    return write_at(fd, stream->packet + from, to - from, stream->offset + from) &&
           write_at(fd, stream->packet, GS_HEADER_SIZE, stream->offset);
}

bool gs_plain_flush(struct gs_plain *stream)
{
    if (!stream->changed)
        return true;
    int fd = open(stream->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_CREAT, 0600);
    if (fd < 0)
        return false;
    bool done = write_packet(stream, fd);
    int error = errno;
    if (!done && stream->written == 0 && ftruncate(fd, (off_t)stream->offset) != 0) {
        /* a packet without its header stays; the reader takes zeros at the end for one never used */
    }
    close(fd);
    errno = error;
    if (done) {
        stream->written = stream->used;
        stream->changed = false;
    }
    return done;
}

static bool next_packet(struct gs_plain *stream, uint64_t timestamp)
{
    if (!gs_plain_flush(stream))
        return false;
    if (stream->written != 0)
        stream->offset += GS_PACKET_SIZE;
    memset(stream->packet, 0, GS_PACKET_SIZE);
    struct gs_packet_header *header = (void *)stream->packet;
    *header = (struct gs_packet_header){
        .magic = GS_CTF_MAGIC,
        .stream_class = stream->stream_class,
        .timestamp_begin = timestamp,
        .packet_size = (uint64_t)GS_PACKET_SIZE * 8,
        .events_discarded = stream->discarded,
        .pid = stream->pid,
    };
    stream->used = GS_HEADER_SIZE;
    stream->written = 0;
    return true;
}

bool gs_plain_append(struct gs_plain *stream, const void *record, uint32_t exact, uint32_t size)
{
    uint64_t timestamp;
    memcpy(&timestamp, record, sizeof timestamp);
    if (timestamp < stream->last)
        timestamp = stream->last;
    if (stream->used + size > GS_PACKET_SIZE && !next_packet(stream, timestamp))
        return false;
    struct gs_packet_header *header = (void *)stream->packet;
    memcpy(stream->packet + stream->used, record, exact);
    memcpy(stream->packet + stream->used, &timestamp, sizeof timestamp);
    header->content_size = ((uint64_t)stream->used + exact) * 8;
    header->events_discarded = stream->discarded;
    stream->used += size;
    stream->last = timestamp;
    stream->changed = true;
    return true;
}

void gs_plain_end(struct gs_plain *stream)
{
    free(stream->path);
    free(stream->packet);
    *stream = (struct gs_plain){0};
}
