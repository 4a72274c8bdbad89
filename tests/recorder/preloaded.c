/* An interposer of another kind: LD_PRELOAD. Counts and passes on; says at the end how often it was called. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

static atomic_long calls;

int pthread_cond_signal(pthread_cond_t *cond)
{
    static int (*next)(pthread_cond_t *);
    if (next == NULL)
        next = (int (*)(pthread_cond_t *))dlvsym(RTLD_NEXT, "pthread_cond_signal", "GLIBC_2.3.2");
    atomic_fetch_add(&calls, 1);
    return next(cond);
}

__attribute__((destructor)) static void say(void)
{
    printf("signals %ld\n", atomic_load(&calls));
    fflush(stdout);
}
