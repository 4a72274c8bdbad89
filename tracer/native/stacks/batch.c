#define _GNU_SOURCE
#include "stacks/batch.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t gs_remote_copies(const struct iovec *local, const struct iovec *from, unsigned long count)
{
    return syscall(SYS_process_vm_readv, getpid(), local, count, from, count, 0UL);
}

bool gs_remote_copy(void *to, uintptr_t address, size_t size)
{
    struct iovec local = {to, size}, from = {(void *)address, size};
    return gs_remote_copies(&local, &from, 1) == (ssize_t)size;
}

bool gs_remote_allowed(void)
{
    static const char word[8] = "gilscope";
    char there[sizeof word] = "";
    return gs_remote_copy(there, (uintptr_t)word, sizeof word) && memcmp(there, word, sizeof word) == 0;
}

size_t gs_batch_read(struct gs_batch *batch)
{
    struct iovec local = {batch->to, batch->size};
    ssize_t had = syscall(SYS_process_vm_readv, getpid(), &local, 1UL, batch->from, (unsigned long)batch->count, 0UL);
    return had > 0 ? (size_t)had : 0;
}
