/* What is read may change at any moment: the thread goes on, returns, enters another function; a code object may be
 * freed, and its memory used again. So
 *   - the frames come in one copy, after the pointers that lead to them;
 *   - a code object must look like one that lives, and an instruction must be one of its own (as in stacks.c), and what
 *     it refers to comes with it;
 *   - what the thread has written last, which is read before them and after, must be the same. */
#define _GNU_SOURCE
#include "stacks/remote.h"

#include <string.h>

#include "base/clock.h"
#include "base/thread.h"
#include "stacks/codes.h"
#include "stacks/identity.h"
#include "stacks/ways.h"
#include "stream/stream.h"

#define MOST_STEPS 256u
#define ROUNDS 24u /* copies until all pointers that lead to the frames, and all frames, are in one */

#define THREAD_SIZE (offsetof(struct gs_thread, epoch) + sizeof(uint32_t))
#define STREAM_SIZE (offsetof(struct gs_stream, tid) + sizeof(uint32_t))

/* What a thread has written last. As long as it is the same, the thread is in the same hold. */
struct mark {
    const void *stream, *packet;
    uint32_t epoch, used, tid;
};

enum found {
    GONE,  /* no memory there, or no thread of this recording */
    AGAIN, /* not there: it is known now where to look */
    THERE,
};

static struct {
    struct gs_batch batch;
    struct gs_place places[GS_STACK_DEPTH];
    struct gs_seen seen[GS_STACK_DEPTH];
    int count; /* of seen */
} remote;

/* What is asked for to follow the way. NULL: its address is not known yet. */
struct asked {
    const char *thread, *said, *stream, *cframe, *frame, *pieces[GS_PIECES];
};

static const char *ask(uintptr_t address, size_t size)
{
    return gs_batch_add(&remote.batch, address, size);
}

static void ask_for_all(const struct gs_way *way, const struct gs_look *look, struct asked *asked)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    uintptr_t state = layout->cframe != 0 ? way->cframe : way->thread_state;
    gs_batch_begin(&remote.batch);
    *asked = (struct asked){.thread = ask(look->holder, THREAD_SIZE)};
    if (look->thread_state == 0)
        asked->said = ask(look->said_at, sizeof(uintptr_t));
    if (way->stream != 0)
        asked->stream = ask(way->stream, STREAM_SIZE);
    if (layout->cframe != 0 && way->thread_state != 0)
        asked->cframe = ask(way->thread_state + layout->cframe, sizeof(uintptr_t));
    if (state != 0)
        asked->frame = ask(state + layout->current_frame, sizeof(uintptr_t));
    for (unsigned i = 0; i < way->count; i++)
        asked->pieces[i] = ask(way->pieces[i].begin, way->pieces[i].end - way->pieces[i].begin);
}

static bool was_read(const char *at, size_t size, size_t had)
{
    return at != NULL && at + size <= remote.batch.to + had;
}

/* A pointer that was copied, or is known; what it leads to was asked for at *where. */
static enum found lead(uintptr_t to, uintptr_t *where)
{
    if (to < GS_LOWEST_ADDRESS)
        return GONE;
    bool same = to == *where;
    *where = to;
    return same ? THERE : AGAIN;
}

static enum found lead_by_word(const char *word, size_t had, uintptr_t *where)
{
    return was_read(word, sizeof(uintptr_t), had) ? lead(gs_load(uintptr_t, word, 0), where) : GONE;
}

static enum found read_mark(const char *thread, const char *stream, size_t had, struct mark *mark)
{
    if (!was_read(stream, STREAM_SIZE, had))
        return GONE;
    *mark = (struct mark){
        .stream = gs_load(const void *, thread, offsetof(struct gs_thread, stream)),
        .epoch = gs_load(uint32_t, thread, offsetof(struct gs_thread, epoch)),
        .packet = gs_load(const void *, stream, offsetof(struct gs_stream, packet)),
        .used = gs_load(uint32_t, stream, offsetof(struct gs_stream, used)),
        .tid = gs_load(uint32_t, stream, offsetof(struct gs_stream, tid)),
    };
    return THERE;
}

/* The frame at address; NULL: it is not in what was copied. */
static const char *frame_at(uintptr_t address, const struct gs_way *way, const struct asked *asked, size_t had)
{
    for (unsigned i = 0; i < way->count; i++) {
        struct gs_piece piece = way->pieces[i];
        if (address >= piece.begin && address + GS_FRAME_SIZE <= piece.end &&
            was_read(asked->pieces[i], piece.end - piece.begin, had))
            return asked->pieces[i] + (address - piece.begin);
    }
    return NULL;
}

/* Where the copy ended; the number of pieces, if it is whole. */
static unsigned first_unread(const struct gs_way *way, const struct asked *asked, size_t had)
{
    unsigned i = 0;
    while (i < way->count && was_read(asked->pieces[i], way->pieces[i].end - way->pieces[i].begin, had))
        i++;
    return i;
}

/* Look for this frame in another copy. */
static enum found look_further(uintptr_t frame, struct gs_way *way, unsigned unread)
{
    bool dropped = unread < way->count;
    if (dropped && gs_way_is_alone(way, unread, frame))
        return GONE;
    if (dropped)
        gs_way_drop(way, unread);
    return gs_way_add(way, frame) || dropped ? AGAIN : GONE;
}

static void see(const char *found)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    uintptr_t code = gs_load(uintptr_t, found, layout->executable) & ~(uintptr_t)3; /* the tag of 3.14 */
    if (gs_load(uint8_t, found, layout->owner) >= GS_FIRST_INTERNAL || code < GS_LOWEST_ADDRESS || code % 8 != 0)
        return;
    remote.seen[remote.count++] = (struct gs_seen){
        .address = code,
        .instruction = gs_load(uintptr_t, found, layout->instruction),
        .copy = layout->copies != 0 && layout->copy != 0 ? gs_load(int32_t, found, layout->copy) : -1,
    };
}

/* The frames that may run code, from the innermost; as far as they were copied. What runs is known all the same. */
static enum found walk(uintptr_t frame, struct gs_way *way, const struct asked *asked, size_t had)
{
    uintptr_t visited[MOST_STEPS];
    unsigned steps = 0;
    remote.count = 0;
    for (; frame != 0 && steps < MOST_STEPS && remote.count < (int)GS_STACK_DEPTH; steps++) {
        const char *found = frame % 8 == 0 ? frame_at(frame, way, asked, had) : NULL;
        if (found == NULL && frame % 8 != 0) {
            remote.count = -1;
            return GONE;
        }
        if (found == NULL)
            return look_further(frame, way, first_unread(way, asked, had));
        see(found);
        visited[steps] = frame;
        frame = gs_load(uintptr_t, found, gs_stacks.layout.previous);
    }
    gs_way_keep(way, visited, steps);
    return THERE;
}

/* One copy. What is learned in it is asked for in the next, until nothing new is learned. */
static enum found follow(struct gs_way *way, struct gs_look *look, struct mark *mark)
{
    struct asked asked;
    remote.count = -1;
    ask_for_all(way, look, &asked);
    size_t had = gs_batch_read(&remote.batch);
    if (!was_read(asked.thread, THREAD_SIZE, had) ||
        gs_load(uint32_t, asked.thread, offsetof(struct gs_thread, epoch)) != look->epoch)
        return GONE;
    enum found stream = lead(gs_load(uintptr_t, asked.thread, offsetof(struct gs_thread, stream)), &way->stream);
    enum found state = look->thread_state != 0 ? lead(look->thread_state, &way->thread_state)
                                               : lead_by_word(asked.said, had, &way->thread_state);
    if (stream != THERE || state != THERE)
        return stream == GONE || state == GONE ? GONE : AGAIN;
    if (read_mark(asked.thread, asked.stream, had, mark) != THERE)
        return GONE;
    enum found cframe = asked.cframe != NULL ? lead_by_word(asked.cframe, had, &way->cframe) : THERE;
    if (cframe != THERE)
        return cframe;
    return was_read(asked.frame, sizeof(uintptr_t), had) ? walk(gs_load(uintptr_t, asked.frame, 0), way, &asked, had)
                                                         : GONE;
}

static bool are_same(const struct mark *one, const struct mark *other)
{
    return one->epoch == other->epoch && one->stream == other->stream && one->packet == other->packet &&
           one->used == other->used;
}

/* And the mark after them. texts: what the code objects refer to comes with them, where it was met before. GONE: some
 * of it is not there. */
static enum found copy_codes(const struct gs_look *look, bool texts, const struct mark *before)
{
    struct mark after;
    gs_batch_begin(&remote.batch);
    if (!gs_codes_ask(&remote.batch, remote.seen, remote.count, texts))
        return GONE;
    const char *thread = ask(look->holder, THREAD_SIZE), *stream = ask((uintptr_t)before->stream, STREAM_SIZE);
    size_t had = gs_batch_read(&remote.batch);
    if (had < remote.batch.size || read_mark(thread, stream, had, &after) != THERE)
        return GONE;
    return are_same(before, &after) ? THERE : AGAIN;
}

int gs_remote_look(struct gs_look *look)
{
    struct gs_way *way = gs_way_of(look->holder);
    struct mark mark;
    enum found found = AGAIN;
    for (unsigned round = 0; round < ROUNDS && found == AGAIN; round++)
        found = follow(way, look, &mark);
    if (remote.count < 0 || (remote.count == 0 && found != THERE)) {
        gs_way_forget(way);
        return remote.count = -1;
    }
    look->now = gs_now();
    look->tid = mark.tid;
    found = copy_codes(look, true, &mark);
    if (found == GONE) {
        gs_codes_forget(remote.seen, remote.count);
        found = copy_codes(look, false, &mark);
    }
    return remote.count = found == THERE ? remote.count : -1;
}

int gs_remote_places(const struct gs_place **places)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    int whole = 0;
    *places = remote.places;
    for (int i = 0; i < remote.count; i++) {
        const struct gs_seen *seen = &remote.seen[i];
        uint64_t its = 0, offset = seen->instruction - gs_code_instructions(seen);
        if (!gs_code_lives(seen->code) || offset >= 2 * gs_load(uint64_t, seen->code, layout->size))
            continue; /* not complete, as it is for a moment when a function is entered */
        if (gs_code_version(layout, seen->code) == 0 && !gs_code_content(seen, &its))
            return -1;
        remote.places[whole++] = (struct gs_place){
            .code = seen->code,
            .identity = gs_identity(layout, seen->code, seen->address, its),
            .offset = (uint32_t)offset,
        };
    }
    return whole;
}

bool gs_remote_code(const struct gs_place *place, struct gs_code_parts *parts)
{
    for (int i = 0; i < remote.count; i++)
        if (remote.seen[i].code == place->code)
            return gs_code_parts(&remote.seen[i], parts);
    return false;
}
