/* What all threads share: whether events are wanted, and where they go. */
#ifndef GILSCOPE_SESSION_H
#define GILSCOPE_SESSION_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hidden.h"

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
    _Atomic uint32_t busy;  /* threads between gs_slow_begin and gs_slow_end; a child begins with none */
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

void gs_set_state(enum gs_state state);

/* Around what hooks do outside of all locks and what uses gs_run: files, names. May be nested; gs_slow_end gets what
 * gs_slow_begin returned. The state has to be looked at after gs_slow_begin: whoever changes it and then waits in
 * gs_slow_wait has let this work finish. Files make cancellation points of calls that are none: a thread that is
 * being cancelled goes on to its own. */
static inline int gs_slow_begin(void)
{
    int cancel = PTHREAD_CANCEL_ENABLE;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    atomic_fetch_add(&gs_control->busy, 1);
    return cancel;
}

static inline void gs_slow_end(int cancel)
{
    atomic_fetch_sub(&gs_control->busy, 1);
    pthread_setcancelstate(cancel, NULL);
}

/* Not for ever: a disk may not answer. */
void gs_slow_wait(void);

/* End recording early. error: errno; what: the thing that could not be had. In hooks, any thread. */
void gs_fail(int error, const char *what);

/* Give a forked child its own directory, at its first event. In a hook; false: it will not record. */
bool gs_session_resume(void);

/* Writes "<process directory>/<name>[number]" into path. Returns false when it does not fit. */
bool gs_session_path(char *path, size_t size, const char *name, long number);

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
};

extern GS_HIDDEN struct gs_run gs_run;

bool gs_session_initialise(void); /* once; false: errno says why */

/* What a process needs before its first event. Async-signal-safe. */
bool gs_session_begin_directory(void);

#endif
