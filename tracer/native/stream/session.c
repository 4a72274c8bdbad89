/* What outlives a single call: the state, the process's directory, and how a forked child goes on. */
#define _GNU_SOURCE
#include "stream/session.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "stream/metadata.h"
#include "stream/names.h"
#include "stream/stream.h"
#include "base/text.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

#define LONGEST_SLOW_WAIT UINT64_C(1000000000) /* ns */

union gs_control_page gs_control_page;
static bool initialised; /* not on that page */

struct gs_run gs_run = {.number = GS_FIRST_RECORDING - 1};

void gs_set_state(enum gs_state state)
{
    atomic_store(&gs_control->word, state == GS_RECORDING ? atomic_load(&gs_run.number) : (uint32_t)state);
}

void gs_slow_wait(void)
{
    uint64_t deadline = gs_now() + LONGEST_SLOW_WAIT;
    while (atomic_load(&gs_control->busy) != 0 && gs_now() < deadline)
        sched_yield();
}

bool gs_session_path(char *path, size_t size, const char *name, long number)
{
    char *at = path;
    const char *end = path + size - 1;
    gs_append(&at, end, gs_run.directory);
    gs_append(&at, end, "/");
    gs_append(&at, end, name);
    if (number >= 0)
        gs_append_number(&at, end, (uint64_t)number);
    return gs_append_end(at, end);
}

void gs_fail(int error, const char *what)
{
    uint32_t recording = gs_epoch();
    int none = 0;
    if (!atomic_compare_exchange_strong(&gs_run.failure, &none, error ? error : EIO))
        return;
    if (recording == 0 || !atomic_compare_exchange_strong(&gs_control->word, &recording, GS_DISCARDING))
        return;
    gs_names_write(gs_recording_failed, (uint32_t)error, what);
}

/* <root>/<pid>, or <pid>_2 ... when this pid has been here before (exec, or a pid used again). */
static bool make_directory(void)
{
    for (uint64_t again = 1; again < 10000; again++) {
        char *at = gs_run.directory;
        const char *end = gs_run.directory + sizeof gs_run.directory - 64;
        gs_append(&at, end, gs_run.root);
        gs_append(&at, end, "/");
        gs_append_number(&at, end, gs_run.pid);
        if (again > 1) {
            gs_append(&at, end, "_");
            gs_append_number(&at, end, again);
        }
        if (!gs_append_end(at, end)) {
            errno = ENAMETOOLONG;
            return false;
        }
        if (mkdir(gs_run.directory, 0777) == 0)
            return true;
        if (errno != EEXIST)
            return false;
    }
    return false;
}

bool gs_session_begin_directory(void)
{
    char path[PATH_MAX];
    gs_run.begin = gs_now();
    return make_directory() && gs_session_path(path, sizeof path, "metadata", -1) &&
           gs_metadata_write(path, gs_run.pid, (uint32_t)getppid(), gs_run.begin) && gs_names_begin();
}

bool gs_session_resume(void)
{
    uint32_t forked = GS_FORKED;
    if (!atomic_compare_exchange_strong(&gs_control->word, &forked, GS_STARTING))
        return false;
    int saved = errno;
    bool done = gs_session_begin_directory();
    gs_set_state(done ? GS_RECORDING : GS_OFF);
    if (done) {
        uint64_t now = gs_now();
        struct gs_stream *stream = gs_stream_attach(&gs_self, now, false);
        if (stream != NULL)
            gs_stream_write(stream, stream->packet->timestamp_end, gs_process_fork, GS_NO_GIL, gs_run.parent);
    } else {
        gs_run.failure = errno;
    }
    errno = saved;
    return done;
}

static void before_fork(void)
{
    uint32_t state = gs_state();
    gs_run.was_recording = state == GS_RECORDING || state == GS_FORKED;
}

/* The child has this one thread. Whatever the parent's others were doing with our structures, here they start
 * anew; the packets mapped are the parent's and are not touched again. */
static void after_fork_in_child(void)
{
    if (!initialised)
        return;
    gs_run.parent = gs_run.pid;
    gs_run.pid = (uint32_t)getpid();
    gs_run.failure = 0;
    gs_clock_initialise();
    gs_streams_forget();
    gs_names_forget();
    gs_self.section = gs_self.open = gs_self.released = NULL;
    gs_run.number++;
    atomic_store(&gs_control->busy, 0); /* where the kernel did not empty the page */
    gs_set_state(gs_run.was_recording && gs_run.follow_forks ? GS_FORKED : GS_OFF);
    gs_run.directory[0] = '\0';
}

bool gs_session_initialise(void)
{
    if (initialised)
        return true;
    madvise(&gs_control_page, sizeof gs_control_page, MADV_WIPEONFORK); /* Linux < 4.14: the fork handlers do without */
    if (!gs_streams_initialise() || pthread_atfork(before_fork, NULL, after_fork_in_child) != 0)
        return false;
    gs_clock_initialise();
    gs_run.pid = (uint32_t)getpid();
    initialised = true;
    return true;
}

