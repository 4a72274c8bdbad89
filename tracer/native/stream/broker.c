/* Runs aside: the socket is in a table of descriptors that nobody else sees, so by the kernel's own calls: who stands
 * between the program and the C library, as the thread sanitizer does, takes its number for one of the program's.
 * tracer/beside/broker.py is the other end. */
#define _GNU_SOURCE
#include "stream/broker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/aside.h"
#include "stream/run.h"

#define PROOF_SIZE 32
#define PATIENCE_US 500000 /* a launcher that is stopped is not waited for again */

enum request_kind { REQUEST_OPEN = 0, REQUEST_CREATE = 1, REQUEST_DIRECTORY = 2 };

struct request {
    char proof[PROOF_SIZE];
    uint32_t kind;
    char name[64]; /* in the trace */
};

static char name[64], proof[PROOF_SIZE];
static atomic_bool there;

void gs_broker_use(const char *address)
{
    const char *colon = strchr(address, ':');
    bool fits = colon != NULL && colon - address < (long)sizeof name && strlen(colon + 1) == PROOF_SIZE;
    if (fits) {
        memcpy(name, address, (size_t)(colon - address));
        name[colon - address] = '\0';
        memcpy(proof, colon + 1, PROOF_SIZE);
    }
    atomic_store(&there, fits);
}

static int connected(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX}; /* the name after a NUL: in no file system */
    struct timeval patience = {0, PATIENCE_US};
    size_t length = strlen(name);
    memcpy(address.sun_path + 1, name, length);
    int fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
    if (syscall(SYS_connect, fd, &address, size) == 0)
        return fd;
    gs_aside_close(fd);
    return -1;
}

/* The errno of the answer, and the file if there is one; -1: no answer. */
static int receive(int socket, int *file)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr aligned;
    } control = {.bytes = {0}};
    int32_t error = -1;
    struct iovec part = {&error, sizeof error};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    *file = -1;
    if (syscall(SYS_recvmsg, socket, &message, MSG_CMSG_CLOEXEC) != (long)sizeof error)
        return -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS)
        memcpy(file, CMSG_DATA(header), sizeof *file);
    return error;
}

/* As the call that failed, which is what errno still says if nobody answers. */
static int ask(enum request_kind kind, const char *path)
{
    int error = errno;
    size_t root = strlen(gs_run.root);
    struct request request = {.kind = (uint32_t)kind};
    bool refused = error == EACCES || error == EPERM || error == ENOENT || error == EROFS;
    if (!refused || !atomic_load(&there) || strncmp(path, gs_run.root, root) != 0 || path[root] != '/' ||
        strlen(path + root + 1) >= sizeof request.name)
        return -1;
    memcpy(request.proof, proof, sizeof proof);
    strcpy(request.name, path + root + 1);
    int file = -1, answer = -1, socket = connected();
    if (socket >= 0) {
        if (syscall(SYS_sendto, socket, &request, sizeof request, MSG_NOSIGNAL, NULL, 0) == (long)sizeof request)
            answer = receive(socket, &file);
        gs_aside_close(socket);
    }
    if (answer < 0) /* it is not there any more, or does not listen */
        atomic_store(&there, false);
    errno = answer < 0 ? error : answer;
    if (answer != 0)
        return -1;
    return kind == REQUEST_DIRECTORY ? 0 : file;
}

int gs_broker_open(const char *path, int flags)
{
    bool create = (flags & O_CREAT) != 0;
    int fd = gs_aside_open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return ask(create ? REQUEST_CREATE : REQUEST_OPEN, path);
    if (create)
        fchmod(fd, 0600); /* a umask that keeps the owner out would keep us out, too */
    return fd;
}

int gs_broker_mkdir(const char *path)
{
    if (mkdir(path, 0700) != 0)
        return ask(REQUEST_DIRECTORY, path);
    return chmod(path, 0700);
}
