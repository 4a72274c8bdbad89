# For how long a GIL has been held, asked for, and its holder has not run, up to any time: what waits are measured
# with. As tables.gil.anatomy_clock has it.

from libc.stdint cimport int64_t

from analysis.fold.state cimport OfGil

cdef inline int64_t asked_clock(OfGil *gil, int64_t time) noexcept nogil:
    """For how long it was held up to a time although a drop request was in force."""
    if gil.hold.goes_on and gil.hold.asked < time:
        return gil.asked_before + time - gil.hold.asked
    return gil.asked_before

cdef inline int64_t held_clock(OfGil *gil, int64_t time) noexcept nogil:
    return gil.held_before + (time - gil.hold.acquired if gil.hold.goes_on else 0)

cdef inline int64_t unknown_clock(OfGil *gil, int64_t time) noexcept nogil:
    if gil.unknown_since >= 0 and time > gil.unknown_since:
        return gil.unknown_before + time - gil.unknown_since
    return gil.unknown_before

cdef inline int64_t contended_clock(OfGil *gil, int64_t time) noexcept nogil:
    return gil.contended + (time - gil.contended_since if gil.waiting else 0)

cdef inline int64_t off_until(OfGil *gil, int64_t time) noexcept nogil:
    """Up to when, of the stretch without a CPU that goes on, nobody had asked."""
    cdef int64_t asked = gil.hold.asked
    return gil.off_since if asked < gil.off_since else time if asked > time else asked

cdef inline int64_t off_unasked_clock(OfGil *gil, int kind, int64_t time) noexcept nogil:
    return gil.off_unasked[kind] + (off_until(gil, time) - gil.off_since if gil.off == kind else 0)

cdef inline int64_t off_asked_clock(OfGil *gil, int kind, int64_t time) noexcept nogil:
    return gil.off_asked[kind] + (time - off_until(gil, time) if gil.off == kind else 0)

cdef inline void set_off(OfGil *gil, int kind, int64_t time) noexcept nogil:
    """Begin a stretch in which the holder has no CPU (0: stalled, 1: asleep), or has one again: -1."""
    cdef int64_t until
    if gil.off >= 0:
        until = off_until(gil, time)
        gil.off_unasked[gil.off] += until - gil.off_since
        gil.off_asked[gil.off] += time - until
    gil.off, gil.off_since = kind, time
