/* Runs in the thread that drains. Records of one CPU come in order, but a thread that was made on one runs on
 * another, which may be read first. So what is said of tasks is put aside and sorted before it is believed. */
#define _GNU_SOURCE
#include "sched/tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format.h"
#include "stream/plain.h"

struct task {
    uint32_t tid; /* 0: a free place, GONE: one that was taken */
    uint32_t pid, ppid;
    char comm[GS_COMM_SIZE];
    bool nested; /* in a pid namespace below ours */
};

#define GONE UINT32_MAX

static struct {
    struct task *places;
    uint32_t size, used; /* size: a power of two; used: with those gone */
    struct gs_news *news;
    uint32_t news_count, news_size;
    struct gs_plain names;
    unsigned depth; /* pid namespaces that we are in; 0: /proc is not of the one that the kernel's ids are of */
    bool out_of_memory, recorder_is_parent;
} tasks;

static struct task *place_of(uint32_t tid)
{
    uint32_t at = tid * 2654435761u;
    for (;; at++) {
        struct task *task = &tasks.places[at & (tasks.size - 1)];
        if (task->tid == tid || task->tid == 0)
            return task;
    }
}

static struct task *find(uint32_t tid)
{
    struct task *task = place_of(tid);
    return task->tid == tid ? task : NULL;
}

static bool grow(void)
{
    struct task *old = tasks.places;
    uint32_t size = tasks.size, living = 0;
    for (uint32_t i = 0; i < size; i++)
        living += old[i].tid != 0 && old[i].tid != GONE;
    uint32_t wanted = living * 4 > size ? size * 2 : size;
    struct task *places = calloc(wanted, sizeof *places);
    if (places == NULL)
        return false;
    tasks.places = places;
    tasks.size = wanted;
    tasks.used = living;
    for (uint32_t i = 0; i < size; i++)
        if (old[i].tid != 0 && old[i].tid != GONE)
            *place_of(old[i].tid) = old[i];
    free(old);
    return true;
}

static struct task *add(uint32_t tid)
{
    struct task *task = find(tid);
    if (task == NULL) {
        if (tasks.used * 2 >= tasks.size && !grow()) {
            tasks.out_of_memory = true;
            return NULL;
        }
        task = place_of(tid);
        tasks.used++;
    }
    *task = (struct task){.tid = tid};
    return task;
}

/* How many numbers there are behind NSpid: in a text of /proc/<pid>/status; last becomes the last of them. */
static unsigned namespaces(const char *status, unsigned *last)
{
    const char *at = strstr(status, "\nNSpid:");
    unsigned count = 0;
    int used;
    if (at == NULL)
        return 0;
    for (at += strlen("\nNSpid:"); *at != '\n' && sscanf(at, "%u%n", last, &used) == 1; at += used)
        count++;
    return count;
}

static bool read_file(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t length = read(fd, text, size - 1);
    close(fd);
    text[length > 0 ? length : 0] = '\0';
    return length > 0;
}

static unsigned own_depth(void)
{
    char text[4096], self[16] = "";
    unsigned last = 0;
    if (readlink("/proc/self", self, sizeof self - 1) <= 0 || strtol(self, NULL, 10) != getpid())
        return 0;
    return read_file("/proc/self/status", text, sizeof text) ? namespaces(text, &last) : 0;
}

bool gs_tasks_begin(const char *names_path, uint32_t recorder, bool recorder_is_parent)
{
    memset(&tasks, 0, sizeof tasks);
    tasks.size = 256;
    tasks.places = calloc(tasks.size, sizeof *tasks.places);
    tasks.recorder_is_parent = recorder_is_parent;
    tasks.depth = own_depth();
    return tasks.places != NULL && gs_plain_begin(&tasks.names, names_path, GS_STREAM_NAMES, recorder);
}

bool gs_tasks_knows(uint32_t tid)
{
    return find(tid) != NULL;
}

void gs_tasks_tell(const struct gs_news *news)
{
    if (tasks.news_count == tasks.news_size) {
        uint32_t size = tasks.news_size ? tasks.news_size * 2 : 64;
        struct gs_news *room = realloc(tasks.news, size * sizeof *room);
        if (room == NULL) {
            tasks.out_of_memory = true;
            free(news->text);
            return;
        }
        tasks.news = room;
        tasks.news_size = size;
    }
    tasks.news[tasks.news_count++] = *news;
}

void gs_tasks_tell_map(struct gs_news *news, uint64_t begin, uint64_t end, uint64_t offset, const char *path)
{
    if (asprintf(&news->text, "%" PRIx64 " %" PRIx64 " %" PRIx64 " %s", begin, end, offset, path) < 0) {
        news->text = NULL;
        tasks.out_of_memory = true;
    } else {
        gs_tasks_tell(news);
    }
}

static bool write_record(uint64_t time, uint16_t id, uint32_t ref, const char *text)
{
    char record[sizeof(struct gs_name_record) + PATH_MAX + 64];
    struct gs_name_record head = {.timestamp = time, .id = id, .ref = ref};
    size_t length = strnlen(text, sizeof record - sizeof head - 1);
    memcpy(record, &head, sizeof head);
    memcpy(record + sizeof head, text, length);
    record[sizeof head + length] = '\0';
    uint32_t exact = (uint32_t)(sizeof head + length + 1);
    return gs_plain_append(&tasks.names, record, exact, (exact + 7u) & ~7u);
}

static bool write_task(uint64_t time, const struct task *task)
{
    char text[64];
    snprintf(text, sizeof text, "%u %u %.15s", task->pid, task->ppid, task->comm);
    return write_record(time, gs_task, task->tid, text);
}

/* From /proc, while it lives: of a task whose beginning was not recorded. */
static void look_up(struct task *task)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/%u/task/%u/stat", task->pid, task->tid);
    if (tasks.depth == 0 || !read_file(path, text, sizeof text))
        return;
    char *name = strchr(text, '('), *end = strrchr(text, ')');
    if (name == NULL || end == NULL || end < name)
        return;
    *end = '\0';
    snprintf(task->comm, sizeof task->comm, "%.15s", name + 1);
    sscanf(end + 1, " %*c %u", &task->ppid);
}

/* In a pid namespace below ours a thread has another id for itself, and that is what the recorder knows. */
static bool tell_inner(uint64_t time, struct task *task)
{
    char path[64], text[4096], name[64] = "";
    unsigned inner = 0;
    snprintf(path, sizeof path, "/proc/%u/task/%u/status", task->pid, task->tid);
    if (tasks.depth == 0 || !read_file(path, text, sizeof text) || namespaces(text, &inner) <= tasks.depth)
        return true;
    task->nested = true;
    snprintf(path, sizeof path, "/proc/%u/ns/pid", task->pid);
    ssize_t length = readlink(path, name, sizeof name - 1); /* "pid:[4026531836]"; of another user's not for us */
    const char *inode = length > 0 ? strchr(name, '[') : NULL;
    snprintf(text, sizeof text, "%lu %u", inode != NULL ? strtoul(inode + 1, NULL, 10) : 0, inner);
    return write_record(time, gs_task_inner, task->tid, text);
}

static bool forked(const struct gs_news *news)
{
    struct task *task = find(news->tid);
    if (task != NULL && task->pid == news->pid)
        return true; /* told twice, by two events */
    task = add(news->tid);
    if (task == NULL)
        return true;
    const struct task *maker = find(news->ptid);
    task->pid = news->pid;
    if (news->pid != news->ppid)
        task->ppid = news->ppid;
    else if (maker != NULL)
        task->ppid = maker->ppid; /* a thread: of the same process */
    if (maker != NULL)
        memcpy(task->comm, maker->comm, sizeof task->comm);
    bool may_be_nested = news->pid != news->ppid || maker == NULL || maker->nested; /* a thread is where its process is */
    return write_task(news->time, task) && (!may_be_nested || tell_inner(news->time, task));
}

static bool named(const struct gs_news *news)
{
    struct task *task = find(news->tid);
    if (task == NULL) {
        task = add(news->tid);
        if (task == NULL)
            return true;
        task->pid = news->pid;
        if (tasks.recorder_is_parent)
            task->ppid = tasks.names.pid;
        else
            look_up(task);
        tasks.recorder_is_parent = false;
    } else if (memcmp(task->comm, news->comm, sizeof task->comm) == 0) {
        return true;
    }
    memcpy(task->comm, news->comm, sizeof task->comm);
    return write_task(news->time, task);
}

static bool gone(uint64_t time, struct task *task)
{
    uint32_t tid = task->tid;
    task->tid = GONE;
    return write_record(time, gs_task_exit, tid, "");
}

/* A thread that execs gets the main thread's id, and nothing is told of its own. */
static bool execed(const struct gs_news *news)
{
    bool written = true;
    for (uint32_t i = 0; i < tasks.size && written; i++) {
        struct task *task = &tasks.places[i];
        if (task->tid != 0 && task->tid != GONE && task->tid != news->tid && task->pid == news->pid)
            written = gone(news->time, task);
    }
    return written && named(news) && write_record(news->time, gs_task_exec, news->tid, "");
}

static bool apply(const struct gs_news *news)
{
    struct task *task;
    bool written;
    switch (news->kind) {
    case GS_TASK_FORK:
        return forked(news);
    case GS_TASK_COMM:
        return named(news);
    case GS_TASK_EXEC:
        return execed(news);
    case GS_TASK_MAP:
        written = write_record(news->time, gs_task_map, news->pid, news->text);
        free(news->text);
        return written;
    case GS_TASK_PYTHON:
        return write_record(news->time, gs_task_python, news->pid, news->file);
    case GS_TASK_EXIT:
        task = find(news->tid);
        return task == NULL || gone(news->time, task);
    default:
        if (find(news->tid) != NULL || (task = add(news->tid)) == NULL)
            return true;
        task->pid = news->pid;
        look_up(task);
        return write_task(news->time, task);
    }
}

static int by_time(const void *left, const void *right)
{
    const struct gs_news *a = left, *b = right;
    if (a->time != b->time)
        return a->time < b->time ? -1 : 1;
    return (int)a->kind - (int)b->kind;
}

bool gs_tasks_settle(uint64_t horizon)
{
    if (tasks.news_count > 0)
        qsort(tasks.news, tasks.news_count, sizeof *tasks.news, by_time);
    uint32_t done = 0;
    bool written = true;
    while (done < tasks.news_count && tasks.news[done].time <= horizon && written)
        written = apply(&tasks.news[done++]);
    tasks.news_count -= done;
    if (tasks.news_count > 0)
        memmove(tasks.news, tasks.news + done, tasks.news_count * sizeof *tasks.news);
    if (tasks.out_of_memory)
        errno = ENOMEM;
    return written && !tasks.out_of_memory;
}

bool gs_tasks_failed(uint64_t time, int error, const char *what)
{
    return write_record(time, gs_recording_failed, (uint32_t)error, what);
}

bool gs_tasks_flush(void)
{
    return gs_plain_flush(&tasks.names);
}

void gs_tasks_end(void)
{
    gs_plain_end(&tasks.names);
    for (uint32_t i = 0; i < tasks.news_count; i++)
        free(tasks.news[i].text);
    free(tasks.places);
    free(tasks.news);
    memset(&tasks, 0, sizeof tasks);
}
