/* Who the threads are that the scheduler speaks of: a table by tid, and the names stream of sched/. */
#ifndef GILSCOPE_TASKS_H
#define GILSCOPE_TASKS_H

#include <stdbool.h>
#include <stdint.h>

#define GS_COMM_SIZE 16
#define GS_FILE_SIZE 64

enum gs_news_kind {
    GS_TASK_FORK,
    GS_TASK_COMM,
    GS_TASK_EXEC, /* a new name, and no other thread of the process is left */
    GS_TASK_EXIT,
    GS_TASK_SEEN,   /* it runs, and may be one that nothing was said of */
    GS_TASK_MAP,    /* code comes into its process's memory: text says where and what */
    GS_TASK_PYTHON, /* its process has an interpreter of Python in memory: file is its name */
};

struct gs_news {
    uint64_t time;
    enum gs_news_kind kind;
    uint32_t pid, ppid, tid, ptid; /* ppid, ptid: of who made it */
    char comm[GS_COMM_SIZE];
    char file[GS_FILE_SIZE];
    char *text; /* its own, freed when it is settled */
};

/* parent: of the first task that has no known one. False: no memory. */
bool gs_tasks_begin(const char *names_path, uint32_t recorder, bool recorder_is_parent);

bool gs_tasks_knows(uint32_t tid);

/* News may come in any order within a drain: CPUs are read one after the other. */
void gs_tasks_tell(const struct gs_news *news);
void gs_tasks_tell_map(struct gs_news *news, uint64_t begin, uint64_t end, uint64_t offset, const char *path);

/* Sort what was told up to horizon, and write it. False: the file can't be written. */
bool gs_tasks_settle(uint64_t horizon);

bool gs_tasks_failed(uint64_t time, int error, const char *what); /* a record that says so */
bool gs_tasks_flush(void);
void gs_tasks_end(void);

#endif
