/* Looks in the helper; the file is opened aside. */
#define _GNU_SOURCE
#include "stream/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/aside.h"
#include "base/clock.h"
#include "base/helper.h"
#include "base/text.h"
#include "stream/names.h"
#include "stream/run.h"

#define SECOND UINT64_C(1000000000)
#define OFTEN_ENOUGH 2 /* looks at which it was not there: one may fall into its beginning */

static struct {
    atomic_bool wanted;
    int missing; /* looks in a row */
    uint64_t looked;
} keeper;

static bool keeper_path(char *path)
{
    char *at = path;
    const char *end = path + PATH_MAX + 15;
    gs_append(&at, end, gs_run.root);
    gs_append(&at, end, "/" GS_KEEPER_NAME);
    return gs_append_end(at, end);
}

/* 1: it has gone. 0: it is there, or can't be seen from here. */
static int has_gone(void *unused)
{
    (void)unused;
    char path[PATH_MAX + 16] = "";
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (!keeper_path(path))
        return 0;
    int fd = gs_aside_open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
    if (fd < 0)
        return errno == ENOENT;
    bool known = fcntl(fd, F_OFD_GETLK, &lock) == 0;
    gs_aside_close(fd);
    return known && lock.l_type == F_UNLCK;
}

void gs_keeper_begin(void)
{
    keeper.wanted = has_gone(NULL) == 0;
    keeper.missing = 0;
    keeper.looked = gs_now();
}

static uint64_t look(bool *wakes)
{
    (void)wakes;
    uint64_t now = gs_now();
    if (gs_epoch() == 0 || !keeper.wanted || now - keeper.looked < SECOND)
        return SECOND;
    keeper.looked = now;
    int cancel = gs_slow_begin();
    keeper.missing = gs_aside(has_gone, NULL) == 1 ? keeper.missing + 1 : 0;
    if (keeper.missing >= OFTEN_ENOUGH && gs_epoch() != 0 && gs_run_fail(EOWNERDEAD))
        gs_names_tell_failure(EOWNERDEAD, "the launcher that kept the trace small has gone");
    gs_slow_end(cancel);
    return SECOND;
}

/* Its file says where it listens. */
static int connected(void)
{
    char path[PATH_MAX + 16] = "";
    struct sockaddr_un address = {.sun_family = AF_UNIX}; /* the name after a NUL: in no file system */
    int file = keeper_path(path) ? gs_aside_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0) : -1;
    ssize_t length = file < 0 ? -1 : read(file, address.sun_path + 1, sizeof address.sun_path - 1);
    if (file >= 0)
        gs_aside_close(file);
    int fd = length > 0 ? socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)(length > 0 ? length : 0));
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, size) != 0) {
        gs_aside_close(fd);
        fd = -1;
    }
    return fd;
}

static int ask(void *argument)
{
    const char *target = argument;
    struct stat status;
    if (lstat(target, &status) == 0) {
        errno = EEXIST;
        return -1;
    }
    int fd = connected();
    if (fd < 0) {
        errno = ENOTCONN;
        return -1;
    }
    ssize_t sent = send(fd, target, strlen(target), MSG_NOSIGNAL);
    int error = errno;
    gs_aside_close(fd);
    errno = error;
    return sent > 0 ? 0 : -1;
}

int gs_keeper_ask(const char *target)
{
    int saved = errno, error = 0;
    if (gs_aside(ask, (void *)target) != 0)
        error = errno;
    errno = saved;
    return error;
}

void gs_keeper_add(void)
{
    gs_helper_add(look);
}

bool gs_keeper_is_there(void)
{
    return keeper.wanted;
}
