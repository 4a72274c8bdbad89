/* The life of a recording: begin, end early, end, go on in a forked child. */
#define _GNU_SOURCE
#include "session.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "gil.h"
#include "gilscope.h"
#include "got.h"
#include "metadata.h"
#include "names.h"
#include "stream.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

static struct gs_control nothing;
struct gs_control *gs_control = &nothing;

static struct {
    char root[PATH_MAX];      /* the trace's directory */
    char directory[PATH_MAX]; /* this process's, in it */
    uint32_t pid, parent;
    uint64_t begin;
    uint32_t sessions; /* survives a fork, unlike gs_control */
    bool follow_forks;
    bool was_recording; /* at the fork, for the child */
    _Atomic int failure;
} session;

uint32_t gs_session_pid(void)
{
    return session.pid;
}

uint64_t gs_session_begin(void)
{
    return session.begin;
}

uint32_t gs_session_parent(void)
{
    return session.parent;
}

void gs_append(char **at, const char *end, const char *text)
{
    while (*text != '\0' && *at < end)
        *(*at)++ = *text++;
}

void gs_append_number(char **at, const char *end, uint64_t number)
{
    char digits[21];
    char *first = digits + sizeof digits - 1;
    *first = '\0';
    do
        *--first = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    gs_append(at, end, first);
}

static bool finish(char *at, const char *end)
{
    *at = '\0';
    return at < end;
}

bool gs_session_path(char *path, size_t size, const char *name, long number)
{
    char *at = path;
    const char *end = path + size - 1;
    gs_append(&at, end, session.directory);
    gs_append(&at, end, "/");
    gs_append(&at, end, name);
    if (number >= 0)
        gs_append_number(&at, end, (uint64_t)number);
    return finish(at, end);
}

static void set_state(enum gs_state state)
{
    atomic_store(&gs_control->state, (uint32_t)state);
}

void gs_fail(int error, const char *what)
{
    uint32_t recording = GS_RECORDING;
    int none = 0;
    if (!atomic_compare_exchange_strong(&session.failure, &none, error ? error : EIO))
        return;
    if (atomic_compare_exchange_strong(&gs_control->state, &recording, GS_DISCARDING))
        gs_names_write(gs_recording_failed, (uint32_t)error, what);
}

/* <root>/<pid>, or <pid>_2 ... when this pid has been here before (exec, or a pid used again). */
static bool make_directory(void)
{
    for (uint64_t again = 1; again < 10000; again++) {
        char *at = session.directory;
        const char *end = session.directory + sizeof session.directory - 64;
        gs_append(&at, end, session.root);
        gs_append(&at, end, "/");
        gs_append_number(&at, end, session.pid);
        if (again > 1) {
            gs_append(&at, end, "_");
            gs_append_number(&at, end, again);
        }
        if (!finish(at, end)) {
            errno = ENAMETOOLONG;
            return false;
        }
        if (mkdir(session.directory, 0777) == 0)
            return true;
        if (errno != EEXIST)
            return false;
    }
    return false;
}

/* What a process needs before its first event. Async-signal-safe. */
static bool begin_directory(void)
{
    char path[PATH_MAX];
    session.begin = gs_now();
    return make_directory() && gs_session_path(path, sizeof path, "metadata", -1) &&
           gs_metadata_write(path, session.pid, (uint32_t)getppid(), session.begin) && gs_names_begin();
}

bool gs_session_resume(void)
{
    uint32_t forked = GS_FORKED;
    if (!atomic_compare_exchange_strong(&gs_control->state, &forked, GS_STARTING))
        return false;
    int saved = errno;
    bool done = begin_directory();
    set_state(done ? GS_RECORDING : GS_OFF);
    if (done) {
        uint64_t now = gs_now();
        struct gs_stream *stream = gs_stream_attach(&gs_self, now, false);
        if (stream != NULL)
            gs_stream_write(stream, stream->packet->timestamp_end, gs_process_fork, GS_NO_GIL, session.parent);
    } else {
        session.failure = errno;
    }
    errno = saved;
    return done;
}

static void before_fork(void)
{
    session.was_recording = gs_state() == GS_RECORDING;
}

/* The child has this one thread. Whatever the parent's others were doing with our structures, here they start
 * anew; the packets mapped are the parent's and are not touched again. */
static void after_fork_in_child(void)
{
    if (gs_control == &nothing)
        return;
    session.parent = session.pid;
    session.pid = (uint32_t)getpid();
    session.failure = 0;
    gs_streams_forget();
    gs_self.section = gs_self.released = NULL;
    atomic_store(&gs_control->session, ++session.sessions);
    set_state(session.was_recording && session.follow_forks ? GS_FORKED : GS_OFF);
    session.directory[0] = '\0';
}

static bool initialise(void)
{
    if (gs_control != &nothing)
        return true;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    madvise(memory, page, MADV_WIPEONFORK); /* Linux < 4.14: the fork handlers do without */
    if (!gs_streams_initialise() || pthread_atfork(before_fork, NULL, after_fork_in_child) != 0) {
        munmap(memory, page);
        return false;
    }
    session.pid = (uint32_t)getpid();
    gs_control = memory;
    return true;
}

/* A symbol of the interpreter; also of one that was loaded for an application alone (RTLD_LOCAL). */
static int look_in_object(struct dl_phdr_info *info, size_t size, void *data)
{
    void **symbol = data;
    (void)size;
    void *object = dlopen(info->dlpi_name, RTLD_LAZY | RTLD_NOLOAD);
    if (object == NULL)
        return 0;
    *symbol = dlsym(object, "PyEval_SaveThread");
    dlclose(object);
    return *symbol != NULL;
}

static bool find_interpreter(void **save, void **restore)
{
    *save = dlsym(RTLD_DEFAULT, "PyEval_SaveThread");
    *restore = dlsym(RTLD_DEFAULT, "PyEval_RestoreThread");
    if (*save != NULL && *restore != NULL)
        return true;
    Dl_info where;
    if (dl_iterate_phdr(look_in_object, save) == 0 || dladdr(*save, &where) == 0)
        return false;
    void *object = dlopen(where.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    if (object == NULL)
        return false;
    *restore = dlsym(object, "PyEval_RestoreThread");
    dlclose(object);
    return *restore != NULL;
}

/* Release and take the GIL once, with the hooks in. */
static bool learn(void *save, void *restore)
{
    if (gs_gil_count() > 0)
        return true;
    void *(*release)(void) = (void *(*)(void))save;
    void (*take)(void *) = (void (*)(void *))restore;
    set_state(GS_LEARNING);
    take(release());
    set_state(GS_OFF);
    return gs_gil_count() > 0;
}

int gs_install(char *message, size_t size)
{
    void *save, *restore;
    if (gs_state() != GS_OFF)
        return GS_OK;
    if (!initialise()) {
        snprintf(message, size, "no memory for the recorder (%m)");
        return GS_OS_ERROR;
    }
    if (!find_interpreter(&save, &restore)) {
        snprintf(message, size, "there is no CPython in this process, so there is no GIL to trace");
        return GS_NO_INTERPRETER;
    }
    if (!gs_got_patch(save, message, size))
        return GS_NO_CALLS;
    if (!learn(save, restore)) {
        gs_got_restore();
        snprintf(message, size, "the GIL of this interpreter is off, so there is no GIL to trace");
        return GS_NO_GIL_FOUND;
    }
    return GS_OK;
}

void gs_uninstall(void)
{
    gs_stop();
    gs_got_restore();
}

/* Threads that live already: their lives begin with the recording, whenever their first event comes. */
static unsigned note_living_threads(void)
{
    unsigned count = 0;
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL)
        return 0;
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        char path[64], comm[32] = "";
        if (task->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%.16s/comm", task->d_name);
        FILE *file = fopen(path, "re");
        if (file != NULL) {
            if (fgets(comm, sizeof comm, file) != NULL)
                comm[strcspn(comm, "\n")] = '\0';
            fclose(file);
        }
        gs_names_write(gs_thread_alive, (uint32_t)strtoul(task->d_name, NULL, 10), comm);
        count++;
    }
    closedir(tasks);
    return count;
}

/* Half-made directories are not left behind. */
static void undo_directory(void)
{
    char path[PATH_MAX];
    static const char *const files[] = {"metadata", "names"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (gs_session_path(path, sizeof path, files[i], -1))
            unlink(path);
    rmdir(session.directory);
    session.directory[0] = '\0';
}

static int start_failed(char *message, size_t size, const char *directory)
{
    int error = session.failure ? session.failure : errno;
    set_state(GS_OFF);
    if (session.directory[0] != '\0')
        undo_directory();
    snprintf(message, size, "can't record into %s: %s", directory, strerror(error));
    return GS_OS_ERROR;
}

static void begin_events(void)
{
    uint32_t tid = (uint32_t)syscall(SYS_gettid);
    uint64_t now = gs_now();
    struct gs_stream *stream = gs_stream_attach(&gs_self, now, false);
    if (stream == NULL)
        return;
    now = stream->packet->timestamp_end;
    gs_stream_write(stream, now, gs_recording_start, GS_NO_GIL, tid);
    /* This thread holds its GIL: the one it took last. */
    struct gs_gil *gil = gs_self.last;
    if (gil == NULL || atomic_load(&gil->mutex) == NULL)
        gil = &gs_gils[0];
    atomic_store(&gil->holder, &gs_self);
    gs_stream_write(stream, now, gs_gil_acquired, gil->number, 0);
}

int gs_start(const char *directory, const char *environment, int follow_forks, char *message, size_t size)
{
    if (gs_state() != GS_OFF) {
        snprintf(message, size, "this process is recorded already, into %s", session.directory);
        return GS_ALREADY;
    }
    if (gs_control == &nothing || gs_gil_count() == 0) {
        snprintf(message, size, "the hooks are not in");
        return GS_NO_GIL_FOUND;
    }
    session.failure = 0;
    session.parent = 0;
    session.follow_forks = follow_forks != 0;
    session.directory[0] = '\0';
    errno = 0;
    if (strlen(directory) >= sizeof session.root) {
        errno = ENAMETOOLONG;
        return start_failed(message, size, directory);
    }
    strcpy(session.root, directory);
    gs_streams_begin();
    atomic_store(&gs_control->session, ++session.sessions);
    set_state(GS_STARTING);
    if (!gs_metadata_prepare(environment) || !begin_directory())
        return start_failed(message, size, directory);
    unsigned living = note_living_threads();
    set_state(GS_RECORDING);
    begin_events();
    if (living > 1) /* threads that wait for the GIL now need a stream when they get it, under its mutex */
        gs_streams_make_ready(living - 1);
    if (session.failure != 0)
        return start_failed(message, size, directory);
    return GS_OK;
}

void gs_stop(void)
{
    uint32_t state = gs_state();
    if (state != GS_RECORDING && state != GS_DISCARDING) {
        set_state(GS_OFF);
        return;
    }
    struct gs_stream *stream = gs_self.stream;
    if (state == GS_RECORDING && (stream == NULL || stream->session != gs_session()))
        stream = gs_stream_attach(&gs_self, gs_now(), false);
    uint64_t now = gs_now();
    set_state(GS_OFF);
    if (state == GS_RECORDING && stream != NULL)
        gs_stream_write(stream, now, gs_recording_stop, GS_NO_GIL, stream->tid);
    gs_streams_end(now);
    gs_names_end(now);
}

void gs_get_status(struct gs_status *status)
{
    status->recording = gs_state() == GS_RECORDING;
    status->failure = session.failure;
    status->discarded = gs_streams_discarded() + gs_names_discarded();
    status->gils = gs_gil_count();
    status->streams = gs_streams_count();
}

void gs_name_thread(uint32_t tid, const char *text)
{
    gs_names_write(gs_thread_name, tid, text);
}

const char *gs_process_directory(void)
{
    return gs_state() == GS_OFF ? "" : session.directory;
}
