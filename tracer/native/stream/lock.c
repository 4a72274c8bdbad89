/* The lock belongs to the open file, and that lives as long as it is mapped: so no descriptor is needed to hold it,
 * and the kernel lets it go at any death. Not so on overlayfs, which maps another file than the one that was locked:
 * so it is tried. */
#define _GNU_SOURCE
#include "stream/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/aside.h"
#include "stream/broker.h"
#include "stream/room.h"
#include "stream/run.h"

static struct gs_progress *_Atomic progress; /* NULL: there is no space for it */
static void *mapped;

static struct flock whole_file(short type)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET};
}

static bool is_locked(const char *path)
{
    struct flock lock = whole_file(F_WRLCK);
    int fd = gs_broker_open(path, O_RDWR);
    bool known = fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0;
    if (fd >= 0)
        gs_aside_close(fd);
    return known && lock.l_type != F_UNLCK;
}

static void map(int fd)
{
    mapped = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) {
        mapped = NULL;
        return;
    }
    madvise(mapped, sizeof *progress, MADV_DONTFORK);
    struct gs_progress *there = mapped;
    if (ftruncate(fd, sizeof *progress) == 0 && gs_room_populate(mapped, sizeof *progress)) {
        there->magic = GS_PROGRESS_MAGIC;
        atomic_store(&progress, there);
    }
}

bool gs_lock_make(void)
{
    char path[PATH_MAX];
    struct flock lock = whole_file(F_WRLCK);
    gs_lock_forget();
    if (!gs_run_path(path, sizeof path, GS_LOCK_NAME, -1)) {
        errno = ENAMETOOLONG;
        return false;
    }
    int fd = gs_broker_open(path, O_RDWR | O_CREAT | O_EXCL);
    if (fd < 0)
        return false;
    bool locked = fcntl(fd, F_OFD_SETLK, &lock) == 0;
    map(fd);
    gs_aside_close(fd);
    struct gs_progress *there = atomic_load(&progress);
    if (there != NULL && locked && is_locked(path))
        there->locked = 1;
    return true;
}

void gs_lock_tell(uint32_t stream, uint64_t packets)
{
    struct gs_progress *there = atomic_load_explicit(&progress, memory_order_relaxed);
    if (there == NULL || stream >= GS_PROGRESS_STREAMS)
        return;
    __atomic_store_n(&there->packets[stream], (uint32_t)packets, __ATOMIC_RELAXED);
    uint32_t streams = __atomic_load_n(&there->streams, __ATOMIC_RELAXED);
    while (streams <= stream &&
           !__atomic_compare_exchange_n(&there->streams, &streams, stream + 1, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

void gs_lock_forget(void)
{
    atomic_store(&progress, NULL);
    mapped = NULL;
}

void gs_lock_end(bool trimmed)
{
    char path[PATH_MAX];
    if (trimmed && gs_run_path(path, sizeof path, GS_LOCK_NAME, -1))
        unlink(path);
}
