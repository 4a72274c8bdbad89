/* Processes that fork. */
#define _GNU_SOURCE
#include <sys/wait.h>
#include <unistd.h>

#include "scenarios.h"

static void child_works(void)
{
    fake_gil_after_fork(gil);
    forget();
    fake_take(&main_thread);
    run_threads(sleeper, 2, gil);
    finish();
}

/* Forks while other threads take and drop, and start and end. */
void forks(void)
{
    pthread_t busy[2];
    start();
    for (int i = 0; i < 2; i++)
        pthread_create(&busy[i], NULL, spinner, gil);
    for (long i = 0; i < amount; i++) {
        fake_drop(&main_thread, 0);
        do /* a thread that is being made may have a lock of the sanitizer's, and then the child has it for ever */
            sleep_us(1000);
        while (atomic_load(&spinning) < 2);
        fake_take(&main_thread);
        pid_t child = fork();
        if (child == 0) {
            child_works();
            _exit(0);
        }
        fake_drop(&main_thread, 0);
        int status;
        waitpid(child, &status, 0);
        fake_take(&main_thread);
        if (status != 0)
            DIE("child: status %x", status);
    }
    fake_drop(&main_thread, 0);
    atomic_store(&stop_spinning, 1);
    for (int i = 0; i < 2; i++)
        pthread_join(busy[i], NULL);
    fake_take(&main_thread);
    finish();
}
