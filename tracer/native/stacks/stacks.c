/* Walking the frames. Runs in hooks, and once in gs_stacks_find.
 *
 * A thread walks its own stack, while it holds the GIL: so nothing that is read changes or is freed meanwhile.
 * With one exception: when the interpreter ends, the main thread frees the thread states of the others as soon as
 * it has the GIL, and a thread that gets the GIL after it must not look at its own. */
#include "stacks/stacks.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gil/gil.h"
#include "gilscope.h"
#include "base/known.h"
#include "stacks/deaths.h"
#include "stacks/identity.h"
#include "stacks/places.h"
#include "stacks/pytext.h"
#include "stacks/sketch.h"
#include "stacks/walk.h"
#include "elf/symbols.h"
#include "base/text.h"

#define GIL_SIZE 1024u  /* M lies within so many bytes of the interpreter's GIL */

struct gs_stacks gs_stacks;

/* A code object's content, of a version that does not number them. Neighbours on the stack are often of one file:
 * its hash is kept from one to the next. */
struct file_memo {
    const char *file;
    uint64_t hash;
};

GS_INLINE uint64_t content(const struct gs_layout *layout, const char *code, struct file_memo *memo)
{
    const char *file = gs_load(const char *, code, layout->file);
    const char *lines = gs_load(const char *, code, layout->line_table);
    if (file != memo->file)
        *memo = (struct file_memo){file, gs_text_hash(layout, file)};
    uint64_t name = gs_name_hash(layout, gs_load(const char *, code, layout->name));
    return gs_content(name, gs_hash_ends(lines + layout->bytes, gs_load(uint64_t, lines, layout->size)), memo->hash);
}

GS_INLINE uint64_t identity(const struct gs_layout *layout, const char *code, struct file_memo *memo)
{
    uint64_t its = gs_code_version(layout, code) == 0 ? content(layout, code, memo) : 0;
    return gs_identity(layout, code, (uintptr_t)code, its);
}

/* Where the instructions lie that a frame runs: on a free-threaded build each thread may have a copy. */
GS_INLINE uintptr_t instructions_of(const struct gs_layout *layout, const char *frame, const char *code)
{
    if (layout->copies != 0 && layout->copy != 0) {
        const char *copies = gs_load(const char *, code, layout->copies);
        int32_t index = gs_load(int32_t, frame, layout->copy);
        if (copies != NULL && index >= 0 && index < gs_load(int64_t, copies, 0))
            return gs_load(uintptr_t, copies, 8 + 8 * (uint32_t)index);
    }
    return (uintptr_t)(code + layout->instructions);
}

/* The frames of a thread, innermost first. Returns how many. */
GS_INLINE unsigned walk_in(const struct gs_layout *layout, const void *code_type, const char *thread_state,
                        struct gs_place *places)
{
    unsigned count = 0;
    struct file_memo memo = {NULL, 0};
    const char *frame = gs_innermost(layout, thread_state);
    for (unsigned steps = 0; frame != NULL && steps < GS_MOST_STEPS && count < GS_STACK_DEPTH; steps++) {
        const char *code = gs_code_of(layout, code_type, frame);
        if (code != NULL) {
            uint64_t size = gs_load(uint64_t, code, layout->size);
            uint64_t offset = gs_load(uint64_t, frame, layout->instruction) - instructions_of(layout, frame, code);
            if (offset < 2 * size) /* else the frame is not complete */
                places[count++] = (struct gs_place){frame, code, identity(layout, code, &memo), (uint32_t)offset};
        }
        frame = gs_load(const char *, frame, layout->previous);
    }
    return count;
}

static unsigned walk(const struct gs_stacks *stacks, const char *thread_state, struct gs_place *places)
{
    return gs_is_3_11(&stacks->layout) ? walk_in(&gs_layout_3_11, stacks->code_type, thread_state, places)
                                       : walk_in(&stacks->layout, stacks->code_type, thread_state, places);
}

/* While a thread goes from one interpreter to another its state may still be the former one's. */
static bool belongs(const struct gs_layout *layout, const char *thread_state, const struct gs_gil *gil)
{
    if (layout->gil == 0)
        return true;
    const char *interpreter = gs_load(const char *, thread_state, layout->interpreter);
    uintptr_t its = gs_load(uintptr_t, interpreter, layout->gil);
    return (uintptr_t)atomic_load_explicit(&gil->mutex, memory_order_relaxed) - its < GIL_SIZE;
}

/* 3.11: a thread that runs in a subinterpreter uses a state of its, which need not be this thread's, and is known by
 * none. But the record of the Python calls that it is in lies on this thread's stack, further in than the one of the
 * state that is this thread's. The GIL is held, so no state comes or goes. */
static const char *state_in_use(const struct gs_stacks *stacks, const char *known)
{
    const struct gs_interpreters *every = &stacks->interpreters;
    if (stacks->layout.gil != 0 || every->next == NULL || every->next(every->first()) == NULL)
        return known;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    uintptr_t innermost = gs_load(uintptr_t, known, stacks->layout.cframe);
    const char *found = known;
    for (void *interpreter = every->first(); interpreter != NULL; interpreter = every->next(interpreter))
        for (char *state = every->first_state(interpreter); state != NULL; state = every->next_state(state)) {
            uintptr_t its = gs_load(uintptr_t, state, stacks->layout.cframe);
            if (its > here && its < innermost) {
                innermost = its;
                found = state;
            }
        }
    return found;
}

/* Of the calling thread, which may be looked at now; or NULL. */
GS_INLINE const char *thread_state_now(const struct gs_gil *gil, bool holds)
{
    if (!atomic_load_explicit(&gs_stacks.on, memory_order_acquire) || gs_stacks.is_finalizing())
        return NULL;
    const char *thread_state = gs_stacks.thread_state();
    if (thread_state != NULL && holds)
        thread_state = state_in_use(&gs_stacks, thread_state);
    if (thread_state == NULL || (gil != &gs_no_gil && !belongs(&gs_stacks.layout, thread_state, gil)))
        return NULL;
    return thread_state;
}

unsigned gs_stack_places(const struct gs_gil *gil, struct gs_place *places)
{
    const char *thread_state = thread_state_now(gil, false);
    return thread_state != NULL ? walk(&gs_stacks, thread_state, places) : 0;
}

/* A place that is not complete is in the sketch and not among the places: the next time it may be complete. */
static __attribute__((noinline)) uint32_t number_anew(const char *thread_state, const struct gs_sketch *sketch)
{
    struct gs_place places[GS_STACK_DEPTH];
    unsigned count = walk(&gs_stacks, thread_state, places);
    uint32_t number = gs_places_number(places, count, true);
    if (count == sketch->count && number != 0)
        gs_sketch_remember(sketch, number);
    return number;
}

GS_INLINE uint32_t number_of(const struct gs_gil *gil, bool holds)
{
    const char *thread_state = thread_state_now(gil, holds);
    if (thread_state == NULL)
        return 0;
    struct gs_sketch sketch = gs_sketch_of(&gs_stacks, thread_state);
    uint32_t number = gs_sketch_number(&sketch);
    return gs_likely(number != 0) ? number : number_anew(thread_state, &sketch);
}

struct gs_sketch gs_stack_sketch(const struct gs_gil *gil)
{
    const char *thread_state = thread_state_now(gil, false);
    return thread_state != NULL ? gs_sketch_of(&gs_stacks, thread_state) : (struct gs_sketch){.count = 0};
}

uint32_t gs_stack_number(const struct gs_gil *gil)
{
    return number_of(gil, true);
}

uint32_t gs_stack_number_anyway(const struct gs_gil *gil)
{
    return number_of(gil, false);
}

/* The kernel looks for us, and then refuses, because there is no such way to change a signal mask. */
bool gs_is_memory(const void *address)
{
    int saved = errno;
    uintptr_t at = (uintptr_t)address & ~(uintptr_t)7;
    bool there = at >= GS_LOWEST_ADDRESS &&
                 !(syscall(SYS_rt_sigprocmask, ~0, (void *)at, NULL, 8) != 0 && errno == EFAULT);
    errno = saved;
    return there;
}

static bool is_memory_at(const char *object, uint32_t offset)
{
    return gs_is_memory(object) && gs_is_memory(object + offset);
}

/* The walk with a look before each step: a layout that is wrong after all is no reason to crash. */
static bool can_be_walked(const struct gs_stacks *stacks, const char *thread_state)
{
    const struct gs_layout *layout = &stacks->layout;
    if (!is_memory_at(thread_state, layout->interpreter) || !is_memory_at(thread_state, layout->current_frame))
        return false;
    if (layout->cframe != 0 && !is_memory_at(gs_load(const char *, thread_state, layout->cframe), layout->current_frame))
        return false;
    if (layout->gil != 0 && !is_memory_at(gs_load(const char *, thread_state, layout->interpreter), layout->gil))
        return false;
    const char *frame = gs_innermost(layout, thread_state);
    for (unsigned steps = 0; frame != NULL; steps++) {
        if (steps == GS_MOST_STEPS || !is_memory_at(frame, layout->owner) || !is_memory_at(frame, layout->instruction))
            return false;
        uintptr_t executable = gs_load(uintptr_t, frame, layout->executable) & ~GS_TAG;
        if (executable >= GS_LOWEST_ADDRESS && !is_memory_at((const char *)executable, layout->type))
            return false;
        const char *code = gs_code_of(layout, stacks->code_type, frame);
        const uint32_t objects[] = {layout->file, layout->name, layout->line_table};
        for (int i = 0; code != NULL && i < 3; i++)
            if (!is_memory_at(code, layout->instructions) ||
                !is_memory_at(gs_load(const char *, code, objects[i]), layout->bytes))
                return false;
        frame = gs_load(const char *, frame, layout->previous);
    }
    return true;
}

/* What is found is never changed: a thread that recorded until now may still be walking. */
static bool find(struct gs_stacks *stacks, char *message, size_t size)
{
    if (!gs_symbols_find() || !gs_layout_find(&stacks->layout, message, size))
        return false;
    stacks->code_type = gs_symbol("PyCode_Type");
    stacks->type_type = gs_symbol("PyType_Type");
    stacks->cell_type = gs_symbol("PyCell_Type");
    stacks->thread_state = (void *(*)(void))gs_symbol("PyGILState_GetThisThreadState");
    stacks->interpreters = (struct gs_interpreters){
        .first = (void *(*)(void))gs_symbol("PyInterpreterState_Head"),
        .next = (void *(*)(void *))gs_symbol("PyInterpreterState_Next"),
        .first_state = (char *(*)(void *))gs_symbol("PyInterpreterState_ThreadHead"),
        .next_state = (char *(*)(char *))gs_symbol("PyThreadState_Next"),
    };
    if (stacks->interpreters.first == NULL || stacks->interpreters.first_state == NULL ||
        stacks->interpreters.next_state == NULL)
        stacks->interpreters.next = NULL;
    stacks->is_finalizing = (int (*)(void))gs_symbol("Py_IsFinalizing");
    if (stacks->is_finalizing == NULL) /* up to 3.12 */
        stacks->is_finalizing = (int (*)(void))gs_symbol("_Py_IsFinalizing");
    if (stacks->code_type == NULL || stacks->thread_state == NULL || stacks->is_finalizing == NULL) {
        snprintf(message, size, "this build lacks a symbol that stacks need");
        return false;
    }
    const char *thread_state = stacks->thread_state();
    if (thread_state == NULL || !can_be_walked(stacks, thread_state)) {
        snprintf(message, size, "this build's frames do not look like its version's");
        return false;
    }
    if (gs_self.last != &gs_no_gil && !belongs(&stacks->layout, thread_state, gs_self.last)) {
        snprintf(message, size, "this build's interpreter does not look like its version's");
        return false;
    }
    return true;
}

int gs_stacks_find(char *message, size_t size)
{
    struct gs_stacks found = {.code_type = NULL};
    gs_stacks_use(0);
    if (gs_stacks.thread_state == NULL) {
        if (!find(&found, message, size))
            return GS_NO_STACKS;
        if (!gs_known_reserve()) {
            snprintf(message, size, "no memory (%m)");
            return GS_NO_STACKS;
        }
        gs_stacks = found;
    }
    if (gs_is_3_11(&gs_stacks.layout))
        gs_deaths_count(&gs_stacks.layout, gs_stacks.code_type);
    return GS_OK;
}

int gs_stacks_text(char *text, size_t size)
{
    struct gs_place places[GS_STACK_DEPTH];
    const struct gs_layout *layout = &gs_stacks.layout;
    const char *end = text + size - 1;
    char *at = text;
    const void *thread_state = gs_stacks.thread_state != NULL ? gs_stacks.thread_state() : NULL;
    unsigned count = thread_state != NULL ? walk(&gs_stacks, thread_state, places) : 0;
    for (unsigned i = 0; i < count; i++) {
        gs_append_number(&at, end, places[i].offset);
        gs_append(&at, end, "\t");
        gs_append_number(&at, end, gs_load(uint32_t, places[i].code, layout->first_line));
        gs_append(&at, end, "\t");
        gs_pytext_append(gs_pytext(layout, gs_load(const char *, places[i].code, layout->name)), true, &at, end);
        gs_append(&at, end, "\t");
        gs_pytext_append(gs_pytext(layout, gs_load(const char *, places[i].code, layout->file)), true, &at, end);
        gs_append(&at, end, "\n");
    }
    return gs_append_end(at, end) ? (int)count : -1;
}

void gs_stacks_use(int on)
{
    atomic_store_explicit(&gs_stacks.on, on != 0, memory_order_release);
}
