# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Waits for locks, cut where the lock changed hands: as a table, or as sums of what would be in it.

A wait of a pool's thread is cut into hundreds of pieces, so that they are made one by one and added up.
`tables.locks.hands` says what they are.
"""

import numpy as np

cimport cython
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from analysis.fold.pairs cimport Pair, Pairs, find_pair, forget_pairs

cdef struct Piece:
    int64_t begin
    int64_t until
    int32_t holder  # -1: nobody, it is on its way, or nobody is known
    int32_t frame
    bint known

cdef struct Line:
    # Waits for a lock in one place, of what is let go in another.
    int64_t key
    int64_t waited
    int64_t waits
    int64_t longest
    int64_t longest_wait
    int64_t wait  # the last one, and how much of it is this line's
    int64_t length


@cython.final
cdef class Pieces:
    """The pieces of all waits, from the columns of `Hands`."""

    cdef const int64_t[::1] start, let_go, end, first, last, time
    cdef const int32_t[::1] holder, frame, thread, frame_then

    def __init__(self, hands):
        self.start, self.let_go, self.end = hands.start, hands.let_go, hands.end
        self.first, self.last, self.time = hands.first, hands.last, hands.time
        self.holder, self.frame = hands.holder, hands.frame
        self.thread, self.frame_then = hands.thread, hands.frame_then

    cdef inline int64_t most(self, int64_t wait) noexcept nogil:
        """How many pieces a wait has at most."""
        return self.last[wait] - self.first[wait] + 2

    cdef inline bint piece(self, int64_t wait, int64_t number, Piece *piece) noexcept nogil:
        """Tell a piece; False: it has no length."""
        cdef int64_t count = self.last[wait] - self.first[wait], at = self.first[wait] + number
        if number > count:  # it is woken up
            piece.begin, piece.until = self.let_go[wait], self.end[wait]
            piece.holder, piece.frame, piece.known = -1, -1, True
            return piece.until > piece.begin
        piece.begin = self.time[at - 1] if number else self.start[wait]
        if number < count:
            piece.until, piece.holder, piece.frame = self.time[at], self.thread[at], self.frame_then[at]
        else:
            piece.until, piece.holder, piece.frame = self.let_go[wait], self.holder[wait], self.frame[wait]
        piece.known = piece.holder >= 0
        return piece.until > piece.begin

    def table(self):
        """Return start, duration, wait, holder, frame and known of all pieces: shape (pieces, 6)."""
        cdef int64_t wait, number, size = 0, at = 0, waits = self.start.shape[0]
        cdef Piece piece
        cdef int64_t[:, ::1] rows
        for wait in range(waits):
            for number in range(self.most(wait)):
                size += self.piece(wait, number, &piece)
        table = np.empty((size, 6), np.int64)
        rows = table
        for wait in range(waits):
            for number in range(self.most(wait)):
                if self.piece(wait, number, &piece):
                    rows[at, 0], rows[at, 1], rows[at, 2] = piece.begin, piece.until - piece.begin, wait
                    rows[at, 3], rows[at, 4], rows[at, 5] = piece.holder, piece.frame, piece.known
                    at += 1
        return table

    def by_thread(self, const int32_t[::1] waiter, int64_t threads):
        """Return blocked, holder (-1: nobody), ns and waits, sorted: shape (n, 4)."""
        cdef Pairs pairs
        cdef Pair *pair
        cdef Piece piece
        cdef int64_t wait, number, at, used = 0
        cdef int64_t[:, ::1] rows
        cdef bint failed = False
        memset(&pairs, 0, sizeof(pairs))
        try:
            with nogil:
                for wait in range(self.start.shape[0]):
                    for number in range(self.most(wait)):
                        if self.piece(wait, number, &piece):
                            pair = find_pair(&pairs, waiter[wait] * (threads + 1) + piece.holder + 1)
                            if pair == NULL:
                                failed = True
                                break
                            pair.time += piece.until - piece.begin
                            if pair.serial != wait:  # it counts once for each holder
                                pair.serial = wait
                                pair.count += 1
            if failed:
                raise MemoryError
            found = np.zeros((pairs.used, 4), np.int64)
            rows = found
            for at in range(pairs.mask + 1 if pairs.slots != NULL else 0):
                if pairs.slots[at].key:
                    number = pairs.slots[at].key - 1
                    rows[used, 0], rows[used, 1] = number // (threads + 1), number % (threads + 1) - 1
                    rows[used, 2], rows[used, 3] = pairs.slots[at].time, pairs.slots[at].count
                    used += 1
            return found[np.lexsort((found[:, 1], found[:, 0]))]
        finally:
            forget_pairs(&pairs)

    def by_line(self, const int32_t[::1] waiter, int64_t threads, const int64_t[::1] group,
                const int64_t[::1] place, int64_t places):
        """Return sums by the lines at both ends, and of each who waited, and who had it, as bits.

        `group` has for each wait what it is for and where; `place` for each frame, the last for -1, where
        that is, one of `places`. Rows are group, place (`places`: nobody's), ns, waits, the longest, and
        which wait that was: sorted, shape (n, 6); bits are uint64, shape (n, 2, words).
        """
        cdef Pairs pairs
        cdef Pair *pair
        cdef Piece piece
        cdef Line *lines = NULL
        cdef Line *line
        cdef uint64_t *bits = NULL
        cdef uint64_t *own
        cdef void *larger
        cdef int64_t words = (threads + 63) // 64, room = 0, used = 0, wait, number, at, where
        cdef int64_t[:, ::1] rows
        cdef bint failed = False
        memset(&pairs, 0, sizeof(pairs))
        try:
            with nogil:
                for wait in range(self.start.shape[0]):
                    for number in range(self.most(wait)):
                        if not self.piece(wait, number, &piece):
                            continue
                        where = places
                        if piece.holder >= 0:
                            where = place[piece.frame if piece.frame >= 0 else place.shape[0] - 1]
                        pair = find_pair(&pairs, group[wait] * (places + 1) + where)
                        if pair == NULL:
                            failed = True
                            break
                        if not pair.count:
                            if used == room:
                                room = 2 * room if room else 64
                                larger = realloc(lines, room * sizeof(Line))
                                if larger == NULL:
                                    failed = True
                                    break
                                lines = <Line *> larger
                                larger = realloc(bits, room * 2 * words * sizeof(uint64_t))
                                if larger == NULL:
                                    failed = True
                                    break
                                bits = <uint64_t *> larger
                            pair.count, pair.time = 1, used
                            memset(&lines[used], 0, sizeof(Line))
                            memset(bits + used * 2 * words, 0, 2 * words * sizeof(uint64_t))
                            lines[used].key, lines[used].wait = pair.key - 1, -1
                            used += 1
                        line, own = &lines[pair.time], bits + pair.time * 2 * words
                        if line.wait != wait:
                            end_line(line)
                            line.wait = wait
                            line.waits += 1
                        line.length += piece.until - piece.begin
                        own[waiter[wait] >> 6] |= (<uint64_t> 1) << (waiter[wait] & 63)
                        if piece.holder >= 0:
                            own[words + (piece.holder >> 6)] |= (<uint64_t> 1) << (piece.holder & 63)
                    if failed:
                        break
            if failed:
                raise MemoryError
            table, masks = np.zeros((used, 6), np.int64), np.zeros((used, 2, words), np.uint64)
            rows = table
            for at in range(used):
                line = &lines[at]
                end_line(line)
                rows[at, 0], rows[at, 1] = line.key // (places + 1), line.key % (places + 1)
                rows[at, 2], rows[at, 3] = line.waited, line.waits
                rows[at, 4], rows[at, 5] = line.longest, line.longest_wait
            if used:
                masks.reshape(-1)[:] = np.frombuffer(
                    (<char *> bits)[:used * 2 * words * sizeof(uint64_t)], np.uint64
                )
            order = np.lexsort((table[:, 1], table[:, 0]))
            return table[order], masks[order]
        finally:
            forget_pairs(&pairs)
            free(lines)
            free(bits)

    def waited_meanwhile(self, const int64_t[::1] queue, int64_t queues, const int64_t[::1] here,
                         const int64_t[::1] before, const int64_t[::1] first, const int64_t[::1] since,
                         const int64_t[::1] until):
        """Return for each queue how long, in its waits, who had it waited for a GIL, ns.

        `queue` has for each wait its queue, -1: none. The others say how long who had it had waited by then:
        `lock_hands.Asked`.
        """
        sums = np.zeros(queues, np.int64)
        cdef int64_t[::1] total = sums
        cdef int64_t wait, number, at, count, by, then
        cdef Piece piece
        with nogil:
            for wait in range(self.start.shape[0]):
                if queue[wait] < 0:
                    continue
                count = self.last[wait] - self.first[wait]
                for number in range(count + 1):
                    if not self.piece(wait, number, &piece) or piece.holder < 0:
                        continue
                    at = self.first[wait] + number
                    by = here[at] if number < count else until[wait]
                    then = first[wait] if number == 0 else before[at] if number < count else since[wait]
                    total[queue[wait]] += by - then
        return sums


cdef inline void end_line(Line *line) noexcept nogil:
    """All is known of its part of the last wait."""
    line.waited += line.length
    if line.length > line.longest:
        line.longest, line.longest_wait = line.length, line.wait
    line.length = 0
