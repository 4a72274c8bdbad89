# What a wait is charged to: the thread that held the GIL, and the code; and the holds that stand out by themselves.
#
# The rules are those of why.blame_by_thread, why.code.charges, why.code.portions and why.code.long_holds.

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memset

from analysis.fold.rules.gil_clock cimport contended_clock
from analysis.fold.pairs cimport Pair, find_pair
from analysis.fold.state cimport Charge, Hold, OfGil, OfThread, World
from analysis.growing cimport Numbers, gs_top_bit, push

cdef enum:
    LONG_HOLD = 2000000  # why.code.portions: contended from which on a hold with samples is charged by itself

cdef extern from "stdint.h" nogil:
    const int64_t NOBODY_ASKED "INT64_MAX"

cdef inline int push_row(Numbers *numbers, const int64_t *row, int64_t length) noexcept nogil:
    """Add a row of numbers; -1: no memory."""
    cdef int64_t at
    for at in range(length):
        if push(numbers, row[at]) < 0:
            return -1
    return 0

cdef inline int charge_thread(World *world, OfGil *gil, int32_t blocked, int64_t time) noexcept nogil:
    """Charge a wait with the part of the hold that lies in it."""
    cdef OfThread *waiter = &world.threads[blocked]
    cdef Pair *pair = find_pair(&world.blame, blocked * (world.thread_count + 1) + gil.hold.thread)
    if pair == NULL:
        return -1
    pair.time += time
    if pair.serial != waiter.wait_serial:
        pair.serial = waiter.wait_serial
        pair.count += 1
    gil.hold.waited += time
    gil.hold_bits[waiter.local >> 6] |= (<uint64_t> 1) << (waiter.local & 63)
    gil.some_bits = True
    return 0

cdef inline void tell_samples(World *world, OfGil *gil, int64_t before) noexcept nogil:
    """Give the samples up to a time to the hold that they are of."""
    cdef int64_t time, at
    cdef uint64_t *bits
    cdef OfThread *waiter
    cdef Hold *hold = &gil.hold
    while gil.sample_at < gil.samples and gil.sample_time[gil.sample_at] < before:
        time = gil.sample_time[gil.sample_at]
        if (
            gil.has_hold
            and (hold.goes_on or time <= hold.released)
            and world.threads[hold.thread].tid == gil.sample_tid[gil.sample_at]
        ):
            gil.sample_hold[gil.sample_at] = hold.serial
            gil.sample_waiters[gil.sample_at] = gil.waiting
            gil.sample_contended[gil.sample_at] = contended_clock(gil, time)
            hold.told = True
            if gil.waiting:
                hold.sampled = True
                bits = gil.sample_bits + gil.sample_at * gil.words
                for at in range(gil.waiting):
                    waiter = &world.threads[gil.waiters[at]]
                    if waiter.wait_start < time:
                        bits[waiter.local >> 6] |= (<uint64_t> 1) << (waiter.local & 63)
        gil.sample_at += 1

cdef inline int64_t charge_place(OfGil *gil) noexcept nogil:
    """Return where holds are summed that ended as this one; -1: no memory."""
    cdef Hold *hold = &gil.hold
    cdef int64_t octave = gs_top_bit(<uint64_t> hold.contended) + 1 if hold.contended > 0 else 0
    cdef Charge *charge
    cdef void *larger
    cdef int64_t room
    cdef Pair *pair = find_pair(
        &gil.charge_of, (<int64_t> hold.frame << 31) | (octave << 25) | (hold.thread & 0x1FFFFFF)
    )
    if pair == NULL:
        return -1
    if pair.count:
        return pair.time
    if gil.charge_count == gil.charge_room:
        room = 2 * gil.charge_room if gil.charge_room else 16
        larger = realloc(gil.charges, room * sizeof(Charge))
        if larger == NULL:
            return -1
        gil.charges = <Charge *> larger
        larger = realloc(gil.charge_bits, room * gil.words * sizeof(uint64_t))
        if larger == NULL:
            return -1
        gil.charge_bits, gil.charge_room = <uint64_t *> larger, room
    pair.count, pair.time = 1, gil.charge_count
    charge = &gil.charges[gil.charge_count]
    memset(charge, 0, sizeof(Charge))
    memset(gil.charge_bits + gil.charge_count * gil.words, 0, gil.words * sizeof(uint64_t))
    charge.frame, charge.octave, charge.thread = hold.frame, octave, hold.thread
    gil.charge_count += 1
    return gil.charge_count - 1

cdef inline int charge_code(OfGil *gil, bint requested) noexcept nogil:
    """Charge what the hold made others wait to the code at its end, or leave it to the hold's samples."""
    cdef Hold *hold = &gil.hold
    cdef Charge *charge
    cdef int64_t at = -1, word, response = 0
    cdef int64_t[9] row
    if hold.asked != NOBODY_ASKED and hold.released > hold.asked:
        response = hold.released - hold.asked
    if not (hold.sampled and hold.contended >= LONG_HOLD):
        at = charge_place(gil)
        if at < 0:
            return -1
        charge = &gil.charges[at]
        charge.waited += hold.waited
        charge.contended += hold.contended
        charge.holds += 1
        charge.requested += requested
        if response > charge.slowest:
            charge.slowest = response
        if hold.contended > charge.longest:
            charge.longest, charge.longest_at = hold.contended, hold.released
        for word in range(gil.words):
            gil.charge_bits[at * gil.words + word] |= gil.hold_bits[word]
    if hold.sampled:
        row = [
            hold.serial,
            hold.released,
            hold.thread,
            hold.frame,
            hold.waited,
            hold.contended,
            requested,
            response,
            at,
        ]
        return push_row(&gil.sampled, row, 9)
    return 0

cdef inline int note_long_hold(OfGil *gil) noexcept nogil:
    """Holds longer than an interval, waited for or not: why.code.long_holds."""
    cdef Hold *hold = &gil.hold
    cdef int64_t length = hold.released - hold.acquired
    cdef int64_t[6] row
    cdef Pair *pair
    if hold.told:
        row = [hold.serial, hold.acquired, hold.released, hold.thread, hold.frame, hold.contended]
        return push_row(&gil.long_sampled, row, 6)
    pair = find_pair(&gil.long_holds, hold.frame)
    if pair == NULL:
        return -1
    pair.count += 1
    pair.time += length
    pair.waited += hold.contended
    if length > pair.serial:
        pair.serial, pair.when, pair.thread = length, hold.acquired, hold.thread
    return 0

cdef inline void forget_stalled_samples(OfGil *gil) noexcept nogil:
    """Samples of a thread that had long had no CPU say where it was preempted, not what ran: as if nobody waited."""
    cdef Hold *hold = &gil.hold
    cdef int64_t at, time, stall = 0
    hold.sampled = False
    for at in range(hold.sample_from, gil.sample_at):
        time = gil.sample_time[at]
        while stall < gil.stalls.used and gil.stalls.at[stall + 1] <= time:
            stall += 2
        if gil.sample_hold[at] != hold.serial:
            continue
        if stall < gil.stalls.used and gil.stalls.at[stall] <= time:
            gil.sample_waiters[at] = 0
        elif gil.sample_waiters[at]:
            hold.sampled = True

cdef inline int note_late_hold(OfGil *gil) noexcept nogil:
    cdef Hold *hold = &gil.hold
    cdef int64_t[3] row = [hold.thread, hold.asked, hold.released]
    return push_row(&gil.late_holds, row, 3)
