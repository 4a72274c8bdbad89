/* A stream file written with write(): for threads that have time, unlike those in packet.h, and that leave no
 * file descriptor open between two writes. One thread at a time. */
#ifndef GILSCOPE_PLAIN_H
#define GILSCOPE_PLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "format.h"

struct gs_plain {
    char *path;        /* NULL: not begun */
    char *packet;      /* the one being filled */
    uint64_t offset;   /* of it in the file */
    uint32_t used;     /* bytes of it; GS_PACKET_SIZE: none is being filled */
    uint32_t written;  /* bytes of it that are in the file */
    uint64_t last;     /* stamp of the last record: nothing in the stream is earlier */
    uint64_t discarded;
    uint32_t stream_class, pid;
    bool changed;
};

/* No file yet: it appears with the first record. False: no memory. */
bool gs_plain_begin(struct gs_plain *stream, const char *path, uint32_t stream_class, uint32_t pid);

/* Append one record of size bytes; exact is without its padding. Its stamp, its first 8 bytes, is made no
 * earlier than the last. False, with errno: the file can't be written. */
bool gs_plain_append(struct gs_plain *stream, const void *record, uint32_t exact, uint32_t size);

/* Bring the file up to date. */
bool gs_plain_flush(struct gs_plain *stream);

void gs_plain_end(struct gs_plain *stream);

#endif
