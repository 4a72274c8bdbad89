/* Runs in hooks, in a thread that holds the GIL, and not its mutex; and in the helper, of threads that it samples.
 *
 * A frame's key is the hash of its place and of its caller's key. So the whole stack is known by one look-up, of
 * its innermost frame; and if that is not known, the frames further out mostly are. */
#include "stacks/places.h"

#include <stdatomic.h>

#include "base/hash.h"
#include "base/known.h"
#include "stream/names.h"
#include "stream/run.h"
#include "stacks/pytext.h"
#include "base/text.h"

#define HEX_PIECE 1000u              /* characters of a line table in one record */
#define LONGEST_LINE_TABLE (1u << 16) /* bytes of it that are written */
#define NAME_MAX_BYTES 400           /* of a function: the rest of a record is the file's */

static uint32_t codes, frames; /* numbers given; changed in one's turn at the names */
static _Atomic uint64_t missed;

void gs_places_begin(void)
{
    gs_known_forget();
    codes = frames = 0;
    atomic_store(&missed, 0);
}

uint64_t gs_places_missed(void)
{
    return atomic_load(&missed);
}

/* Keys of an earlier recording, or of the parent, are no keys of this one. */
static uint64_t seed(void)
{
    return gs_mix(atomic_load_explicit(&gs_run.number, memory_order_relaxed), 1);
}

/* Who wants a number, and how it reads code. */
struct wish {
    gs_code_reader *read;
    uint32_t epoch; /* the recording that it is for */
    bool hurry;     /* others wait for it */
};

/* Of a thread that holds the GIL, in whose stack the code object is. */
static bool read_own(const struct gs_place *place, struct gs_code_parts *parts)
{
    const struct gs_layout *layout = &gs_stacks.layout;
    const char *code = place->code, *lines = gs_load(const char *, code, layout->line_table);
    *parts = (struct gs_code_parts){
        .first_line = gs_load(int32_t, code, layout->first_line),
        .name = gs_pytext(layout, gs_load(const char *, code, layout->name)),
        .file = gs_pytext(layout, gs_load(const char *, code, layout->file)),
        .line_table = lines + layout->bytes,
        .line_table_size = gs_load(uint64_t, lines, layout->size),
    };
    return true;
}

static bool write_line_table(uint32_t number, const char *bytes, uint64_t size)
{
    static const char digits[] = "0123456789abcdef";
    char hex[HEX_PIECE + 1];
    if (size > LONGEST_LINE_TABLE)
        size = LONGEST_LINE_TABLE;
    for (uint64_t at = 0; at < size;) {
        uint32_t length = 0;
        for (; length < HEX_PIECE && at < size; at++) {
            hex[length++] = digits[(unsigned char)bytes[at] >> 4];
            hex[length++] = digits[(unsigned char)bytes[at] & 15];
        }
        hex[length] = '\0';
        if (!gs_names_append(gs_code_lines, number, hex))
            return false;
    }
    return true;
}

static bool write_code(uint32_t number, const struct gs_code_parts *parts)
{
    char text[GS_NAME_TEXT_MAX] = "", *at = text;
    const char *end = text + sizeof text - 1, *end_of_name = text + NAME_MAX_BYTES;
    gs_append_number(&at, end, parts->first_line > 0 ? (uint64_t)parts->first_line : 0);
    gs_append(&at, end, "\n");
    gs_pytext_append(parts->name, true, &at, end_of_name);
    gs_append(&at, end, "\n");
    gs_pytext_append(parts->file, false, &at, end);
    *at = '\0';
    return gs_names_append(gs_code, number, text) &&
           write_line_table(number, parts->line_table, parts->line_table_size);
}

static uint32_t code_number(const struct gs_place *place, const struct wish *wish)
{
    struct gs_code_parts parts;
    uint64_t key = gs_mix(place->identity, seed());
    uint32_t number = gs_known_find(key);
    if (number != 0)
        return number;
    if (!gs_known_has_room(key) || !wish->read(place, &parts))
        return 0;
    number = ++codes; /* not given again if this fails: its records may be there in part */
    return write_code(number, &parts) && gs_known_add(key, number) ? number : 0;
}

static uint32_t write_frame(const struct gs_place *place, uint64_t key, uint32_t caller, const struct wish *wish)
{
    uint32_t code = gs_known_has_room(key) ? code_number(place, wish) : 0;
    if (code == 0)
        return 0;
    char text[64] = "", *at = text;
    const char *end = text + sizeof text - 1;
    gs_append_number(&at, end, caller);
    gs_append(&at, end, " ");
    gs_append_number(&at, end, code);
    gs_append(&at, end, " ");
    gs_append_number(&at, end, place->offset);
    *at = '\0';
    /* A number that is in the table is in the trace; one that is in the trace may be unused. */
    uint32_t number = ++frames;
    return gs_names_append(gs_frame, number, text) && gs_known_add(key, number) ? number : 0;
}

static __attribute__((noinline)) uint32_t write_unknown(const struct gs_place *places, const uint64_t *keys,
                                                        unsigned count, const struct wish *wish)
{
    uint32_t number = 0;
    int cancel = gs_slow_begin();
    if (gs_turn_take(wish->hurry)) {
        unsigned unknown = 0;
        /* In the meantime another thread may have written it, and recording may have begun anew. */
        bool ours = wish->epoch != 0 && wish->epoch == gs_epoch();
        while (ours && unknown < count && (number = gs_known_find(keys[unknown])) == 0)
            unknown++;
        while (ours && unknown-- > 0)
            if ((number = write_frame(&places[unknown], keys[unknown], number, wish)) == 0)
                break;
        gs_turn_end();
    }
    gs_slow_end(cancel);
    return number;
}

static uint32_t number_of(const struct gs_place *places, unsigned count, const struct wish *wish)
{
    uint64_t keys[GS_STACK_DEPTH];
    uint64_t key = seed();
    for (unsigned i = count; i-- > 0;)
        keys[i] = key = gs_mix(key ^ places[i].identity, places[i].offset);
    uint32_t number = gs_known_find(key);
    return gs_likely(number != 0) ? number : write_unknown(places, keys, count, wish);
}

uint32_t gs_places_number(const struct gs_place *places, unsigned count, bool hurry)
{
    if (count == 0)
        return 0;
    const struct wish wish = {read_own, gs_ready(&gs_self) != NULL ? gs_self.epoch : 0, hurry};
    uint32_t number = number_of(places, count, &wish);
    if (number == 0)
        atomic_fetch_add_explicit(&missed, 1, memory_order_relaxed);
    return number;
}

uint32_t gs_places_number_for(const struct gs_place *places, unsigned count, gs_code_reader *read, uint32_t epoch)
{
    const struct wish wish = {read, epoch, true};
    return count != 0 ? number_of(places, count, &wish) : 0;
}
