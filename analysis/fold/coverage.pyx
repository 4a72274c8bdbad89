# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""How long each thread was in each state, in all and in each column of a picture: exact sums.

What a thread does is told by its own events, so each stream is read by itself, in any order, and several at once.
`covered` makes ready what is needed, and gives the sums their names.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t

from analysis.fold.cursor cimport Cursor
from analysis.fold.lane cimport COUNTS, Lane, Picture, begin_cursor, begin_lane, leave, run
from analysis.fold.state cimport STATES


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
                 const uint8_t[::1] cpu_state):
        """`edges` are those of the columns; empty: only sums are wanted."""
        self.picture.begin, self.picture.end = begin, end
        if edges.shape[0]:
            self.picture.edges, self.picture.columns = &edges[0], edges.shape[0] - 1
        if cpu_start.shape[0]:
            self.picture.cpu_start, self.picture.cpu_state = &cpu_start[0], &cpu_state[0]
        self.kept = [edges, cpu_start, cpu_state]

    def cover(self, const uint8_t[::1] data, int64_t packets, int64_t last_count, const int64_t[::1] lives,
              const int64_t[:, ::1] lanes, list locks, const int32_t[::1] gils, int64_t several, int64_t rows):
        """Let a stream go by; return whether it made sense.

        Parameters
        ----------
        data, packets, last_count
            The stream; of no packets: the threads have no events.
        lives : array, shape (n,)
            How many events each of the threads has in it.
        lanes : array, shape (n, 7)
            Begin, end, whether it is unknown what it does at first, which stretches on a CPU touch it (from,
            to), when the last one ends, and its row among the cells, -1: none.
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
            waits, row = locks[at], lanes[at, 6]
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
