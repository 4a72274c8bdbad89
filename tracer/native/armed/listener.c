/* Runs in the helper, which never asks for the GIL. On its first turn that thread takes a table of descriptors of its own,
 * an empty one: so the program never sees the socket among its files, can't close it, and no child inherits it. */
#define _GNU_SOURCE
#include "armed/listener.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/aside.h"
#include "base/clock.h"
#include "base/helper.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#define UNSHARE 2u /* CLOSE_RANGE_UNSHARE */

#define SECOND UINT64_C(1000000000)
#define LOOKS_EVERY (SECOND / 25)       /* for somebody who asks */
#define LOOKS_OFTEN (SECOND / 1000)     /* at first: where a process forks again and again it is never long there */
#define OFTEN_FOR (SECOND / 20)
#define MOST_AT_ONCE 8                  /* served in one look: the helper has other work */
#define LOOKS_FOR_FILE (SECOND * 10)    /* whether it is still there: some clean up behind services */
#define PATIENCE_MS 200                 /* with who has connected and says nothing */
#define MOST_FILES 65536u
#define SUFFIX ".gilscope"
#define AGAIN 10                        /* names tried, where processes of several namespaces meet */

static struct {
    gs_answerer *answerer;
    char directory[PATH_MAX - 64], path[PATH_MAX];
    _Atomic int state;
    atomic_bool wanted;
    uint32_t tid; /* of the helper whose socket it is */
    int fd;
    uint64_t begun, looked, looked_for_file;
} listener = {.fd = -1};

/* Kernels before 5.9 copy the table, and have it emptied. */
static bool own_table(void)
{
    if (syscall(SYS_close_range, 0u, ~0u, UNSHARE) == 0)
        return true;
    if (unshare(CLONE_FILES) != 0)
        return false;
    struct rlimit limit = {MOST_FILES, MOST_FILES};
    getrlimit(RLIMIT_NOFILE, &limit);
    for (unsigned fd = 0; fd < (limit.rlim_cur < MOST_FILES ? limit.rlim_cur : MOST_FILES); fd++)
        gs_aside_close((int)fd);
    return true;
}

/* A name may be longer than an address holds: then it is led to by the directory's own descriptor. */
static socklen_t address_of(struct sockaddr_un *address, const char *path, int *directory)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    *directory = -1;
    if (strlen(path) < sizeof address->sun_path) {
        strcpy(address->sun_path, path);
    } else {
        *directory = gs_aside_open(listener.directory, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
        snprintf(address->sun_path, sizeof address->sun_path, "/proc/thread-self/fd/%d%.64s", *directory,
                 strrchr(path, '/'));
    }
    return sizeof *address;
}

static int bind_there(int fd, const char *path)
{
    struct sockaddr_un address;
    int directory, result;
    socklen_t size = address_of(&address, path, &directory);
    result = bind(fd, (struct sockaddr *)&address, size);
    int error = errno;
    if (directory >= 0)
        gs_aside_close(directory);
    errno = error;
    return result;
}

/* What a process left that is no more, or that became another program. */
static bool is_stale(const char *path)
{
    struct sockaddr_un address;
    int directory, fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t size = address_of(&address, path, &directory);
    bool refused = fd >= 0 && connect(fd, (struct sockaddr *)&address, size) != 0 && errno == ECONNREFUSED;
    if (fd >= 0)
        gs_aside_close(fd);
    if (directory >= 0)
        gs_aside_close(directory);
    return refused;
}

static bool bind_somewhere(int fd)
{
    for (int again = 1; again <= AGAIN; again++) {
        char number[16] = "";
        if (again > 1)
            snprintf(number, sizeof number, "_%d", again);
        snprintf(listener.path, sizeof listener.path, "%s/%d%s" SUFFIX, listener.directory, (int)getpid(), number);
        if (bind_there(fd, listener.path) == 0)
            return true;
        if (errno != EADDRINUSE)
            return false;
        if (is_stale(listener.path) && unlink(listener.path) == 0 && bind_there(fd, listener.path) == 0)
            return true;
    }
    errno = EADDRINUSE;
    return false;
}

static int open_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    /* Nobody can connect before it listens, so nobody can before its file is the owner's alone. */
    if (bind_somewhere(fd) && chmod(listener.path, 0600) == 0 && listen(fd, 8) == 0)
        return fd;
    int error = errno;
    gs_aside_close(fd);
    errno = error;
    return -1;
}

/* Of processes that were killed: nobody else removes them. */
static void sweep(void)
{
    DIR *files = opendir(listener.directory);
    if (files == NULL)
        return;
    for (struct dirent *file; (file = readdir(files)) != NULL;) {
        char path[PATH_MAX], *end;
        long pid = strtol(file->d_name, &end, 10);
        bool ours = pid > 0 && strstr(end, SUFFIX) != NULL && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
        if (ours && snprintf(path, sizeof path, "%s/%s", listener.directory, file->d_name) < (int)sizeof path &&
            is_stale(path))
            unlink(path);
    }
    closedir(files);
}

static void begin_here(uint32_t tid)
{
    listener.tid = tid;
    listener.fd = -1;
    listener.begun = listener.looked_for_file = gs_now();
    if (own_table()) {
        sweep();
        listener.fd = open_socket();
    }
    atomic_store(&listener.state, listener.fd >= 0 ? 1 : -(errno ? errno : EIO));
}

static bool may_ask(int fd)
{
    struct ucred who;
    socklen_t size = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && (who.uid == geteuid() || who.uid == 0);
}

static void serve(int fd)
{
    static char request[PATH_MAX + 64], answer[PATH_MAX + 512];
    struct pollfd poll_for = {.fd = fd, .events = POLLIN};
    if (poll(&poll_for, 1, PATIENCE_MS) != 1)
        return;
    ssize_t length = recv(fd, request, sizeof request - 1, MSG_DONTWAIT);
    if (length <= 0)
        return;
    request[length] = '\0';
    if (may_ask(fd))
        listener.answerer(request, answer, sizeof answer);
    else
        snprintf(answer, sizeof answer, "failed\nonly its own user may record this process, and root");
    if (send(fd, answer, strlen(answer), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        /* it has gone */
    }
}

static void listen_again_if_gone(uint64_t now)
{
    struct stat status;
    if (now - listener.looked_for_file < LOOKS_FOR_FILE)
        return;
    listener.looked_for_file = now;
    if (lstat(listener.path, &status) == 0 || errno != ENOENT)
        return;
    gs_aside_close(listener.fd);
    listener.fd = open_socket();
}

static uint64_t listen_now(bool *wakes)
{
    (void)wakes;
    if (!atomic_load(&listener.wanted))
        return SECOND;
    uint32_t tid = (uint32_t)syscall(SYS_gettid);
    if (listener.tid != tid)
        begin_here(tid);
    uint64_t now = gs_now(); /* not before it began */
    uint64_t every = now - listener.begun < OFTEN_FOR ? LOOKS_OFTEN : LOOKS_EVERY;
    if (listener.fd < 0 || now - listener.looked < every)
        return every;
    listener.looked = now;
    for (int i = 0, fd; i < MOST_AT_ONCE; i++) {
        if ((fd = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) < 0)
            break;
        serve(fd);
        gs_aside_close(fd);
    }
    listen_again_if_gone(now);
    return every;
}

void gs_listener_begin(const char *directory, gs_answerer *answerer)
{
    snprintf(listener.directory, sizeof listener.directory, "%s", directory);
    listener.answerer = answerer;
    atomic_store(&listener.state, 0);
    atomic_store(&listener.wanted, true);
    gs_helper_add(listen_now);
}

int gs_listener_state(void)
{
    return atomic_load(&listener.state);
}

const char *gs_listener_path(void)
{
    return gs_listener_state() == 1 ? listener.path : "";
}

void gs_listener_end(void)
{
    atomic_store(&listener.wanted, false);
    if (gs_listener_state() == 1 && unlink(listener.path) != 0) {
        /* somebody has cleaned up */
    }
    atomic_store(&listener.state, 0);
}

void gs_listener_forget(void)
{
    listener.tid = 0; /* the parent's socket is in no table of this process */
    listener.fd = -1;
    listener.path[0] = '\0';
    atomic_store(&listener.state, 0);
}
