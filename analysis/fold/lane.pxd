# A thread by itself: what it does about the GIL, cut where it gets a CPU and loses it, and where it waits for a lock.
#
# Its own events tell that, so each stream is read alone, in any order, several at once: for sums (`coverage`), or for
# what is kept of each interval (`brief`).

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memset

from analysis.fold.rules.cpu cimport split
from analysis.fold.cursor cimport Cursor, advance, give_back
from analysis.fold.rules.events cimport ABANDONED, ACQUIRED, EXIT, RELEASE, REQUESTED, START, TIMEOUT, TOO_LONG, WAIT
from analysis.fold.state cimport (
    HOLDING,
    HOLDING_ASLEEP,
    LOCKED,
    NATIVE,
    READY,
    RELEASED,
    STALLED,
    STOPPED,
    UNKNOWN,
    UNSURE,
    WAITING,
    Record,
)
from analysis.growing cimport Numbers, push

cdef enum:
    IN_MEMORY = 8  # packets that were read, and are kept
    FOUND = 128  # of an interval's kind: its release found a drop request
    OFF = 4  # numbers of each piece without a CPU
    COUNTS = 5  # of a thread: intervals, holds, and state, begin and end of the first one

cdef struct Picture:
    int64_t begin
    int64_t end
    const int64_t *edges  # of columns; NULL: there are none
    int64_t columns
    const int64_t *cpu_start  # tables.cpu.onto_cpu.Stretches
    const uint8_t *cpu_state

cdef struct Timed:
    # Timed waits that ran out, of the threads of a stream.
    int64_t *begin
    int64_t *end
    int16_t *gil
    int64_t used
    int64_t room

cdef struct Lane:
    # A thread, at the moment up to which its events were read.
    int64_t begin
    int64_t end
    int64_t since
    int state
    int64_t gil  # that it holds or waits for: its place among those of the process
    bint asked  # an event about a GIL was seen
    const int64_t *locks
    int64_t locks_left
    int64_t cpu_at
    int64_t cpu_stop
    int64_t cpu_end  # of the last of them
    int64_t *times
    int64_t *counts
    int64_t *held  # with each GIL
    int64_t *about
    int64_t *cells  # states x columns; NULL: it is not drawn
    int64_t *cells_held  # GILs x columns
    int64_t column
    # What is kept of each interval where that is asked for: see `brief`
    int64_t *starts  # NULL: nothing
    uint8_t *states
    uint8_t *kinds
    int16_t *gils
    uint32_t *more
    int64_t native  # for how long it was that, since
    uint8_t kind  # of the event that it began with
    int64_t at  # its number
    bint fresh  # there was no event since
    int64_t last_time
    Numbers off  # with the GIL or ready, and no CPU: interval, state, begin, end
    Numbers long_natives  # intervals, and for how long it was NATIVE in them
    Timed *timed
    int64_t timed_waits  # of it, and whether there was room for all
    bint no_room
    bint failed  # there was no memory


cdef inline int64_t at_most(int64_t value, int64_t limit) noexcept nogil:
    return value if value < limit else limit


cdef inline void keep(Lane *lane, Numbers *numbers, int64_t value) noexcept nogil:
    if push(numbers, value) < 0:
        lane.failed = True


cdef inline void keep_piece(Lane *lane, int state, int64_t begin, int64_t end) noexcept nogil:
    if state == NATIVE:
        lane.native += end - begin
    elif state == STALLED or state == READY or state == HOLDING_ASLEEP:
        keep(lane, &lane.off, lane.at)
        keep(lane, &lane.off, state)
        keep(lane, &lane.off, begin)
        keep(lane, &lane.off, end)


cdef inline void keep_interval(Lane *lane) noexcept nogil:
    lane.starts[lane.at], lane.states[lane.at] = lane.since, <uint8_t> lane.state
    lane.kinds[lane.at] = lane.kind
    lane.gils[lane.at] = <int16_t> lane.gil


cdef inline void keep_native(Lane *lane) noexcept nogil:
    """Keep for how long it was NATIVE in an interval, whose pieces are all put."""
    lane.more[lane.at] = <uint32_t> lane.native
    if lane.native >> 32:
        keep(lane, &lane.long_natives, lane.at)
        keep(lane, &lane.long_natives, lane.native)
    lane.native = 0


cdef inline void put(Picture *picture, Lane *lane, int state, int64_t begin, int64_t end) noexcept nogil:
    """Count what lies in the picture of a piece, which begins where the last one ended or later."""
    cdef int64_t until, column
    cdef int64_t *cells
    cdef int64_t *held
    begin = picture.begin if begin < picture.begin else begin
    end = at_most(end, picture.end)
    if begin >= end:
        return
    if lane.starts != NULL:
        keep_piece(lane, state, begin, end)
        return
    lane.times[state] += end - begin
    if lane.cells == NULL:
        return
    cells, column = lane.cells + state * picture.columns, lane.column
    held = NULL
    if lane.state == HOLDING and lane.cells_held != NULL:
        held = lane.cells_held + lane.gil * picture.columns
    while picture.edges[column + 1] <= begin:
        column += 1
    while begin < end:
        until = at_most(end, picture.edges[column + 1])
        cells[column] += until - begin
        if held != NULL:
            held[column] += until - begin
        begin = until
        column += begin < end
    lane.column = column


cdef inline void put_with_cpu(Picture *picture, Lane *lane, int64_t begin, int64_t end) noexcept nogil:
    """Count a piece, cut where the thread got a CPU and lost it: each stretch lasts until the next one."""
    cdef int64_t until
    cdef int cpu
    while begin < end:
        while lane.cpu_at + 1 < lane.cpu_stop and picture.cpu_start[lane.cpu_at + 1] <= begin:
            lane.cpu_at += 1
        if lane.cpu_at >= lane.cpu_stop:
            cpu, until = UNSURE, end
        elif picture.cpu_start[lane.cpu_at] > begin:
            cpu, until = UNSURE, at_most(end, picture.cpu_start[lane.cpu_at])
        elif lane.cpu_at + 1 < lane.cpu_stop:
            cpu, until = picture.cpu_state[lane.cpu_at], at_most(end, picture.cpu_start[lane.cpu_at + 1])
        elif lane.cpu_end > begin:
            cpu, until = picture.cpu_state[lane.cpu_at], at_most(end, lane.cpu_end)
        else:
            cpu, until = UNSURE, end
        put(picture, lane, split(lane.state, cpu), begin, until)
        begin = until


cdef inline void put_without(Picture *picture, Lane *lane, int64_t begin, int64_t end) noexcept nogil:
    """Count a piece without the GIL: what of it was a wait for a lock is that."""
    cdef int64_t since, until
    while lane.locks_left and lane.locks[0] < end:
        since = lane.locks[0] if lane.locks[0] > begin else begin
        until = at_most(lane.locks[1], end)
        if until > since:
            put_with_cpu(picture, lane, begin, since)
            put(picture, lane, STOPPED if lane.locks[2] else LOCKED, since, until)
            begin = until
        if lane.locks[1] > end:
            break
        lane.locks += 3
        lane.locks_left -= 1
    put_with_cpu(picture, lane, begin, end)


cdef inline bint is_seen(Picture *picture, Lane *lane, int64_t end, bint last) noexcept nogil:
    """Whether an interval touches the picture; of those before it, as `plots.timeline.coverage` has it."""
    if lane.since > picture.begin:
        return lane.since < picture.end
    return end > picture.begin or (last and lane.since == picture.begin)


cdef inline int64_t held_within(Picture *picture, Lane *lane, int64_t end) noexcept nogil:
    cdef int64_t since = lane.since if lane.since > picture.begin else picture.begin
    end = at_most(end, picture.end)
    return end - since if end > since else 0


cdef inline void leave(Picture *picture, Lane *lane, int64_t end, bint last) noexcept nogil:
    """What a thread does about the GIL ends."""
    if lane.starts != NULL:
        keep_interval(lane)
    elif is_seen(picture, lane, end, last):
        if not lane.counts[0]:
            lane.counts[2], lane.counts[3], lane.counts[4] = lane.state, lane.since, end
        lane.counts[0] += 1
        lane.counts[1] += lane.state == HOLDING
        if lane.about != NULL and lane.state >= WAITING:
            lane.about[lane.gil] += 1
            if lane.state == HOLDING:
                lane.held[lane.gil] += held_within(picture, lane, end)
    if end > picture.begin and lane.since < picture.end:
        if lane.state == RELEASED:
            put_without(picture, lane, lane.since, end)
        elif lane.state == HOLDING:
            put_with_cpu(picture, lane, lane.since, end)
        else:
            put(picture, lane, lane.state, lane.since, end)
    if lane.starts != NULL:
        keep_native(lane)
    lane.since = end
    lane.at += 1


cdef inline void note(Lane *lane, const Record *event, int64_t gil) noexcept nogil:
    """Keep what else an event says."""
    cdef int64_t time = <int64_t> event.time
    cdef Timed *timed = lane.timed
    if event.id == TIMEOUT:
        if timed.used == timed.room:
            lane.no_room = True
            return
        timed.begin[timed.used] = time - event.arg if event.arg and event.arg != TOO_LONG else lane.last_time
        timed.end[timed.used], timed.gil[timed.used] = time, <int16_t> gil
        timed.used += 1
        lane.timed_waits += 1
    elif event.id == REQUESTED and lane.fresh:
        lane.kind |= FOUND
    elif event.id == ACQUIRED and lane.state == WAITING:
        lane.more[lane.at - 1] = event.arg


cdef inline bint happens(Picture *picture, Lane *lane, const Record *event, const int32_t *gils, int64_t numbers) noexcept nogil:
    """Let an event go by; return whether it made sense."""
    cdef uint16_t kind = event.id
    cdef int64_t time = <int64_t> event.time, gil
    cdef bint begins
    if kind >= START and kind != EXIT:
        lane.last_time, lane.fresh = time, False
        return True
    gil = gils[event.gil] if event.gil < numbers else -1
    begins = kind == WAIT or kind == ACQUIRED or kind == RELEASE or kind == ABANDONED
    # What it did before it asked at once was nothing: tables.gil.intervals.
    if begins and (lane.asked or time != lane.begin or (kind != WAIT and kind != ACQUIRED)):
        leave(picture, lane, time, False)
    if lane.starts != NULL:
        note(lane, event, gil)
    if begins:
        if gil < 0:
            return False
        lane.gil, lane.kind = gil, <uint8_t> kind
        lane.state = WAITING if kind == WAIT else HOLDING if kind == ACQUIRED else RELEASED
    lane.asked, lane.last_time, lane.fresh = True, time, begins
    return True


cdef inline void begin_lane(Lane *lane, const int64_t *given) noexcept nogil:
    """Begin, end, whether it is unknown what it does at first, which stretches on a CPU touch it, and their end."""
    lane.begin, lane.end, lane.since, lane.last_time = given[0], given[1], given[0], given[0]
    lane.state, lane.gil = UNKNOWN if given[2] else RELEASED, -1
    lane.cpu_at, lane.cpu_stop, lane.cpu_end = given[3], given[4], given[5]


cdef inline bint run(Picture *picture, Cursor *cursor, Lane *lanes, const int64_t *lives, int64_t count, const int32_t *gils, int64_t numbers) noexcept nogil:
    """Let the events of a stream go by; return whether they made sense."""
    cdef int64_t life, left
    cdef const Record *event
    advance(cursor)
    for life in range(count):
        for left in range(lives[life]):
            if cursor.upcoming == NULL:
                return False
            event = cursor.upcoming
            if not happens(picture, &lanes[life], event, gils, numbers):
                return False
            advance(cursor)
        leave(picture, &lanes[life], lanes[life].end, True)
    give_back(cursor, cursor.packets)
    return True


cdef inline void begin_cursor(Cursor *cursor, const uint8_t *data, int64_t packets, int64_t last_count) noexcept nogil:
    memset(cursor, 0, sizeof(Cursor))
    cursor.data, cursor.packets, cursor.last_count, cursor.window = data, packets, last_count, IN_MEMORY
