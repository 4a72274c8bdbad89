/* Made with pthread_create: code that runs in it uses errno and gs_self as everybody does. So the C library counts it:
 * a process whose main thread has ended lives as long as it. It looks for that, and ends when it is the last. */
#define _GNU_SOURCE
#include "base/helper.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MOST_JOBS 5
#define STACK_SIZE (256u << 10) /* of which it touches two pages, and thread-local storage has the rest */
#define SECOND UINT64_C(1000000000)
#define LOOK_AROUND (SECOND / 20) /* how often it looks whether it is the last */
#define SLICE 100000               /* ns: the least that there is */
#define GOES_WITHIN 2000          /* turns that whoever sends it away yields to it */

enum { ABSENT, COMING, HERE };

static struct {
    gs_job *jobs[MOST_JOBS];
    unsigned count;
    _Atomic uint32_t state, wanted, leave, tid;
} helper;

_Atomic uint32_t gs_helper_asleep;

void gs_helper_add(gs_job *job)
{
    for (unsigned i = 0; i < helper.count; i++)
        if (helper.jobs[i] == job)
            return;
    if (helper.count < MOST_JOBS)
        helper.jobs[helper.count++] = job;
}

/* The main thread has ended, and nobody but it (of which the kernel keeps an entry) and this one is left. Asked without
 * a descriptor: those are the program's. */
static bool is_last(void)
{
    char path[64], target[8];
    struct stat tasks;
    snprintf(path, sizeof path, "/proc/self/task/%d/cwd", (int)getpid());
    return readlink(path, target, sizeof target) < 0 && errno == ENOENT && stat("/proc/self/task", &tasks) == 0 &&
           tasks.st_nlink <= 2 + 2;
}

static void sleep_for(uint64_t ns, bool wakes)
{
    struct timespec pause = {(time_t)(ns / SECOND), (long)(ns % SECOND)};
    if (!wakes) { /* on another word: who waits for the GIL need not end this */
        syscall(SYS_futex, &helper.leave, FUTEX_WAIT_PRIVATE, 0, &pause, NULL, 0);
        return;
    }
    atomic_store(&gs_helper_asleep, 1);
    if (atomic_load(&helper.leave) == 0)
        syscall(SYS_futex, &gs_helper_asleep, FUTEX_WAIT_PRIVATE, 1, &pause, NULL, 0);
    atomic_store(&gs_helper_asleep, 0);
}

static void work(void)
{
    uint64_t since = 0;
    while (atomic_load(&helper.leave) == 0) {
        uint64_t pause = LOOK_AROUND;
        bool wakes = true;
        for (unsigned i = 0; i < helper.count; i++) {
            uint64_t its = helper.jobs[i](&wakes);
            pause = its < pause ? its : pause;
        }
        if ((since += pause) >= LOOK_AROUND) {
            since = 0;
            if (is_last())
                return;
        }
        sleep_for(pause, wakes);
    }
}

/* As linux/sched/types.h has it, which the C library's headers contradict. */
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t slice, deadline, period;
};

/* What it does is short: with a slice as short the scheduler lets it run when it wakes up, also where many threads
 * want the CPUs. Its share of them stays what it is. Before Linux 6.12 this changes nothing. */
static void ask_for_short_slices(void)
{
    struct attributes attributes = {0};
    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0u) != 0 || attributes.policy != SCHED_OTHER)
        return;
    attributes.size = sizeof attributes;
    attributes.slice = SLICE;
    syscall(SYS_sched_setattr, 0, &attributes, 0u);
}

static void *run(void *unused)
{
    uint32_t coming = COMING;
    prctl(PR_SET_NAME, GS_HELPER_NAME);
    prctl(PR_SET_TIMERSLACK, 1000UL);
    ask_for_short_slices();
    atomic_store(&helper.tid, (uint32_t)syscall(SYS_gettid));
    if (atomic_compare_exchange_strong(&helper.state, &coming, HERE))
        work();
    atomic_store(&gs_helper_asleep, atomic_load(&helper.wanted)); /* who waits brings it back */
    atomic_store(&helper.state, ABSENT);
    return unused;
}

static bool make(void)
{
    uint32_t absent = ABSENT;
    if (!atomic_compare_exchange_strong(&helper.state, &absent, COMING))
        return true;
    int saved = errno;
    pthread_t thread;
    pthread_attr_t how;
    sigset_t all, mask;
    atomic_store(&helper.leave, 0);
    atomic_store(&gs_helper_asleep, 0);
    sigfillset(&all);
    pthread_attr_init(&how);
    pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    int error = EINVAL;
    if (pthread_attr_setstacksize(&how, STACK_SIZE) == 0)
        error = pthread_create(&thread, &how, run, NULL);
    if (error == EINVAL) { /* thread-local storage is taken from the stack, and some programs have much */
        pthread_attr_destroy(&how);
        pthread_attr_init(&how);
        pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED);
        error = pthread_create(&thread, &how, run, NULL);
    }
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    pthread_attr_destroy(&how);
    if (error != 0) {
        atomic_store(&helper.wanted, 0); /* not again and again */
        atomic_store(&helper.state, ABSENT);
    }
    errno = error != 0 ? error : saved;
    return error == 0;
}

bool gs_helper_begin(void)
{
    if (helper.count == 0)
        return true;
    atomic_store(&helper.wanted, 1);
    if (!make())
        return false;
    for (int i = 0; i < GOES_WITHIN && atomic_load(&helper.state) == COMING; i++)
        nanosleep(&(struct timespec){0, 50000}, NULL); /* whoever looks for it by its name finds it */
    return true;
}

void gs_helper_return(void)
{
    int saved = errno;
    if (gs_helper_is_missing())
        make();
    errno = saved;
}

bool gs_helper_is_missing(void)
{
    return atomic_load(&helper.wanted) != 0 && atomic_load(&helper.state) == ABSENT;
}

bool gs_helper_is_here(void)
{
    return atomic_load(&helper.state) != ABSENT;
}

/* Not joined: whoever does that waits without an end, also where the program's own handlers hold what its end needs. */
void gs_helper_step_aside(void)
{
    int saved = errno;
    if (atomic_load(&helper.state) != ABSENT) {
        atomic_store(&helper.leave, 1);
        atomic_store(&gs_helper_asleep, 0);
        syscall(SYS_futex, &gs_helper_asleep, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
        syscall(SYS_futex, &helper.leave, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
        pid_t pid = getpid();
        for (int i = 0; i < GOES_WITHIN; i++) {
            uint32_t tid = atomic_load(&helper.tid);
            if (atomic_load(&helper.state) == ABSENT &&
                (tid == 0 || syscall(SYS_tgkill, pid, tid, 0) != 0)) /* the kernel does not count it any more */
                break;
            if (i < GOES_WITHIN / 4)
                sched_yield();
            else
                nanosleep(&(struct timespec){0, 100000}, NULL);
        }
        atomic_store(&helper.tid, 0);
    }
    errno = saved;
}

void gs_helper_end(void)
{
    atomic_store(&helper.wanted, 0);
    gs_helper_step_aside();
    atomic_store(&gs_helper_asleep, 0);
}

void gs_helper_forget(void)
{
    atomic_store(&helper.state, ABSENT);
    atomic_store(&helper.tid, 0);
    atomic_store(&gs_helper_asleep, 0);
}

void gs_helper_wake_now(void)
{
    int saved = errno;
    if (gs_helper_is_missing()) {
        make();
    } else {
        atomic_store(&gs_helper_asleep, 0);
        syscall(SYS_futex, &gs_helper_asleep, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
    errno = saved;
}
