/* Recordings that end: one after another, without space, with the recorder itself. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <sys/resource.h>

#include "gilscope.h"
#include "scenarios.h"

/* Recordings one after another while threads run; each goes to TRACE/<pid>, <pid>_2, ... */
void restarts(void)
{
    pthread_t busy[3];
    install();
    for (int i = 0; i < 3; i++)
        pthread_create(&busy[i], NULL, spinner, gil);
    for (long i = 0; i < amount; i++) {
        start();
        fake_drop(&main_thread, 0);
        sleep_us(3000);
        fake_take(&main_thread);
        gs_stop();
        if (i % 3 == 0)
            gs_uninstall();
        fake_drop(&main_thread, 0);
        sleep_us(500);
        fake_take(&main_thread);
    }
    fake_drop(&main_thread, 0);
    atomic_store(&stop_spinning, 1);
    for (int i = 0; i < 3; i++)
        pthread_join(busy[i], NULL);
}

/* Space ends after amount bytes a file: recording ends, the program does not notice. */
void full(void)
{
    struct rlimit limit = {(rlim_t)amount, (rlim_t)amount};
    struct gs_status status;
    signal(SIGXFSZ, SIG_IGN);
    start();
    setrlimit(RLIMIT_FSIZE, &limit);
    for (int i = 0; i < 200; i++)
        run_threads(sleeper, 1, gil);
    gs_get_status(&status);
    gs_stop();
    printf("failure %d discarded %lu\n", status.failure, (unsigned long)status.discarded);
}

/* A recorder that was closed: its hooks may still be called. */
void closed(void)
{
    start();
    fake_drop(&main_thread, 0);
    fake_take(&main_thread);
    finish();
    Dl_info core;
    dladdr((void *)gs_start, &core);
    void *again = dlopen(core.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    dlclose(again);
    dlclose(again);
    fake_drop(&main_thread, 0);
    fake_take(&main_thread);
}
