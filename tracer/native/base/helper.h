/* A thread of the core's own, for what no thread of the program should have to do. It never asks for the GIL, no signal
 * reaches it, and it goes aside where a process of one thread may have to be one (fork). What it does are jobs. */
#ifndef GILSCOPE_HELPER_H
#define GILSCOPE_HELPER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/aside.h"

#define GS_HELPER_NAME GS_OWN_NAME "helper" /* in the OS; whoever draws threads leaves it out */

/* Does its work and returns after how many ns it wants to be called again. It may be called earlier, and with no
 * regard to the time when the helper is woken. *wakes: whether gs_helper_wake should end that pause; true before. */
typedef uint64_t gs_job(bool *wakes);

void gs_helper_add(gs_job *job); /* once a job, while there is no helper */

/* From here on there is to be a helper, until gs_helper_end. False, with errno: it can't be had. Allocates. */
bool gs_helper_begin(void);
void gs_helper_end(void);

/* It is to go away for now: when this returns it has, or does not for some reason that nobody here can mend. */
void gs_helper_step_aside(void);

/* Make it again, if it is wanted and not there. A thread of the program calls this at a moment at which it might as
 * well have made a thread itself: no lock is held, it is no signal handler. */
void gs_helper_return(void);

void gs_helper_forget(void); /* in a forked child: it has none, but may want one */
bool gs_helper_is_missing(void);
bool gs_helper_is_here(void);

extern _Atomic uint32_t gs_helper_asleep; /* 1: it would sleep through what concerns it, or is not there */

void gs_helper_wake_now(void);

/* Any thread, also in a hook. */
static inline void gs_helper_wake(void)
{
    if (__builtin_expect(atomic_load_explicit(&gs_helper_asleep, memory_order_relaxed) != 0, 0))
        gs_helper_wake_now();
}

#endif
