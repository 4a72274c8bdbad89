/* Runs in threads of the program, outside of all locks. The caller does nothing meanwhile, so that both may use the
 * same thread-local storage, as after a vfork. */
#define _GNU_SOURCE
#include "base/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#define UNSHARE 2u /* CLOSE_RANGE_UNSHARE */

#define STACKS 8u
#define STACK_SIZE (128u << 10) /* of address space; what is touched is a few pages */
#define PATIENCE_S 5 /* for a stack: who has it only works with files */

#define LIKE_A_THREAD                                                                                \
    (CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

/* clone by the name that no sanitizer knows: they take it for a fork. */
extern int __clone(int (*function)(void *), void *stack, int flags, void *argument, ...);

static char *_Atomic stacks;
static atomic_bool taken[STACKS];
static _Atomic uint32_t given_back, waiting;
static atomic_bool copies; /* the kernel can't make an empty table: it is a copy of the program's */
static bool plainly;       /* no thread can be made like this: valgrind does not know how */
static __thread bool inside;

struct job {
    int (*function)(void *);
    void *argument;
    int result, error;
    bool refused; /* no table of its own */
    _Atomic(pid_t) tid; /* the kernel clears it at the end */
};

static bool have_stacks(void)
{
    char *none = NULL;
    if (atomic_load(&stacks) != NULL)
        return true;
    const char *preloaded = getenv("LD_PRELOAD");
    plainly = preloaded != NULL && strstr(preloaded, "/vgpreload_") != NULL;
    void *memory = mmap(NULL, STACKS * STACK_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    if (!atomic_compare_exchange_strong(&stacks, &none, memory))
        munmap(memory, STACKS * STACK_SIZE); /* another thread has some */
    return true;
}

void gs_aside_forget(void)
{
    for (unsigned i = 0; i < STACKS; i++)
        atomic_store(&taken[i], false);
    atomic_store(&waiting, 0);
    inside = false;
}

static bool try_stacks(unsigned *which)
{
    for (unsigned i = 0; i < STACKS; i++)
        if (!atomic_load_explicit(&taken[i], memory_order_relaxed) && !atomic_exchange(&taken[i], true)) {
            *which = i;
            return true;
        }
    return false;
}

static bool take_stack(unsigned *which)
{
    struct timespec patience = {PATIENCE_S, 0};
    while (!try_stacks(which)) {
        uint32_t seen = atomic_load(&given_back);
        atomic_fetch_add(&waiting, 1);
        bool done = try_stacks(which);
        bool late = !done &&
                    syscall(SYS_futex, &given_back, FUTEX_WAIT, seen, &patience, NULL, 0) != 0 && errno == ETIMEDOUT;
        atomic_fetch_sub(&waiting, 1);
        if (done || late)
            return done;
    }
    return true;
}

static void give_stack_back(unsigned which)
{
    atomic_store(&taken[which], false);
    atomic_fetch_add(&given_back, 1);
    if (atomic_load(&waiting) != 0)
        syscall(SYS_futex, &given_back, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static int run(void *argument)
{
    struct job *job = argument;
    if (!atomic_load(&copies) && syscall(SYS_close_range, 0u, ~0u, UNSHARE) != 0) {
        job->refused = true;
        return 0;
    }
    prctl(PR_SET_NAME, GS_OWN_NAME "aside"); /* where the scheduler is recorded, it is none of the program's threads */
    errno = 0;
    job->result = job->function(job->argument);
    job->error = errno;
    return 0;
}

/* The kernel's own call: the C library would leave out two signals that are its own. */
static void set_mask(const uint64_t *mask, uint64_t *old)
{
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask, old, sizeof *mask);
}

static bool run_once(struct job *job, char *stack)
{
    int flags = LIKE_A_THREAD | (atomic_load(&copies) ? 0 : CLONE_FILES);
    job->refused = false;
    atomic_store(&job->tid, -1);
    if (__clone(run, stack, flags, job, (pid_t *)&job->tid, NULL, (pid_t *)&job->tid) < 0)
        return false;
    for (pid_t tid; (tid = atomic_load(&job->tid)) != 0;)
        syscall(SYS_futex, &job->tid, FUTEX_WAIT, tid, NULL, NULL, 0);
    return true;
}

int gs_aside(int (*function)(void *), void *argument)
{
    struct job job = {.function = function, .argument = argument, .result = -1};
    unsigned which;
    if (!have_stacks())
        return -1;
    if (inside || plainly)
        return function(argument);
    if (!take_stack(&which)) {
        errno = EAGAIN;
        return -1;
    }
    char *stack = stacks + (size_t)(which + 1) * STACK_SIZE;
    uint64_t all = UINT64_MAX, mask;
    set_mask(&all, &mask);
    inside = true;
    bool ran = run_once(&job, stack);
    if (ran && job.refused) {
        atomic_store(&copies, true);
        ran = run_once(&job, stack);
    }
    int error = ran ? job.error : errno;
    inside = false;
    give_stack_back(which);
    set_mask(&mask, NULL);
    errno = error;
    return job.result;
}

bool gs_aside_stay(void)
{
    return syscall(SYS_close_range, 0u, ~0u, UNSHARE) == 0;
}

void gs_aside_close_all(void)
{
    syscall(SYS_close_range, 0u, ~0u, 0u);
}

int gs_aside_open(const char *path, int flags, unsigned mode)
{
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

void gs_aside_close(int fd)
{
    syscall(SYS_close, fd);
}
