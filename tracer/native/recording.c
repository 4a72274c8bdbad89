/* The beginning and the end of a recording, and what it says of itself. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "armed/roll.h"
#include "armed/standing.h"
#include "base/aside.h"
#include "base/clock.h"
#include "base/helper.h"
#include "gil/gil.h"
#include "gil/note.h"
#include "gilscope.h"
#include "recording.h"
#include "stream/broker.h"
#include "stream/keeper.h"
#include "stream/metadata.h"
#include "stream/lock.h"
#include "stream/names.h"
#include "stacks/places.h"
#include "stacks/sampler.h"
#include "stream/session.h"
#include "stream/stream.h"

/* Threads that live already: their lives begin with the recording, whenever their first event comes. Runs aside, in
 * one that is none of them. */
static int note_living_threads(void *caller)
{
    int count = 0;
    long here = syscall(SYS_gettid), aside = here != *(long *)caller ? here : 0;
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL)
        return 1;
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        char path[64], comm[32] = "";
        if (task->d_name[0] == '.' || strtol(task->d_name, NULL, 10) == aside)
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%.16s/comm", task->d_name);
        FILE *file = fopen(path, "re");
        bool lives = file != NULL && fgets(comm, sizeof comm, file) != NULL;
        if (file != NULL)
            fclose(file);
        /* One of our own that was joined may still be listed: a thread is joined before the kernel is done with it. */
        if (!lives || strncmp(comm, GS_OWN_NAME, strlen(GS_OWN_NAME)) == 0)
            continue;
        comm[strcspn(comm, "\n")] = '\0';
        gs_names_write(gs_thread_alive, (uint32_t)strtoul(task->d_name, NULL, 10), comm);
        count++;
    }
    closedir(tasks);
    return count > 0 ? count : 1;
}

/* Half-made directories are not left behind; all that is in this one is ours. */
static int undo_directory(void *unused)
{
    (void)unused;
    DIR *files = opendir(gs_run.directory);
    if (files != NULL) {
        for (struct dirent *file; (file = readdir(files)) != NULL;)
            if (strcmp(file->d_name, ".") != 0 && strcmp(file->d_name, "..") != 0)
                unlinkat(dirfd(files), file->d_name, 0);
        closedir(files);
    }
    rmdir(gs_run.directory);
    gs_run.directory[0] = '\0';
    return 0;
}

/* An armed process goes on to listen. */
static void end_helper(void)
{
    if (!atomic_load(&gs_armed))
        gs_helper_end();
}

static int start_failed(char *message, size_t size, const char *directory)
{
    int error = gs_run.failure ? gs_run.failure : errno;
    gs_set_state(GS_OFF);
    end_helper();
    if (gs_run.directory[0] != '\0')
        gs_aside(undo_directory, NULL);
    snprintf(message, size, "can't record into %s: %s", directory, strerror(error));
    return GS_OS_ERROR;
}

/* Who holds a GIL is not known: what an earlier recording left may be long ended. */
static void forget_holders(void)
{
    for (uint32_t i = 0; i < atomic_load(&gs_gil_slots); i++)
        atomic_store(&gs_gils[i].holder, NULL);
}

/* Of the thread that began the recording, which holds its GIL: the one it took last. */
static void begin_events(void)
{
    uint32_t tid = (uint32_t)syscall(SYS_gettid);
    uint64_t now = gs_now();
    struct gs_stream *stream = gs_stream_attach(&gs_self, now, false);
    if (stream == NULL)
        return;
    now = stream->packet->timestamp_end;
    gs_stream_write(stream, now, gs_recording_start, GS_NO_GIL, tid);
    forget_holders();
    if (gs_gil_count() == 0)
        return;
    struct gs_gil *gil = gs_self.last;
    if (atomic_load(&gil->mutex) == NULL)
        gil = &gs_gils[0];
    atomic_store(&gil->holder, &gs_self);
    gs_stream_write(stream, now, gs_gil_acquired, gil->number, 0);
}

/* What a beginning needs that differs by who begins. */
struct beginning {
    const char *directory, *environment;
    bool follow_forks, outside;
};

static char why_no_samples[200]; /* as learned when the process was armed */

/* What the metadata says of samples. Without them a recording is still one. */
static void begin_samples(char text[256], bool outside)
{
    char why[200];
    strcpy(text, "off");
    gs_sampler_begin();
    bool prepared;
    if (outside) {
        strcpy(why, why_no_samples);
        prepared = why[0] == '\0' && gs_sampler_is_ready();
    } else {
        prepared = gs_sampler_prepare(why, sizeof why);
    }
    if (!prepared)
        snprintf(text, 256, "off%s%s", why[0] != '\0' ? ": " : "", why);
    else if (!outside && !gs_helper_begin())
        snprintf(text, 256, "off: a thread for them can't be made (%s)", strerror(errno));
    else
        strcpy(text, "on");
}

void gs_samples_learn(void)
{
    gs_sampler_prepare(why_no_samples, sizeof why_no_samples);
}

static void reset_run(const struct beginning *how)
{
    gs_run.failure = 0;
    gs_run.threads_lost = 0;
    gs_run.parent = 0;
    gs_run.follow_forks = how->follow_forks;
    gs_run.directory[0] = '\0';
    errno = 0;
}

static int start(const struct beginning *how, char *message, size_t size)
{
    char samples[256];
    uint32_t off = GS_OFF;
    if (gs_gil_alive() == 0 && !gs_run.without_gil) {
        snprintf(message, size, "the hooks are not in");
        return GS_NO_GIL_FOUND;
    }
    if (!atomic_compare_exchange_strong(&gs_control->word, &off, GS_STARTING)) {
        snprintf(message, size, "this process is recorded already, into %s", gs_run.directory);
        return GS_ALREADY;
    }
    gs_slow_wait();
    reset_run(how);
    if (strlen(how->directory) >= sizeof gs_run.root) {
        errno = ENAMETOOLONG;
        return start_failed(message, size, how->directory);
    }
    strcpy(gs_run.root, how->directory);
    gs_streams_begin();
    gs_run.number++;
    if (!atomic_load(&gs_armed)) /* its helper has it */
        gs_keeper_add();
    begin_samples(samples, how->outside);
    if (!gs_metadata_prepare(how->environment, samples) || !gs_session_begin_directory())
        return start_failed(message, size, how->directory);
    if (!how->outside && !gs_helper_begin() && gs_keeper_is_there())
        return start_failed(message, size, how->directory); /* it would grow without an end */
    /* A thread that waits for the GIL now needs a stream when it gets it, under its mutex. */
    long caller = syscall(SYS_gettid);
    int living = gs_aside(note_living_threads, &caller);
    gs_streams_make_ready(living > 1 ? (unsigned)living - 1 : 0);
    if (how->outside)
        forget_holders();
    gs_set_state(GS_RECORDING);
    if (how->outside)
        gs_roll_call();
    else
        begin_events();
    if (gs_run.failure != 0)
        return start_failed(message, size, how->directory);
    return GS_OK;
}

int gs_start(const char *directory, const char *environment, int follow_forks, char *message, size_t size)
{
    return start(&(struct beginning){directory, environment, follow_forks != 0, false}, message, size);
}

int gs_start_outside(const char *directory, const char *environment, bool follow_forks, bool stacks, char *message,
                     size_t size)
{
    if (gs_state() == GS_OFF)
        gs_stacks_use(stacks);
    return start(&(struct beginning){directory, environment, follow_forks, true}, message, size);
}

/* The recording's last event, of a thread that has a stream; or else among the names. */
static struct gs_stream *stream_to_end_in(bool outside)
{
    struct gs_stream *stream = gs_self.stream;
    if (outside)
        return NULL;
    return stream != NULL && stream->recording == gs_run.number ? stream : gs_stream_attach(&gs_self, gs_now(), false);
}

static void stop(bool outside)
{
    uint32_t state = gs_state();
    if (state != GS_RECORDING && state != GS_DISCARDING) {
        gs_set_state(GS_OFF);
        return;
    }
    struct gs_stream *stream = state == GS_RECORDING ? stream_to_end_in(outside) : NULL;
    if (gs_gil_missed() != 0)
        gs_names_write(gs_gils_missed, gs_gil_missed(), "");
    if (outside)
        gs_names_write(gs_recording_ended, (uint32_t)syscall(SYS_gettid), "");
    uint64_t now = gs_now();
    gs_set_state(GS_OFF);
    if (stream != NULL)
        gs_stream_write(stream, now, gs_recording_stop, GS_NO_GIL, stream->tid);
    end_helper();
    /* Packets that are being prepared are among those to be closed. If that takes too long nothing of them is touched. */
    if (gs_slow_wait()) {
        gs_streams_end(now);
        gs_names_end(now);
        gs_streams_trim();
        gs_names_trim();
        gs_sampler_trim();
        gs_lock_end(true);
    }
    char path[PATH_MAX];
    if (gs_places_missed() != 0 && gs_run_path(path, sizeof path, "metadata", -1))
        gs_metadata_put_missed(path, gs_places_missed());
}

/* From inside and outside at once: who comes second finds it over. */
static void stop_once(bool outside)
{
    static atomic_bool ending;
    if (atomic_exchange(&ending, true))
        return;
    stop(outside);
    atomic_store(&ending, false);
}

void gs_stop(void)
{
    stop_once(false);
}

void gs_stop_outside(void)
{
    stop_once(true);
}

int gs_snapshot(const char *target)
{
    return gs_keeper_ask(target);
}

void gs_use_broker(const char *address)
{
    gs_broker_use(address);
}

void gs_get_status(struct gs_status *status)
{
    status->recording = gs_state() == GS_RECORDING;
    status->failure = gs_run.failure;
    status->discarded = gs_streams_discarded() + gs_names_discarded();
    status->gils = gs_gil_count();
    status->streams = gs_streams_count();
    status->threads_lost = atomic_load(&gs_run.threads_lost);
}

void gs_name_thread(uint32_t tid, const char *text)
{
    gs_roll_note(tid, text);
    gs_names_write_patiently(gs_thread_name, tid, text);
}

void gs_attach_thread(void)
{
    if (gs_ready(&gs_self) == NULL)
        gs_make_ready(&gs_self);
}

void gs_gil_enabled_by(const char *text)
{
    atomic_store(&gs_gil_off, false);
    gs_attach_thread();
    int cancel = gs_slow_begin();
    struct gs_place places[GS_STACK_DEPTH];
    uint32_t frame = gs_ready(&gs_self) != NULL ? gs_places_number(places, gs_stack_places(&gs_no_gil, places), false) : 0;
    struct gs_stream *stream = gs_ready(&gs_self);
    if (stream != NULL)
        gs_stream_write(stream, gs_now(), gs_gil_enabled, GS_NO_GIL, frame);
    gs_slow_end(cancel);
    if (stream != NULL)
        gs_names_write(gs_gil_module, stream->tid, text);
}

uint32_t gs_thread_id(void)
{
    return (uint32_t)syscall(SYS_gettid);
}

const char *gs_process_directory(void)
{
    return gs_state() == GS_OFF ? "" : gs_run.directory;
}
