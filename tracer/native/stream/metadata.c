/* Written once a process, before its first event, and once for the scheduler's part. In a forked child the first
 * runs in a hook, so the text is put together when the recording begins and only its numbers change. */
#define _GNU_SOURCE
#include "stream/metadata.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "format.h"
#include "base/aside.h"
#include "base/text.h"
#include "stream/broker.h"

#define NUMBER "                    " /* 20 places; padded with spaces, a leading 0 would make it octal */

#define EVENT(event_id, event_name)                                                                  \
    "event { name = \"" #event_name "\"; id = " #event_id "; stream_id = 0; fields := struct { uint32_t arg; }; };\n"
#define NAME(event_id, event_name)                                                                   \
    "event { name = \"" #event_name "\"; id = " #event_id                                            \
    "; stream_id = 1; fields := struct { uint32_t ref; string text; }; };\n"

#define SCHED(event_id, event_name)                                                                  \
    "event { name = \"" #event_name "\"; id = " #event_id "; stream_id = 2; fields := struct { uint32_t tid; }; };\n"

#define SAMPLE(event_id, event_name)                                                                 \
    "event { name = \"" #event_name "\"; id = " #event_id                                            \
    "; stream_id = 3; fields := struct { uint32_t frame; uint32_t tid; uint32_t waiters; }; };\n"

#define NATIVE(event_id, event_name)                                                                 \
    "event { name = \"" #event_name "\"; id = " #event_id                                            \
    "; stream_id = 4; fields := struct { uint32_t tid; address_t address; }; };\n"

#define TEXT_OF(number) #number
#define VERSION(number) TEXT_OF(number)

#define PACKET_CONTEXT                                                                               \
    "  packet.context := struct {\n"                                                                 \
    "    timestamp_t timestamp_begin; timestamp_t timestamp_end;\n"                                  \
    "    uint64_t content_size; uint64_t packet_size; uint64_t events_discarded;\n"                  \
    "    uint32_t tid; uint32_t pid; uint64_t given_up; uint64_t reserved[8];\n"                                        \
    "  };\n"                                                                                         \
    "  event.header := struct { timestamp_t timestamp; uint16_t id; };\n"

static const char before[] =
    "/* CTF 1.8 */\n"
    "typealias integer { size = 8; align = 8; signed = false; } := uint8_t;\n"
    "typealias integer { size = 16; align = 16; signed = false; } := uint16_t;\n"
    "typealias integer { size = 32; align = 32; signed = false; } := uint32_t;\n"
    "typealias integer { size = 64; align = 64; signed = false; } := uint64_t;\n"
    "trace { major = 1; minor = 8; byte_order = le;\n"
    "  packet.header := struct { uint32_t magic; uint32_t stream_id; };\n};\n"
    "env {\n  gilscope_format = " VERSION(GS_FORMAT_VERSION) ";\n"
    "  pid = " NUMBER ";\n  ppid = " NUMBER ";\n  recording_start = " NUMBER ";\n";

#define CLOCK                                                                                        \
    "};\n"                                                                                           \
    "clock { name = monotonic; description = \"CLOCK_MONOTONIC\"; freq = 1000000000; offset = " NUMBER "; };\n" \
    "typealias integer { size = 64; align = 64; signed = false; map = clock.monotonic.value; } := timestamp_t;\n"

static const char of_process[] = "  stacks_missed = " NUMBER ";\n" CLOCK
    "stream { id = 0;\n" PACKET_CONTEXT "  event.context := struct { uint16_t gil; };\n};\n" GS_EVENTS(EVENT)
    "stream { id = 1;\n" PACKET_CONTEXT "};\n" GS_NAMES(NAME)
    "stream { id = 3;\n" PACKET_CONTEXT "  event.context := struct { uint16_t gil; };\n};\n" GS_SAMPLE_EVENTS(SAMPLE);

static const char of_sched[] = "  kind = \"sched\";\n  recording_stop = " NUMBER ";\n  cpus = " NUMBER ";\n" CLOCK
    "stream { id = 2;\n" PACKET_CONTEXT "  event.context := struct { uint16_t cpu; };\n};\n" GS_SCHED_EVENTS(SCHED)
    "stream { id = 1;\n" PACKET_CONTEXT "};\n" GS_NAMES(NAME)
    "typealias integer { size = 64; align = 32; base = 16; signed = false; } := address_t;\n"
    "stream { id = 4;\n" PACKET_CONTEXT "  event.context := struct { uint16_t cpu; };\n};\n" GS_NATIVE_EVENTS(NATIVE);

#define MISSED "\n  stacks_missed = " /* no text of the environment's has a newline in it */

static char *of_this_process, *of_this_sched;

static char *compose(const char *environment, const char *rest)
{
    char *text = malloc(sizeof before + strlen(environment) + strlen(rest) + 1);
    if (text != NULL)
        strcpy(stpcpy(stpcpy(text, before), environment), rest);
    return text;
}

/* value: without a quotation mark or a backslash */
static char *compose_with(const char *environment, const char *key, const char *value, const char *rest)
{
    size_t size = strlen(environment) + strlen(key) + strlen(value) + 64;
    char *all = malloc(size), *text = NULL;
    if (all != NULL) {
        snprintf(all, size, "%s  %s = \"%s\";\n", environment, key, value);
        text = compose(all, rest);
        free(all);
    }
    return text;
}

bool gs_metadata_prepare(const char *environment, const char *samples)
{
    free(of_this_process);
    of_this_process = compose_with(environment, "samples", samples, of_process);
    return of_this_process != NULL;
}

static void put(char *text, const char *key, uint64_t number)
{
    char *at = strstr(text, key);
    if (at == NULL)
        return;
    at += strlen(key);
    const char *end = at + sizeof NUMBER - 1;
    memset(at, ' ', sizeof NUMBER - 1);
    gs_append_number(&at, end, number);
}

struct writing {
    const char *path, *text;
    int how;
};

static int write_aside(void *argument)
{
    const struct writing *writing = argument;
    int fd = gs_broker_open(writing->path, O_WRONLY | writing->how);
    if (fd < 0)
        return -1;
    size_t length = strlen(writing->text), done = 0;
    errno = 0;
    while (done < length) {
        ssize_t n = write(fd, writing->text + done, length - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    int error = errno;
    gs_aside_close(fd);
    errno = done < length && error == 0 ? ENOSPC : error;
    return done == length ? 0 : -1;
}

static bool write_text(const char *path, int how, const char *text)
{
    struct writing writing = {path, text, how};
    return gs_aside(write_aside, &writing) == 0;
}

static bool write_new(const char *path, char *text, uint32_t pid, uint32_t parent, uint64_t start)
{
    put(text, "  pid = ", pid);
    put(text, "  ppid = ", parent);
    put(text, "  recording_start = ", start);
    /* The two clocks are read around each other: the offset is good to some ten nanoseconds. */
    uint64_t first = gs_clock_read(CLOCK_MONOTONIC);
    uint64_t utc = gs_clock_read(CLOCK_REALTIME);
    uint64_t second = gs_clock_read(CLOCK_MONOTONIC);
    put(text, "freq = 1000000000; offset = ", utc - (first + (second - first) / 2));
    return write_text(path, O_CREAT | O_EXCL, text);
}

bool gs_metadata_write(const char *path, uint32_t pid, uint32_t parent, uint64_t start)
{
    put(of_this_process, MISSED, 0);
    return write_new(path, of_this_process, pid, parent, start);
}

void gs_metadata_put_missed(const char *path, uint64_t missed)
{
    put(of_this_process, MISSED, missed);
    write_text(path, 0, of_this_process); /* of the same length: nobody reads half of it */
}

bool gs_metadata_write_sched(const char *path, const char *environment, const char *native, uint32_t pid,
                             uint32_t parent, uint64_t start)
{
    free(of_this_sched);
    of_this_sched = compose_with(environment, "native", native, of_sched);
    if (of_this_sched == NULL)
        return false;
    put(of_this_sched, "  recording_stop = ", 0);
    put(of_this_sched, "  cpus = ", 0);
    return write_new(path, of_this_sched, pid, parent, start);
}

bool gs_metadata_end_sched(const char *path, uint64_t stop, unsigned cpus)
{
    put(of_this_sched, "  recording_stop = ", stop);
    put(of_this_sched, "  cpus = ", cpus);
    return write_text(path, 0, of_this_sched); /* of the same length: nobody reads half of it */
}
