/* What outlives a single call: the state, the process's directory, and how a forked child goes on. */
#define _GNU_SOURCE
#include "stream/session.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "armed/listener.h"
#include "armed/standing.h"
#include "base/aside.h"
#include "base/clock.h"
#include "base/helper.h"
#include "base/text.h"
#include "stacks/places.h"
#include "stacks/sampler.h"
#include "stream/broker.h"
#include "stream/keeper.h"
#include "stream/lock.h"
#include "stream/metadata.h"
#include "stream/names.h"
#include "stream/stream.h"

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
        if (gs_broker_mkdir(gs_run.directory) == 0)
            return true;
        if (errno != EEXIST)
            return false;
    }
    return false;
}

static int begin_directory(void *unused)
{
    (void)unused;
    char path[PATH_MAX];
    gs_run.begin = gs_now();
    gs_keeper_begin();
    bool done = make_directory() && gs_lock_make() && gs_run_path(path, sizeof path, "metadata", -1) &&
                gs_metadata_write(path, gs_run.pid, (uint32_t)getppid(), gs_run.begin);
    return done ? 0 : -1;
}

static bool begin_names(void)
{
    /* A thread that writes for the last recording is let finish, if it does; those after it see that it is over. */
    gs_turn_take(false);
    gs_places_begin();
    bool done = gs_names_begin();
    gs_turn_end();
    return done;
}

bool gs_session_begin_directory(void)
{
    return gs_aside(begin_directory, NULL) == 0 && begin_names();
}

bool gs_session_resume(void)
{
    uint32_t forked = GS_FORKED;
    if (!atomic_compare_exchange_strong(&gs_control->word, &forked, GS_STARTING))
        return false;
    int saved = errno;
    bool done = gs_session_begin_directory();
    gs_sampler_begin();
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
    gs_helper_step_aside();
}

/* The helper comes back when this thread is next at its files: Python counts the threads of the process first, and warns
 * of a fork where there are several. */
static void after_fork_in_parent(void)
{
    if (gs_helper_is_missing())
        gs_stream_ask_attention();
}

/* The child has this one thread. Whatever the parent's others were doing with our structures, here they start
 * anew; the packets mapped are the parent's and are not touched again. */
static void after_fork_in_child(void)
{
    int saved = errno;
    gs_run.parent = gs_run.pid;
    gs_run.pid = (uint32_t)getpid();
    gs_run.failure = 0;
    gs_clock_initialise();
    gs_aside_forget();
    gs_turn_forget();
    gs_lock_forget();
    gs_streams_forget();
    gs_names_forget();
    gs_helper_forget();
    gs_listener_forget();
    atomic_store(&gs_armed, atomic_load(&gs_armed) && gs_armed_children);
    gs_sampler_forget();
    gs_run.threads_lost = 0;
    gs_self.section = gs_self.open = gs_self.released = NULL;
    gs_run.number++;
    atomic_store(&gs_control->busy, 0); /* where the kernel did not empty the page */
    atomic_store(&gs_control->here, 1);
    gs_set_state(gs_run.was_recording && gs_run.follow_forks ? GS_FORKED : GS_OFF);
    gs_run.directory[0] = '\0';
    errno = saved;
}

bool gs_session_initialise(void)
{
    static bool done;
    if (done)
        return true;
    if (!gs_streams_initialise())
        return false;
    gs_run_initialise();
    int error = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    if (error != 0) {
        errno = error;
        return false;
    }
    gs_clock_initialise();
    gs_run.pid = (uint32_t)getpid();
    return done = true;
}
