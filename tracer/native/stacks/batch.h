/* Reads of this process's own memory, by asking the kernel to copy it, which can't fault. Those of a batch are made in
 * one call, in the order in which they were asked for. */
#ifndef GILSCOPE_BATCH_H
#define GILSCOPE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* Whether this process may read its own memory so: some seccomp profiles refuse it. errno says why not. */
bool gs_remote_allowed(void);

/* Copy size bytes at address of this process. */
bool gs_remote_copy(void *to, uintptr_t address, size_t size);
ssize_t gs_remote_copies(const struct iovec *local, const struct iovec *from, unsigned long count);

#define GS_BATCH_READS 384u
#define GS_BATCH_BYTES (200u << 10)

struct gs_batch {
    unsigned count;
    size_t size;
    struct iovec from[GS_BATCH_READS];
    char to[GS_BATCH_BYTES];
};

static inline void gs_batch_begin(struct gs_batch *batch)
{
    batch->count = 0;
    batch->size = 0;
}

/* Where what lies at address will be, once it is read; NULL: there is no room. */
static inline const char *gs_batch_add(struct gs_batch *batch, uintptr_t address, size_t size)
{
    if (batch->count == GS_BATCH_READS || size > GS_BATCH_BYTES - batch->size)
        return NULL;
    char *to = batch->to + batch->size;
    batch->from[batch->count++] = (struct iovec){(void *)address, size};
    batch->size += size;
    return to;
}

/* Returns how many bytes were read, of those that were asked for first: all, or up to memory that is not there. */
size_t gs_batch_read(struct gs_batch *batch);

#endif
