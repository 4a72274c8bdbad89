/* What the recorder knows about the calling thread. */
#ifndef GILSCOPE_THREAD_H
#define GILSCOPE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hidden.h"

#define gs_likely(condition) __builtin_expect(!!(condition), 1)

struct gs_stream;
struct gs_gil;

/* How far the calls on mutexes that belong to no known GIL have come towards a take:
 * lock(M) lock(S) signal(SC) unlock(S) unlock(M). */
struct gs_candidate {
    void *mutex, *switch_mutex, *switch_cond;
    uint64_t timestamp; /* of signal(SC) */
    int stage;          /* calls of the sequence seen */
};

struct gs_thread {
    _Alignas(64) struct gs_stream *stream;
    uint32_t epoch;         /* of the recording that stream belongs to; 0: there is none */
    uint32_t lost;          /* number of the recording that could not have this thread */
    struct gs_gil *last;     /* GIL of this thread's last call, or gs_no_gil: the look-up's first guess */
    struct gs_gil *section;  /* GIL whose mutex M this thread holds */
    struct gs_gil *open;     /* the same until it has acquired or released, then NULL */
    struct gs_gil *released; /* GIL this thread has just dropped */
    uint64_t asked;          /* stamp of the ask, 0: not taken */
    uint32_t frame;          /* its number, at the release in this section; 0: not looked for */
    uint32_t waiting_since;  /* epoch in which the wait began that is not over, or 0; 0 outside of sections */
    struct gs_candidate candidate;
};

/* initial-exec: no call, no allocation to reach it, also in a thread's first hook and its last destructor. */
extern GS_HIDDEN __thread struct gs_thread gs_self __attribute__((tls_model("initial-exec")));

#endif
