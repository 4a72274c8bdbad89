# Where the fold is in each stream: its next event, and the end of a thread's life as an event of its own.

from libc.stdint cimport int64_t, uint8_t, uint32_t

from analysis.fold.state cimport OfThread, Record

cdef extern from "sys/mman.h" nogil:
    int madvise(void *address, size_t length, int advice)
    int MADV_DONTNEED

cdef enum:
    PACKET = 32768
    HEADER = 128
    FULL = 2040
    FIRST_SIDE = 8  # format.SIDE: events that are about no GIL
    LAST_SIDE = 15
    LAST_BOOKKEEPING = 20  # what is above is aside too
    OF_CPU = 0  # what comes first of what happens at one time: cpu_states.Merged
    ENDS = 1
    OTHERS = 2
    TAKES = 3
    GIL_ACQUIRED = 3
    GIL_RELEASED = 4

cdef struct Cursor:
    const uint8_t *data
    int64_t packet
    int64_t packets
    int64_t last_count  # events of the last packet
    const Record *at
    const Record *stop
    const Record *upcoming  # the next event, none aside; NULL: no more
    int64_t thread  # whose events these are
    int64_t lives_left
    int64_t left  # of its events
    const int64_t *lives  # pairs: thread, number of events
    int64_t given_back  # packets that memory was given back of
    int64_t window

cdef inline bint is_aside(const Record *record) noexcept nogil:
    return FIRST_SIDE <= record.id <= LAST_SIDE or record.id > LAST_BOOKKEEPING

cdef inline void give_back(Cursor *cursor, int64_t upto) noexcept nogil:
    """Pages of a file that were read are not needed any more."""
    if upto > cursor.given_back:
        madvise(<void *> (cursor.data + cursor.given_back * PACKET), (upto - cursor.given_back) * PACKET, MADV_DONTNEED)
        cursor.given_back = upto

cdef inline bint next_packet(Cursor *cursor) noexcept nogil:
    cdef int64_t count
    if cursor.packet >= cursor.packets:
        return False
    if cursor.packet - cursor.given_back >= cursor.window:
        give_back(cursor, cursor.packet - 1)  # what was said of last is looked at still
    count = FULL if cursor.packet < cursor.packets - 1 else cursor.last_count
    cursor.at = <const Record *> (cursor.data + cursor.packet * PACKET + HEADER)
    cursor.stop = cursor.at + count
    cursor.packet += 1
    return True

cdef inline void advance(Cursor *cursor) noexcept nogil:
    """Find the next event that is not aside."""
    while True:
        while cursor.at == cursor.stop:
            if not next_packet(cursor):
                cursor.upcoming = NULL
                return
        if not is_aside(cursor.at):
            cursor.upcoming = cursor.at
            cursor.at += 1
            return
        cursor.at += 1

cdef inline int64_t key_of(Cursor *cursor, OfThread *threads) noexcept nogil:
    """When its next event is, times four, and what comes first at that time; -1: there is none."""
    cdef int64_t time
    if cursor.left:
        time = <int64_t> cursor.upcoming.time
        return time << 2 | (
            ENDS if cursor.upcoming.id == GIL_RELEASED else TAKES if cursor.upcoming.id == GIL_ACQUIRED else OTHERS
        )
    if cursor.thread < 0:
        return -1
    return threads[cursor.thread].end << 2 | ENDS

cdef inline void next_life(Cursor *cursor) noexcept nogil:
    if not cursor.lives_left:
        cursor.thread = -1
        return
    cursor.thread, cursor.left = cursor.lives[0], cursor.lives[1]
    cursor.lives += 2
    cursor.lives_left -= 1
