/* Interpreters with a GIL of their own. */
#define _GNU_SOURCE
#include "scenarios.h"

void more_gils(void)
{
    start();
    fake_drop(&main_thread, 0);
    for (int i = 0; i < amount; i++) {
        struct fake_gil *other = fake_gil_new(500);
        struct fake_thread owner = {.gil = other};
        pthread_t threads[2];
        fake_take(&owner);
        atomic_store(&stop_spinning, 0);
        for (int k = 0; k < 2; k++)
            pthread_create(&threads[k], NULL, spinner, other);
        fake_drop(&owner, 0);
        sleep_us(5000);
        atomic_store(&stop_spinning, 1);
        for (int k = 0; k < 2; k++)
            pthread_join(threads[k], NULL);
        fake_take(&owner);
        fake_drop(&owner, 1);
        fake_gil_destroy(other);
        add(&owner);
    }
    fake_take(&main_thread);
    finish();
}

/* So many at once, and as many after them, when the first are gone. */
void many_gils(void)
{
    struct fake_gil **others = calloc((size_t)amount, sizeof *others);
    start();
    fake_drop(&main_thread, 0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < amount; i++) {
            struct fake_thread owner = {.gil = others[i] = fake_gil_new(5000)};
            fake_take(&owner);
            fake_drop(&owner, 1);
            add(&owner);
        }
        for (int i = 0; i < amount; i++)
            fake_gil_destroy(others[i]);
    }
    free(others);
    fake_take(&main_thread);
    finish();
}
