/* A process that is armed: the hooks are in, nothing is recorded, and who may can begin a recording from outside. What needs
 * the GIL was done when it was armed; what is left to do runs in the helper. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "armed/listener.h"
#include "armed/roll.h"
#include "armed/standing.h"
#include "base/helper.h"
#include "elf/symbols.h"
#include "gilscope.h"
#include "recording.h"
#include "stacks/stacks.h"
#include "stream/keeper.h"
#include "stream/session.h"

#define BEGINS_WITHIN 20000 /* looks whether it listens, of 50 us */

static struct {
    char *environment, *without_stacks; /* of the metadata */
    bool follow_forks, stacks;
} armed;

static void say_status(char *answer, size_t size)
{
    struct gs_status now;
    gs_get_status(&now);
    snprintf(answer, size, "ok\npid %d\nrecording %d\nfailure %d\ndiscarded %llu\nstreams %u\ntrace %s", (int)getpid(),
             (int)now.recording, (int)now.failure, (unsigned long long)now.discarded, now.streams,
             gs_process_directory());
}

/* "start[ without stacks]\n<directory>" */
static void start(const char *request, char *answer, size_t size)
{
    const char *directory = strchr(request, '\n');
    bool stacks = armed.stacks && strncmp(request, "start without stacks\n", 21) != 0;
    if (directory == NULL || directory[1] != '/') {
        snprintf(answer, size, "failed\nno directory to record into");
        return;
    }
    int length = snprintf(answer, size, "failed\n");
    const char *environment = stacks || armed.without_stacks == NULL ? armed.environment : armed.without_stacks;
    if (gs_start_outside(directory + 1, environment, armed.follow_forks, stacks, answer + length,
                         size - (size_t)length) == GS_OK)
        say_status(answer, size);
}

static void answer(const char *request, char *text, size_t size)
{
    if (strncmp(request, "start", 5) == 0) {
        start(request, text, size);
    } else if (strcmp(request, "stop") == 0) {
        say_status(text, size); /* where it was */
        gs_stop_outside();
    } else if (strcmp(request, "status") == 0) {
        say_status(text, size);
    } else {
        snprintf(text, size, "failed\nan armed process knows start, stop and status");
    }
}

/* The same text, with stacks off. */
static char *text_without_stacks(const char *environment)
{
    static const char on[] = "stacks = \"on\"", off[] = "stacks = \"off\"";
    const char *at = strstr(environment, on);
    char *text = at != NULL ? malloc(strlen(environment) + sizeof off) : NULL;
    if (text != NULL)
        sprintf(text, "%.*s%s%s", (int)(at - environment), environment, off, at + sizeof on - 1);
    return text;
}

static bool listens(void)
{
    for (int i = 0; i < BEGINS_WITHIN && gs_listener_state() == 0; i++)
        nanosleep(&(struct timespec){0, 50000}, NULL);
    return gs_listener_state() == 1;
}

int gs_arm(const char *directory, const char *environment, int follow_forks, char *message, size_t size)
{
    char *text = NULL;
    if (atomic_load(&gs_armed)) {
        snprintf(message, size, "this process is armed already, at %s", gs_listener_path());
        return GS_ALREADY;
    }
    if (strlen(directory) > PATH_MAX - 128 || (text = strdup(environment)) == NULL || !gs_roll_begin()) {
        snprintf(message, size, "can't arm in %s: %s", directory, text == NULL ? "its name is too long" : strerror(ENOMEM));
        free(text);
        return GS_OS_ERROR;
    }
    free(armed.environment);
    free(armed.without_stacks);
    armed.environment = text;
    armed.without_stacks = text_without_stacks(text);
    armed.follow_forks = follow_forks != 0;
    armed.stacks = atomic_load(&gs_stacks.on);
    gs_samples_learn();
    gs_keeper_add();
    gs_listener_begin(directory, answer);
    atomic_store(&gs_armed, true);
    gs_armed_children = armed.follow_forks;
    if (!gs_helper_begin() || !listens()) {
        int error = gs_listener_state() < 0 ? -gs_listener_state() : errno ? errno : ETIMEDOUT;
        gs_disarm();
        snprintf(message, size, "can't arm in %s: %s", directory, strerror(error));
        return GS_OS_ERROR;
    }
    return GS_OK;
}

int gs_is_armed(void)
{
    return atomic_load(&gs_armed);
}

void gs_disarm(void)
{
    if (!atomic_exchange(&gs_armed, false))
        return;
    gs_stop();
    gs_listener_end();
    gs_helper_end();
}

static int come_back(void *unused)
{
    (void)unused;
    gs_helper_return();
    return 0;
}

void gs_arm_again(void)
{
    int (*soon)(int (*)(void *), void *) = (int (*)(int (*)(void *), void *))gs_symbol("Py_AddPendingCall");
    if (atomic_load(&gs_armed) && gs_helper_is_missing() && (soon == NULL || soon(come_back, NULL) != 0))
        come_back(NULL);
}
