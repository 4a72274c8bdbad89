/* Opening runs in the thread that begins a recording, reading in the one that drains. */
#define _GNU_SOURCE
#include "sched/rings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sched/perf.h"

/* An ordinary user may lock 512 KiB a CPU for rings (perf_event_mlock_kb), and all recordings share that. */
#define RING_LARGEST (512u << 10)
#define RING_SMALLEST (16u << 10)
#define RINGS_TOTAL (32u << 20)
#define CPU_MOST 4096u

static rlim_t program_limit = RLIM_INFINITY; /* of file descriptors, in the process that is recorded */
static bool in_the_program;                  /* this process is recorded, and its low numbers are its own */

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static unsigned online_cpus(uint16_t *cpus)
{
    unsigned count = 0;
    FILE *file = fopen("/sys/devices/system/cpu/online", "re");
    unsigned first, last;
    if (file != NULL) {
        while (fscanf(file, "%u", &first) == 1) { /* as in 0-3,5 */
            last = first;
            if (fscanf(file, "-%u", &last) < 0)
                last = first;
            for (; first <= last && count < CPU_MOST; first++)
                cpus[count++] = (uint16_t)first;
            if (fgetc(file) != ',')
                break;
        }
        fclose(file);
    }
    if (count == 0)
        for (long cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN); cpu++)
            cpus[count++] = (uint16_t)cpu;
    return count;
}

static bool map_ring(struct gs_ring *ring, int fd, size_t size)
{
    for (;; size /= 2) {
        void *pages = mmap(NULL, page_size() + size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (pages != MAP_FAILED) {
            ring->pages = pages;
            ring->size = size;
            return true;
        }
        if (errno != EPERM)
            return false;
        if (size <= RING_SMALLEST || size <= page_size()) {
            errno = ENOMEM;
            return false;
        }
    }
}

/* In the process that is recorded: where the program's own files will not be, nor what closes them all. */
static int out_of_the_way(int fd)
{
    struct rlimit limit;
    if (!in_the_program || fd < 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return fd;
    int far = fcntl(fd, F_DUPFD_CLOEXEC, (int)(program_limit < limit.rlim_cur ? program_limit : limit.rlim_cur / 4 * 3));
    if (far < 0)
        return fd;
    close(fd);
    return far;
}

/* Who wakes has another table of files: what both have is the file system. */
static int listen_for(const char *bell)
{
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd >= 0 && inotify_add_watch(fd, bell, IN_ATTRIB | IN_ONLYDIR) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool allocate(struct gs_rings *rings, uint16_t *cpus, bool on_exec)
{
    rings->count = online_cpus(cpus);
    rings->wants.counts_lost = true;
    rings->rings = calloc(rings->count, sizeof *rings->rings);
    rings->polls = calloc(rings->count + 1, sizeof *rings->polls);
    rings->events = malloc(rings->count * sizeof *rings->events);
    if (rings->rings == NULL || rings->polls == NULL || rings->events == NULL)
        return false;
    int wake = rings->apart ? listen_for(rings->bell) : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!on_exec && !rings->apart)
        wake = out_of_the_way(wake);
    rings->polls[rings->count] = (struct pollfd){.fd = wake, .events = POLLIN};
    return wake >= 0 || rings->apart; /* apart and deaf, it looks by itself */
}

/* The first thread's events own the rings. */
static bool open_rings(struct gs_rings *rings, pid_t tid, bool on_exec)
{
    uint16_t cpus[CPU_MOST];
    if (!allocate(rings, cpus, on_exec))
        return false;
    size_t size = RING_LARGEST;
    while (size > RING_SMALLEST && size * rings->count > RINGS_TOTAL)
        size /= 2;
    for (unsigned i = 0; i < rings->count; i++) {
        struct gs_ring *ring = &rings->rings[i];
        ring->cpu = cpus[i];
        int fd = gs_perf_open(tid, cpus[i], on_exec, &rings->wants);
        if (fd < 0)
            return false;
        if (!on_exec && !rings->apart)
            fd = out_of_the_way(fd);
        rings->events[rings->event_count++] = fd;
        rings->polls[i] = (struct pollfd){.fd = fd, .events = POLLIN};
        if (!map_ring(ring, fd, size))
            return false;
        size = ring->size; /* the others won't get more */
    }
    return true;
}

static bool failed(struct gs_rings *rings, char *message, size_t size)
{
    gs_perf_explain(errno, message, size);
    gs_rings_close(rings);
    return false;
}

bool gs_rings_open_for_exec(struct gs_rings *rings, char *message, size_t size)
{
    return open_rings(rings, 0, true) || failed(rings, message, size);
}

static bool open_thread(struct gs_rings *rings, pid_t tid)
{
    int *events = realloc(rings->events, (rings->event_count + rings->count) * sizeof *events);
    if (events == NULL)
        return false;
    rings->events = events;
    for (unsigned i = 0; i < rings->count; i++) {
        int fd = gs_perf_open(tid, rings->rings[i].cpu, false, &rings->wants);
        if (fd < 0)
            return errno == ESRCH; /* it has ended meanwhile */
        if (ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, rings->events[i]) != 0) {
            int error = errno;
            close(fd);
            errno = error;
            return false;
        }
        events[rings->event_count++] = rings->apart ? fd : out_of_the_way(fd);
    }
    return true;
}

/* The main thread first: it lives longest, and its events own the rings. */
static bool open_threads(struct gs_rings *rings, pid_t pid, uint32_t except)
{
    char path[64];
    if (!open_rings(rings, pid, false))
        return false;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    bool opened = tasks != NULL;
    for (struct dirent *entry; opened && (entry = readdir(tasks)) != NULL;) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (tid > 0 && tid != pid && (uint32_t)tid != except)
            opened = open_thread(rings, tid);
    }
    int error = errno;
    if (tasks != NULL)
        closedir(tasks);
    errno = error;
    return opened;
}

bool gs_rings_open_for_process(struct gs_rings *rings, uint32_t pid, uint32_t except, char *message, size_t size)
{
    in_the_program = pid == (uint32_t)getpid();
    if (rings->apart || !in_the_program)
        return open_threads(rings, (pid_t)pid, except) || failed(rings, message, size);
    /* Above the program's limit nobody but us gets a file while the limit is raised. */
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    getrlimit(RLIMIT_NOFILE, &limit);
    program_limit = limit.rlim_cur;
    struct rlimit raised = {limit.rlim_max, limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &raised);
    bool opened = open_threads(rings, (pid_t)pid, except);
    int error = errno;
    setrlimit(RLIMIT_NOFILE, &limit);
    errno = error;
    return opened || failed(rings, message, size);
}

/* A program that closes all its files closes ours too, and may have others by these numbers. */
static bool is_still(int fd, const char *kind)
{
    char path[32], target[32] = "";
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return fd >= 0 && readlink(path, target, sizeof target - 1) > 0 && strcmp(target, kind) == 0;
}

#define EVENT_FILE "anon_inode:[perf_event]"
#define WAKE_FILE "anon_inode:[eventfd]"

void gs_rings_close(struct gs_rings *rings)
{
    for (unsigned i = 0; rings->rings != NULL && i < rings->count; i++)
        if (rings->rings[i].pages != NULL)
            munmap(rings->rings[i].pages, page_size() + rings->rings[i].size);
    for (unsigned i = 0; !rings->apart && i < rings->event_count; i++)
        if (is_still(rings->events[i], EVENT_FILE))
            close(rings->events[i]);
    if (rings->polls != NULL && !rings->apart && is_still(rings->polls[rings->count].fd, WAKE_FILE))
        close(rings->polls[rings->count].fd);
    free(rings->rings);
    free(rings->polls);
    free(rings->events);
    *rings = (struct gs_rings){0};
}

void gs_rings_wait(struct gs_rings *rings, int milliseconds)
{
    unsigned count = rings->count + 1;
    char heard[sizeof(struct inotify_event) * 16];
    if (poll(rings->polls, count, rings->blind ? milliseconds / 20 : milliseconds) <= 0)
        return;
    for (unsigned i = 0; i < count; i++)
        if ((rings->polls[i].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) {
            rings->polls[i].fd = -1;
            rings->blind = true;
        }
    if (rings->apart && rings->polls[rings->count].revents != 0 &&
        read(rings->polls[rings->count].fd, heard, sizeof heard) < 0) { /* nobody rang */
    }
}

void gs_rings_wake(struct gs_rings *rings)
{
    uint64_t one = 1;
    int fd = rings->polls[rings->count].fd;
    if (rings->apart)
        utimensat(AT_FDCWD, rings->bell, NULL, 0);
    else if (is_still(fd, WAKE_FILE) && write(fd, &one, sizeof one) < 0) { /* it looks by itself soon */
    }
}

void gs_rings_rest(struct gs_rings *rings)
{
    uint64_t count;
    int fd = rings->polls[rings->count].fd;
    if (rings->apart) { /* the files have ended with their thread; the rings last as long as they are mapped */
        for (unsigned i = 0; i <= rings->count; i++)
            rings->polls[i].fd = -1;
        rings->event_count = 0;
        rings->blind = true;
        rings->wants.counts_lost = false;
    } else if (is_still(fd, WAKE_FILE) && read(fd, &count, sizeof count) < 0) { /* it was not woken */
    }
}

static struct perf_event_mmap_page *control(const struct gs_ring *ring)
{
    return (struct perf_event_mmap_page *)ring->pages;
}

uint64_t gs_ring_end(const struct gs_ring *ring)
{
    return __atomic_load_n(&control(ring)->data_head, __ATOMIC_ACQUIRE);
}

void gs_ring_taken(struct gs_ring *ring)
{
    __atomic_store_n(&control(ring)->data_tail, ring->read, __ATOMIC_RELEASE);
}

bool gs_ring_next(struct gs_ring *ring, uint64_t end, struct gs_record *record, char *space)
{
    if (ring->read >= end)
        return false;
    const char *data = ring->pages + page_size();
    size_t at = ring->read & (ring->size - 1); /* a header never lies across the end: all is aligned to 8 */
    const struct perf_event_header *header = (const void *)(data + at);
    size_t size = header->size, first = ring->size - at;
    const char *bytes = data + at;
    if (size < sizeof *header + sizeof(struct gs_sample_id)) { /* can't be */
        ring->read = end;
        return false;
    }
    if (size > first) {
        memcpy(space, bytes, first);
        memcpy(space + first, data, size - first);
        bytes = space;
    }
    struct gs_sample_id id;
    memcpy(&id, bytes + size - sizeof id, sizeof id);
    *record = (struct gs_record){header->type, header->misc, id.pid, id.tid, id.time, bytes + sizeof *header};
    ring->read += size;
    return true;
}

void gs_rings_lost(struct gs_rings *rings, uint64_t *lost)
{
    if (!rings->wants.counts_lost)
        return;
    for (unsigned i = 0; i < rings->event_count; i++) {
        uint64_t values[2];
        if (read(rings->events[i], values, sizeof values) == (ssize_t)sizeof values)
            lost[i % rings->count] += values[1];
    }
}
