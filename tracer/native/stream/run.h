/* What all threads share of a recording: whether events are wanted, and where they go. Below all else that writes. */
#ifndef GILSCOPE_RUN_H
#define GILSCOPE_RUN_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hidden.h"
#include "base/thread.h"

enum gs_state {
    GS_OFF = 0, /* also what a forked child reads first: the kernel wipes the page */
    GS_RECORDING,
    GS_DISCARDING, /* recording ended early; events are only counted */
    GS_FORKED,     /* a child that begins its own directory at its first event */
    GS_STARTING,
    GS_LEARNING, /* gs_install looks for the GIL's addresses */
};

/* Lives on a page of its own that the kernel empties in a forked child (MADV_WIPEONFORK): so a child made by
 * any kind of fork, seen by our handlers or not, never writes into its parent's packets. */
struct gs_control {
    _Atomic uint32_t word; /* the recording's number while there is one, else the state: a hook looks once */
    _Atomic uint32_t here; /* 1: what is mapped is mapped here; in a child it is not */
    /* Threads between gs_busy_begin and gs_busy_end; a child begins with none. Not on the line that all hooks read. */
    _Alignas(64) _Atomic uint32_t busy;
};

#define GS_FIRST_RECORDING 16u /* numbers below are states */

#if defined(__x86_64__)
#define GS_LARGEST_PAGE 4096
#else
#define GS_LARGEST_PAGE 65536
#endif

/* At an address known when the core is linked. */
union gs_control_page {
    _Alignas(GS_LARGEST_PAGE) struct gs_control control;
    char page[GS_LARGEST_PAGE];
};

extern GS_HIDDEN union gs_control_page gs_control_page;

static struct gs_control *const gs_control = &gs_control_page.control;

static inline uint32_t gs_control_word(void)
{
    return atomic_load_explicit(&gs_control->word, memory_order_acquire);
}

static inline uint32_t gs_state(void)
{
    uint32_t word = gs_control_word();
    return word < GS_FIRST_RECORDING ? word : GS_RECORDING;
}

/* Number of the recording while the state is GS_RECORDING, else 0. */
static inline uint32_t gs_epoch(void)
{
    uint32_t word = gs_control_word();
    return word < GS_FIRST_RECORDING ? 0 : word;
}

/* The calling thread's stream if it is recorded already: one comparison. */
static inline struct gs_stream *gs_ready(const struct gs_thread *self)
{
    return gs_likely(self->epoch == gs_epoch()) ? self->stream : NULL;
}

void gs_set_state(enum gs_state state);

/* Around what hooks do outside of all locks and what uses gs_run. May be nested. The state has to be looked at after
 * gs_busy_begin: whoever changes it and then waits in gs_slow_wait has let this work finish. */
static inline void gs_busy_begin(void)
{
    atomic_fetch_add(&gs_control->busy, 1);
}

static inline void gs_busy_end(void)
{
    atomic_fetch_sub(&gs_control->busy, 1);
}

/* The same around files and names, which make cancellation points of calls that are none: a thread that is being
 * cancelled goes on to its own. gs_slow_end gets what gs_slow_begin returned. */
static inline int gs_slow_begin(void)
{
    int cancel = PTHREAD_CANCEL_ENABLE;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    gs_busy_begin();
    return cancel;
}

static inline void gs_slow_end(int cancel)
{
    gs_busy_end();
    pthread_setcancelstate(cancel, NULL);
}

/* Not for ever: a disk may not answer. False: somebody is still at it. */
bool gs_slow_wait(void);

/* Who adds to the names now. One thread at a time; each tries a bounded number of times and gives up, so that nobody
 * can wait here for a thread that was stopped or forked away. In a hurry: don't wait for another's. False: not now. */
bool gs_turn_take(bool hurry);
bool gs_turn_is_ours(void);
void gs_turn_end(void);
void gs_turn_forget(void); /* in a forked child: who had it does not exist */

/* A failure that every thread will meet: no room on the disk. It ends the recording. Others are one thread's. */
bool gs_run_ends_with(int error);

/* End recording early. error: errno; what: the thing that could not be had. In hooks, any thread. True: this was the
 * first time, the names don't say it yet. */
bool gs_run_fail(int error);

/* What this process's recording is about. Written by gs_start and in a forked child, while nobody records. */
struct gs_run {
    char root[PATH_MAX];      /* the trace's directory */
    char directory[PATH_MAX]; /* this process's, in it */
    uint32_t pid;
    uint32_t parent; /* pid of the parent, in a forked child; else 0 */
    _Atomic uint64_t begin; /* nothing in the trace is earlier */
    _Atomic uint32_t number; /* counts recordings, also over forks, from GS_FIRST_RECORDING on: a stream of an older one is not written to */
    bool follow_forks;
    bool was_recording; /* at the fork, for the child */
    bool without_gil;   /* this interpreter has none, so far */
    _Atomic int failure; /* errno that ended recording early */
    _Atomic uint32_t threads_lost; /* threads that recording ended for, alone */
};

extern GS_HIDDEN struct gs_run gs_run;

/* Writes "<process directory>/<name>[number]" into path. Returns false when it does not fit. */
bool gs_run_path(char *path, size_t size, const char *name, long number);

void gs_run_initialise(void); /* once */

#endif
