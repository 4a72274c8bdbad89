/* The pool of streams. Slots are claimed and given back with one atomic each, so that no thread ever waits for
 * another here. A stream belongs to one thread at a time; a later thread goes on in the file, in the same
 * packet, of one that ended. */
#define _GNU_SOURCE
#include "stream/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/helper.h"
#include "base/text.h"
#include "stream/lock.h"
#include "stream/names.h"
#include "stream/plenty.h"
#include "stream/run.h"

static struct gs_stream *streams;
static _Atomic uint32_t high_water; /* slots ever used */
static pthread_key_t exit_key;
static atomic_bool rooms_wanted; /* by some stream, of the helper */

static bool stream_path(const struct gs_stream *stream, char *path, size_t size)
{
    return gs_run_path(path, size, "gil_", stream - streams);
}

/* Recording ends for this thread. What it would have told is counted. */
static void lose_thread(uint32_t tid, int error, const char *path)
{
    char text[PATH_MAX + 16] = "", *at = text;
    atomic_fetch_add(&gs_run.threads_lost, 1);
    gs_append_number(&at, text + sizeof text - 1, (uint64_t)error);
    gs_append(&at, text + sizeof text - 1, " ");
    gs_append(&at, text + sizeof text - 1, path);
    *at = '\0';
    gs_names_write_patiently(gs_thread_lost, tid, text);
}

/* Without a next packet a stream's events are discarded, and counted in its last one. */
static void fail(struct gs_stream *stream, uint32_t tid, int error, const char *path)
{
    gs_publish(stream->broken, true);
    if (!gs_run_ends_with(error))
        lose_thread(tid, error, path);
    else if (gs_run_fail(error))
        gs_names_tell_failure(error, path);
}

static void prepare(struct gs_stream *stream, uint32_t tid)
{
    char path[PATH_MAX];
    struct gs_packet_header *next = NULL;
    errno = ENAMETOOLONG;
    if (stream_path(stream, path, sizeof path))
        next = gs_room_next(&stream->room, path, GS_STREAM_GIL);
    if (next != NULL)
        gs_lock_tell((uint32_t)(stream - streams), gs_room_packets(&stream->room));
    else if (errno != EINPROGRESS)
        fail(stream, tid, errno, path);
    gs_publish(stream->next, next);
    if (next != NULL && gs_helper_is_here() && gs_room_ask_ahead(&stream->room)) {
        atomic_store(&rooms_wanted, true);
        gs_helper_wake();
    }
}

/* In the helper: what threads will need soon. */
static uint64_t make_rooms(bool *wakes)
{
    char path[PATH_MAX];
    (void)wakes;
    if (!atomic_exchange(&rooms_wanted, false))
        return UINT64_MAX;
    int cancel = gs_slow_begin();
    uint32_t epoch = gs_epoch();
    for (uint32_t i = 0; i < atomic_load(&high_water) && epoch != 0; i++) {
        struct gs_room *room = &streams[i].room;
        if (gs_peek(streams[i].recording) == epoch && gs_room_wants(room) &&
            stream_path(&streams[i], path, sizeof path))
            gs_room_make_ahead(room, path, GS_STREAM_GIL, gs_plenty(room));
    }
    gs_slow_end(cancel);
    return UINT64_MAX;
}

static void attend(struct gs_stream *stream)
{
    if (stream->attention == 0 && !gs_names_comm(stream->tid))
        return; /* another thread is at the names: at the next occasion */
    if (stream->used >= GS_PREPARE_AT && stream->next == NULL && !stream->broken)
        prepare(stream, stream->tid);
    stream->attention = stream->next != NULL || stream->broken ? UINT32_MAX : GS_PREPARE_AT;
}

void gs_stream_attend(struct gs_stream *stream)
{
    int cancel = gs_slow_begin(), saved = errno;
    if (gs_epoch() == stream->recording)
        attend(stream);
    errno = saved;
    gs_slow_end(cancel);
    gs_helper_return();
}

void gs_stream_ask_attention(void)
{
    struct gs_stream *stream = gs_self.stream;
    if (stream != NULL && gs_self.epoch == gs_epoch() && stream->attention > 1)
        stream->attention = 1; /* not 0: its name is written already */
}

bool gs_stream_advance(struct gs_stream *stream, uint64_t timestamp)
{
    if (stream->next == NULL)
        return false;
    /* Stamps may be some ns early (base/clock.h); within a packet gs_stream_put sees to their order. */
    uint64_t last = stream->packet->timestamp_end;
    gs_packet_open(stream->next, timestamp > last ? timestamp : last, stream->tid, stream->packet->events_discarded);
    gs_publish(stream->packet, stream->next);
    gs_publish(stream->next, NULL);
    stream->used = GS_HEADER_SIZE;
    stream->attention = GS_PREPARE_AT;
    return true;
}

/* A slot that was never used in this recording needs a file and its first packet. */
static bool begin_file(struct gs_stream *stream, uint32_t tid)
{
    gs_publish(stream->packet, NULL);
    gs_publish(stream->next, NULL);
    gs_publish(stream->broken, false);
    gs_room_close(&stream->room);
    gs_publish(stream->recording, gs_run.number);
    prepare(stream, tid);
    gs_publish(stream->packet, stream->next);
    gs_publish(stream->next, NULL);
    stream->used = GS_HEADER_SIZE;
    return stream->packet != NULL;
}

static bool claim(struct gs_stream *stream)
{
    uint32_t free = 0;
    return atomic_load_explicit(&stream->owned, memory_order_relaxed) == 0 &&
           atomic_compare_exchange_strong_explicit(&stream->owned, &free, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

static void give_back(struct gs_stream *stream)
{
    if (stream->broken && stream->recording == gs_run.number && stream->packet != NULL)
        return; /* nobody could go on in it */
    atomic_store_explicit(&stream->owned, 0, memory_order_release);
}

/* tid: whose failure it is, if there is none to be had. */
static struct gs_stream *find_free(bool fast, uint32_t tid)
{
    uint32_t recording = gs_run.number;
    uint32_t used = atomic_load(&high_water);
    for (uint32_t i = 0; i < GS_STREAMS; i++) {
        struct gs_stream *stream = &streams[i];
        if (i >= used) {
            if (fast)
                return NULL;
            atomic_compare_exchange_strong(&high_water, &used, i + 1); /* lost: another thread raised it */
        }
        if (!claim(stream))
            continue;
        if (stream->recording == recording && stream->packet != NULL) {
            if (fast || stream->used > GS_HEADER_SIZE)
                return stream;
            give_back(stream); /* kept for a thread that can't make its own */
            continue;
        }
        if (!fast && begin_file(stream, tid))
            return stream;
        give_back(stream);
        if (!fast)
            return NULL;
    }
    if (!fast)
        lose_thread(tid, EAGAIN, "a stream: too many threads at once");
    return NULL;
}

/* A stream of an earlier recording: nobody else may unmap it, this thread could be writing. */
static void drop_stale(struct gs_thread *self)
{
    struct gs_stream *stale = self->stream;
    self->stream = NULL;
    self->epoch = 0;
    gs_publish(stale->packet, NULL);
    gs_publish(stale->next, NULL);
    gs_publish(stale->recording, 0);
    give_back(stale);
}

struct gs_stream *gs_stream_attach(struct gs_thread *self, uint64_t timestamp, bool fast)
{
    int saved = errno;
    if (self->stream != NULL)
        drop_stale(self);
    if (self->lost == gs_run.number)
        return NULL;
    uint32_t tid = (uint32_t)syscall(SYS_gettid);
    struct gs_stream *stream = find_free(fast, tid);
    if (stream == NULL && !fast)
        self->lost = gs_run.number; /* what failed once is not tried at each event */
    if (stream != NULL) {
        stream->tid = tid;
        stream->spans = 0;
        /* The stamp was taken before this slot was claimed, whose last owner may have ended since; a wait may
         * have begun before the recording. */
        uint64_t after = stream->used > GS_HEADER_SIZE ? stream->packet->timestamp_end : gs_run.begin;
        if (timestamp < after)
            timestamp = after;
        if (stream->used == GS_HEADER_SIZE)
            gs_packet_open(stream->packet, timestamp, stream->tid, stream->packet->events_discarded);
        gs_stream_write(stream, timestamp, gs_thread_start, GS_NO_GIL, stream->tid);
        self->stream = stream;
        self->waiting_since = 0; /* what was noted of this wait belongs to an earlier recording */
        self->asked = 0;
        self->frame = 0;
        self->epoch = stream->recording;
        stream->attention = 0; /* its name in the OS is still to be written */
        /* glibc allocates for keys from the 33rd on: one more reason to attach before the lock is taken. */
        pthread_setspecific(exit_key, self);
    }
    errno = saved;
    return stream;
}

/* Runs in the ending thread, after the interpreter has let go of it. A later destructor of the program may
 * take the GIL again: then the thread attaches again, and glibc comes back here. */
static void thread_ends(void *value)
{
    struct gs_thread *self = value;
    struct gs_stream *stream = self->stream;
    if (stream == NULL)
        return;
    if (self->epoch == gs_epoch()) {
        stream->attention = 0; /* the name again: it may have changed */
        gs_stream_attend(stream);
        gs_stream_write(stream, gs_now(), gs_thread_exit, GS_NO_GIL, stream->tid);
    }
    if (self->epoch != gs_run.number) {
        drop_stale(self);
        return;
    }
    /* Kept as it is also when recording is over: what was lost is counted in the packet. */
    self->stream = NULL;
    self->epoch = 0;
    give_back(stream);
}

bool gs_streams_initialise(void)
{
    if (streams != NULL)
        return true;
    void *memory = mmap(NULL, GS_STREAMS * sizeof(struct gs_stream), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    int error = pthread_key_create(&exit_key, thread_ends);
    if (error != 0) {
        munmap(memory, GS_STREAMS * sizeof(struct gs_stream));
        errno = error;
        return false;
    }
    streams = memory;
    gs_helper_add(make_rooms);
    return true;
}

void gs_streams_begin(void)
{
    for (uint32_t i = 0; i < atomic_load(&high_water); i++)
        if (claim(&streams[i])) {
            gs_publish(streams[i].packet, NULL);
            gs_publish(streams[i].next, NULL);
            gs_publish(streams[i].recording, 0);
            gs_room_close(&streams[i].room);
            give_back(&streams[i]);
        }
}

void gs_streams_make_ready(unsigned count)
{
    struct gs_stream *made[256];
    unsigned n = 0;
    if (count > 256)
        count = 256;
    while (n < count && (made[n] = find_free(false, 0)) != NULL)
        n++;
    while (n > 0)
        give_back(made[--n]);
}

/* A thread may still be in a hook, so nothing is unmapped or cut here: what was prepared and not used only
 * gets a time that lies within the trace. */
void gs_streams_end(uint64_t timestamp)
{
    uint32_t recording = gs_run.number;
    for (uint32_t i = 0; i < atomic_load(&high_water); i++) {
        struct gs_stream *stream = &streams[i];
        if (gs_peek(stream->recording) != recording)
            continue;
        struct gs_packet_header *prepared[2] = {gs_peek(stream->packet), gs_peek(stream->next)}; /* its thread may end now */
        for (int k = 0; k < 2; k++)
            if (prepared[k] != NULL)
                gs_packet_close_unused(prepared[k], timestamp);
    }
}

void gs_streams_forget(void)
{
    for (uint32_t i = 0; i < atomic_load(&high_water); i++) /* the parent's packets are not mapped here */
        memset(&streams[i], 0, sizeof streams[i]);
    atomic_store(&high_water, 0);
    gs_self.stream = NULL;
    gs_self.epoch = 0;
    pthread_setspecific(exit_key, NULL);
}

void gs_streams_trim(void)
{
    char path[PATH_MAX];
    for (uint32_t i = 0; i < atomic_load(&high_water); i++)
        if (gs_peek(streams[i].recording) == gs_run.number && stream_path(&streams[i], path, sizeof path))
            gs_room_trim(&streams[i].room, path);
}

uint64_t gs_streams_discarded(void)
{
    uint64_t sum = 0;
    if (!atomic_load(&gs_control->here))
        return 0;
    uint32_t recording = gs_run.number;
    for (uint32_t i = 0; i < atomic_load(&high_water); i++) {
        const struct gs_packet_header *packet = gs_peek(streams[i].packet);
        if (gs_peek(streams[i].recording) == recording && packet != NULL)
            sum += gs_peek(packet->events_discarded);
    }
    return sum;
}

uint32_t gs_streams_count(void)
{
    uint32_t count = 0, recording = gs_run.number;
    for (uint32_t i = 0; i < atomic_load(&high_water); i++)
        count += gs_peek(streams[i].recording) == recording;
    return count;
}
