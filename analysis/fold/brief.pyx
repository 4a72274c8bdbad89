# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The intervals of threads in brief: what is kept of each, in a few bytes, from its stream.

`briefly` makes ready what is needed, and gives what is found its names.
"""

import numpy as np

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t

from analysis.fold.cursor cimport Cursor
from analysis.fold.lane cimport OFF, Lane, Picture, Timed, begin_cursor, begin_lane, leave, run
from analysis.growing cimport Numbers, forget


cdef object told(Numbers *numbers, int columns):
    if not numbers.used:
        return np.zeros((0, columns), np.int64)
    return np.frombuffer((<char *> numbers.at)[:8 * numbers.used], np.int64).reshape(-1, columns)


def keep_intervals(
    const uint8_t[::1] data,
    int64_t packets,
    int64_t last_count,
    const int64_t[::1] lives,
    const int64_t[:, ::1] lanes,
    list locks,
    const int32_t[::1] gils,
    const int64_t[::1] cpu_start,
    const uint8_t[::1] cpu_state,
    int64_t[::1] starts,
    uint8_t[::1] states,
    uint8_t[::1] kinds,
    int16_t[::1] places,
    uint32_t[::1] more,
    int64_t[::1] timed_begin,
    int64_t[::1] timed_end,
    int16_t[::1] timed_gil,
):
    """Let a stream go by; return for each of its threads what is said of its intervals, None: it made no sense.

    Parameters are those of `coverage.Covered`, and columns with an element an interval; `lanes` has the first of
    each thread in them as its last number; timed waits that ran out go into columns of their own, thread after
    thread. Returned are how many intervals a thread has, tables of its pieces without a CPU (interval, state,
    begin, end) and of intervals that it was NATIVE in for long (interval, ns), counted from its first, and how
    many timed waits it has.
    """
    cdef int64_t count = lives.shape[0], at, row
    cdef Picture picture
    cdef Cursor cursor
    cdef Lane *lane
    cdef bint right = True, failed = False
    cdef Timed timed
    cdef const int64_t[::1] waits
    memory = np.zeros(max(count, 1) * sizeof(Lane), np.uint8)
    cdef uint8_t[::1] bytes_of_lanes = memory
    lane = <Lane *> &bytes_of_lanes[0]
    picture.edges, picture.columns = NULL, 0
    timed.used, timed.room = 0, timed_begin.shape[0]
    if timed.room:
        timed.begin, timed.end, timed.gil = &timed_begin[0], &timed_end[0], &timed_gil[0]
    picture.begin, picture.end = -0x7FFFFFFFFFFFFFFF, 0x7FFFFFFFFFFFFFFF
    if cpu_start.shape[0]:
        picture.cpu_start, picture.cpu_state = &cpu_start[0], &cpu_state[0]
    for at in range(count):
        begin_lane(&lane[at], &lanes[at, 0])
        waits, row = locks[at], lanes[at, 6]
        if waits.shape[0]:
            lane[at].locks, lane[at].locks_left = &waits[0], waits.shape[0] // 3
        lane[at].starts, lane[at].states, lane[at].kinds = &starts[row], &states[row], &kinds[row]
        lane[at].gils, lane[at].more, lane[at].timed = &places[row], &more[row], &timed
    with nogil:
        if packets:
            begin_cursor(&cursor, &data[0], packets, last_count)
            right = run(
                &picture, &cursor, lane, &lives[0], count, &gils[0] if gils.shape[0] else NULL, gils.shape[0]
            )
        else:
            for at in range(count):
                leave(&picture, &lane[at], lane[at].end, True)
    found = []
    for at in range(count):
        failed |= lane[at].failed
        right &= not lane[at].no_room
        pieces, long_natives = told(&lane[at].off, OFF), told(&lane[at].long_natives, 2)
        found.append((lane[at].at, pieces, long_natives, lane[at].timed_waits))
        forget(&lane[at].off)
        forget(&lane[at].long_natives)
    if failed:
        raise MemoryError
    return found if right else None
