# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""How long each thread was in each state, in all and in each column of a picture: exact sums.

What a thread does is told by its own events, so each stream is read by itself, in any order, and several at once.
`covered` makes ready what is needed, and gives the sums their names.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t
from libc.string cimport memset

from analysis.fold.cpu cimport split
from analysis.fold.cursor cimport Cursor, advance, give_back
from analysis.fold.state cimport (
    HOLDING,
    LOCKED,
    RELEASED,
    STATES,
    STOPPED,
    UNKNOWN,
    UNSURE,
    WAITING,
    Record,
)

from ..reader.format import Event

cdef uint16_t WAIT = Event.GIL_WAIT
cdef uint16_t ACQUIRED = Event.GIL_ACQUIRED
cdef uint16_t RELEASE = Event.GIL_RELEASED
cdef uint16_t ABANDONED = Event.GIL_ABANDONED
cdef uint16_t START = Event.THREAD_START
cdef uint16_t EXIT = Event.THREAD_EXIT
cdef enum:
    IN_MEMORY = 64  # packets that were read, and are kept
    COUNTS = 5  # of a thread: intervals, holds, and state, begin and end of the first one

cdef struct Picture:
    int64_t begin
    int64_t end
    const int64_t *edges  # of columns; NULL: there are none
    int64_t columns
    const int64_t *cpu_start  # tables.onto_cpu.Stretches
    const int64_t *cpu_duration
    const uint8_t *cpu_state

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
    int64_t *times
    int64_t *counts
    int64_t *held  # with each GIL
    int64_t *about
    int64_t *cells  # states x columns; NULL: it is not drawn
    int64_t *cells_held  # GILs x columns
    int64_t column


cdef inline int64_t at_most(int64_t value, int64_t limit) noexcept nogil:
    return value if value < limit else limit


cdef inline void put(Picture *picture, Lane *lane, int state, int64_t begin, int64_t end) noexcept nogil:
    """Count what lies in the picture of a piece, which begins where the last one ended or later."""
    cdef int64_t until, column
    cdef int64_t *cells
    cdef int64_t *held
    begin = picture.begin if begin < picture.begin else begin
    end = at_most(end, picture.end)
    if begin >= end:
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
        else:
            until = picture.cpu_start[lane.cpu_at] + picture.cpu_duration[lane.cpu_at]
            if until > begin:
                cpu, until = picture.cpu_state[lane.cpu_at], at_most(end, until)
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
    if is_seen(picture, lane, end, last):
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
    lane.since = end


cdef inline bint happens(Picture *picture, Lane *lane, const Record *event, const int32_t *gils, int64_t numbers) noexcept nogil:
    """Let an event go by; return whether it made sense."""
    cdef uint16_t kind = event.id
    cdef int64_t time = <int64_t> event.time
    if kind >= START and kind != EXIT:
        return True
    if kind in (WAIT, ACQUIRED, RELEASE, ABANDONED):
        # What it did before it asked at once was nothing: tables.intervals.
        if lane.asked or time != lane.begin or kind not in (WAIT, ACQUIRED):
            leave(picture, lane, time, False)
        lane.gil = gils[event.gil] if event.gil < numbers else -1
        if lane.gil < 0:
            return False
        lane.state = WAITING if kind == WAIT else HOLDING if kind == ACQUIRED else RELEASED
    lane.asked = True
    return True


cdef bint run(Picture *picture, Cursor *cursor, Lane *lanes, const int64_t *lives, int64_t count, const int32_t *gils, int64_t numbers) noexcept nogil:
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


cdef void begin_lane(Lane *lane, const int64_t *given) noexcept nogil:
    lane.begin, lane.end, lane.since = given[0], given[1], given[0]
    lane.state = UNKNOWN if given[2] else RELEASED
    lane.cpu_at, lane.cpu_stop = given[3], given[4]


cdef void begin_cursor(Cursor *cursor, const uint8_t *data, int64_t packets, int64_t last_count) noexcept:
    memset(cursor, 0, sizeof(Cursor))
    cursor.data, cursor.packets, cursor.last_count, cursor.window = data, packets, last_count, IN_MEMORY


cdef class Covered:
    """What is given of one stream, or of threads without one, and what was found.

    Attributes
    ----------
    times : ndarray of int64, shape (lives, states)
    counts : ndarray of int64, shape (lives, 5)
        Intervals about the GIL, those that are holds, and state, begin and end of the first one.
    held, about : ndarray of int64, shape (lives, GILs of the process)
        For how long it held each, and intervals about each; empty if there are not several.
    cells : ndarray of int64, shape (rows, states, columns)
    held_cells : ndarray of int64, shape (rows, GILs of the process, columns)
    """

    cdef Picture picture
    cdef list kept
    cdef readonly object times, counts, held, about, cells, held_cells

    def __init__(self, int64_t begin, int64_t end, const int64_t[::1] edges, const int64_t[::1] cpu_start,
                 const int64_t[::1] cpu_duration, const uint8_t[::1] cpu_state):
        """`edges` are those of the columns; empty: only sums are wanted."""
        self.picture.begin, self.picture.end = begin, end
        if edges.shape[0]:
            self.picture.edges, self.picture.columns = &edges[0], edges.shape[0] - 1
        if cpu_start.shape[0]:
            self.picture.cpu_start, self.picture.cpu_duration = &cpu_start[0], &cpu_duration[0]
            self.picture.cpu_state = &cpu_state[0]
        self.kept = [edges, cpu_start, cpu_duration, cpu_state]

    def cover(self, const uint8_t[::1] data, int64_t packets, int64_t last_count, const int64_t[::1] lives,
              const int64_t[:, ::1] lanes, list locks, const int32_t[::1] gils, int64_t several, int64_t rows):
        """Let a stream go by; return whether it made sense.

        Parameters
        ----------
        data, packets, last_count
            The stream; of no packets: the threads have no events.
        lives : array, shape (n,)
            How many events each of the threads has in it.
        lanes : array, shape (n, 6)
            Begin, end, whether it is unknown what it does at first, which stretches on a CPU touch it (from,
            to), and its row among the cells, -1: none.
        locks : list of arrays
            Begin, end, and whether the world was stopped, of the waits of each for locks.
        gils : array
            For each number of a GIL its place among those of the process.
        several : int
            How many GILs are to be told apart; 0: there is one at most.
        """
        cdef int64_t count = lives.shape[0], columns = self.picture.columns, at, row
        cdef Cursor cursor
        cdef bint right
        cdef const int64_t[::1] waits
        cdef int64_t[:, ::1] times, counts, held, about
        cdef int64_t[:, :, ::1] cells, cells_held
        self.times, self.counts = np.zeros((count, STATES), np.int64), np.zeros((count, COUNTS), np.int64)
        self.held, self.about = np.zeros((count, several), np.int64), np.zeros((count, several), np.int64)
        self.cells = np.zeros((rows, STATES, columns), np.int64)
        self.held_cells = np.zeros((rows, several, columns), np.int64)
        times, counts, held, about = self.times, self.counts, self.held, self.about
        cells, cells_held = self.cells, self.held_cells
        memory = np.zeros(max(count, 1) * sizeof(Lane), np.uint8)
        cdef uint8_t[::1] bytes_of_lanes = memory
        cdef Lane *lane = <Lane *> &bytes_of_lanes[0]
        for at in range(count):
            begin_lane(&lane[at], &lanes[at, 0])
            lane[at].times, lane[at].counts = &times[at, 0], &counts[at, 0]
            waits, row = locks[at], lanes[at, 5]
            if waits.shape[0]:
                lane[at].locks, lane[at].locks_left = &waits[0], waits.shape[0] // 3
            if several:
                lane[at].held, lane[at].about = &held[at, 0], &about[at, 0]
            if row >= 0 and columns:
                lane[at].cells = &cells[row, 0, 0]
                if several:
                    lane[at].cells_held = &cells_held[row, 0, 0]
        if not packets:
            for at in range(count):
                leave(&self.picture, &lane[at], lane[at].end, True)
            return True
        begin_cursor(&cursor, &data[0], packets, last_count)
        with nogil:
            right = run(&self.picture, &cursor, lane, &lives[0], count, &gils[0] if gils.shape[0] else NULL, gils.shape[0])
        return right
