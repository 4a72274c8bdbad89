# One GIL in the order of the lock: who holds it, who asked for it, and what each hold amounts to.
#
# The rules are those of tables.gil.requests (what a drop request is) and tables.gil.anatomy, told as what happens at each
# event. What has the time of the last event may still be meant by the next one, so some of it waits until time goes
# on: `settle`.

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memset

from analysis.fold.rules.charging cimport (
    NOBODY_ASKED,
    charge_code,
    charge_thread,
    forget_stalled_samples,
    note_late_hold,
    note_long_hold,
    tell_samples,
)
from analysis.fold.rules.cpu cimport catch_up, off_kind
from analysis.fold.rules.gil_clock cimport (
    asked_clock,
    contended_clock,
    held_clock,
    off_unasked_clock,
    set_off,
    unknown_clock,
)
from analysis.fold.pairs cimport Pair, find_pair
from analysis.fold.state cimport Hold, Item, OfGil, OfThread, World
from analysis.growing cimport add_amount

cdef inline void stop_being_polite(OfGil *gil, OfThread *waiter, int64_t time) noexcept nogil:
    cdef int kind
    waiter.polite_until = time
    for kind in range(2):
        waiter.off_unasked_polite[kind] = off_unasked_clock(gil, kind, time)

cdef inline void meet(OfGil *gil, OfThread *waiter, int64_t since) noexcept nogil:
    """The waiter finds this hold."""
    cdef int kind
    waiter.met, waiter.met_at, waiter.polite_since = gil.hold.serial, gil.hold.acquired, since
    if gil.hold.asked != NOBODY_ASKED:
        waiter.polite_until = gil.hold.asked
        for kind in range(2):
            waiter.off_unasked_polite[kind] = waiter.off_unasked_then[kind]

cdef inline void be_asked(World *world, OfGil *gil, int64_t time) noexcept nogil:
    """A drop request to the hold is made."""
    cdef int64_t at
    cdef OfThread *waiter
    gil.hold.asked = time
    for at in range(gil.waiting):
        waiter = &world.threads[gil.waiters[at]]
        if waiter.met == gil.hold.serial and waiter.polite_until < 0:
            stop_being_polite(gil, waiter, time)

cdef inline int count_hold(World *world, OfGil *gil) noexcept nogil:
    """All is known of the last hold."""
    cdef Hold *hold = &gil.hold
    cdef OfThread *holder = &world.threads[hold.thread]
    cdef Item *item = &world.items[holder.item + gil.number]
    cdef bint requested = hold.release_seen and (
        hold.asked != NOBODY_ASKED or (hold.found and hold.released <= gil.trusted_until)
    )
    cdef int64_t overdue
    hold.pending = False
    if hold.sampled and gil.stalls.used:
        forget_stalled_samples(gil)
    gil.last_requested = requested
    item.requested += requested
    if hold.asked != NOBODY_ASKED:
        overdue = hold.released - hold.asked - (hold.off_asked - hold.off_asked_before)
        if overdue > gil.interval:
            if world.keeps_late and note_late_hold(gil) < 0:
                return -1
            item.late += 1
            item.overdue += overdue
            if overdue > item.worst:
                item.worst, item.worst_serial, item.worst_frame = overdue, hold.serial, hold.frame
                item.worst_acquired, item.worst_released = hold.acquired, hold.released
    if hold.waited > 0 and charge_code(gil, requested) < 0:
        return -1
    if hold.released - hold.acquired > gil.interval and note_long_hold(gil) < 0:
        return -1
    if gil.some_bits:
        memset(gil.hold_bits, 0, gil.words * sizeof(uint64_t))
        gil.some_bits = False
    return 0

cdef inline int settle(World *world, OfGil *gil, int64_t time) noexcept nogil:
    """Time goes on: what happened at the last one is all there."""
    cdef Hold *hold = &gil.hold
    cdef int64_t at
    if gil.sample_at < gil.samples:
        tell_samples(world, gil, time)
    if gil.unmet_count and hold.goes_on:
        for at in range(gil.unmet_count):
            meet(gil, &world.threads[gil.unmet[at]], world.threads[gil.unmet[at]].wait_start)
        gil.unmet_count = 0
    if gil.timed_began >= 0:
        if (
            gil.has_hold
            and hold.asked == NOBODY_ASKED
            and (hold.goes_on or hold.released == gil.now)
            and gil.timed_began >= gil.taken_over
        ):
            be_asked(world, gil, gil.now)
        gil.timed_began = -1
    if gil.momentary.used:
        if hold.goes_on and hold.acquired < gil.now:
            for at in range(gil.momentary.used):
                gil.hold_bits[gil.momentary.at[at] >> 6] |= (<uint64_t> 1) << (gil.momentary.at[at] & 63)
            gil.some_bits = True
        gil.momentary.used = 0
    if gil.has_hold and not hold.goes_on and hold.released == gil.now:
        gil.last_contended = gil.waiting > 0 or gil.last_wait_end >= gil.now
    if gil.new_switches:
        if gil.waiting > 0 or gil.last_wait_end >= gil.now:
            gil.contended_switches += gil.new_switches
        gil.new_switches = 0
    if hold.pending and count_hold(world, gil) < 0:
        return -1
    gil.now = time
    return catch_up(world, hold.thread, time) if hold.goes_on else 0

cdef inline void clear_hold(World *world, OfGil *gil, int32_t thread, int64_t time) noexcept nogil:
    cdef Hold *hold = &gil.hold
    if not gil.has_hold or hold.thread != thread:
        gil.taken_over = time
    gil.has_hold = True
    memset(hold, 0, sizeof(Hold))
    hold.acquired, hold.thread, hold.asked = time, thread, NOBODY_ASKED
    hold.serial = gil.serials
    gil.serials += 1
    hold.contended_before = contended_clock(gil, time)
    hold.off_asked_before = gil.off_asked[0] + gil.off_asked[1]
    hold.goes_on = True
    hold.sample_from = gil.sample_at
    gil.stalls.used = 0

cdef inline void meet_next(World *world, OfGil *gil, bint was_unknown) noexcept nogil:
    """Who asked while nobody had it meets the hold that begins."""
    cdef int64_t at, left = 0, time = gil.hold.acquired
    cdef OfThread *waiter
    for at in range(gil.unmet_count):
        waiter = &world.threads[gil.unmet[at]]
        if waiter.wait_start < time:
            meet(gil, waiter, time if was_unknown else waiter.wait_start)
        else:
            gil.unmet[left] = gil.unmet[at]
            left += 1
    gil.unmet_count = left

cdef inline bint end_unknown(OfGil *gil, int64_t time) noexcept nogil:
    """Somebody is seen to have it. Return whether it was not known who had it before."""
    if gil.unknown_since < 0:
        return False
    gil.unknown_before = unknown_clock(gil, time)
    gil.unknown_since = -1
    return True

cdef inline int begin_hold(World *world, OfGil *gil, int32_t thread, int64_t time) noexcept nogil:
    cdef Hold *hold = &gil.hold
    cdef Pair *pair
    if time > gil.now and settle(world, gil, time) < 0:
        return -1
    if gil.has_hold and (hold.goes_on or hold.acquired >= time):
        world.damaged = True  # or two takes at one time, whose order nobody knows
        return 0
    if hold.pending and count_hold(world, gil) < 0:
        return -1
    if gil.has_hold and hold.release_seen:
        pair = find_pair(&gil.flow, hold.thread * world.thread_count + thread)
        if pair == NULL:
            return -1
        pair.count += 1
        pair.time += gil.last_requested
        gil.handoffs += 1
        gil.requested += gil.last_requested
        if hold.thread != thread:
            gil.switches += 1
            if hold.released == time:
                gil.new_switches += 1
            elif gil.last_contended:
                gil.contended_switches += 1
                gil.free += time - hold.released
    clear_hold(world, gil, thread, time)
    hold.acquire_seen = True
    set_off(gil, off_kind(world.threads[thread].cpu), time)
    meet_next(world, gil, end_unknown(gil, time))
    return 0

cdef inline int end_hold(
    World *world, OfGil *gil, int64_t time, bint seen, bint found, uint32_t frame
) noexcept nogil:
    cdef Hold *hold = &gil.hold
    cdef OfThread *waiter
    cdef Item *item
    cdef int64_t at, begin
    cdef int kind
    if time > gil.now and settle(world, gil, time) < 0:
        return -1
    set_off(gil, -1, time)
    hold.off_asked = gil.off_asked[0] + gil.off_asked[1]
    gil.asked_before = asked_clock(gil, time)
    gil.held_before = held_clock(gil, time)
    hold.contended = contended_clock(gil, time) - hold.contended_before
    hold.released, hold.goes_on, hold.pending = time, False, True
    hold.release_seen, hold.found, hold.frame = seen, found, frame
    for at in range(gil.waiting):
        waiter = &world.threads[gil.waiters[at]]
        begin = waiter.wait_start if waiter.wait_start > hold.acquired else hold.acquired
        if time > begin and charge_thread(world, gil, gil.waiters[at], time - begin) < 0:
            return -1
        if waiter.met == hold.serial and waiter.polite_until < 0:
            stop_being_polite(gil, waiter, time)
    if not seen:
        gil.unknown_since = time
    item = &world.items[world.threads[hold.thread].item + gil.number]
    item.held += time - hold.acquired
    for kind in range(2):
        if item.off_longest[kind] > 0 and item.off_longest_at[kind] >= hold.acquired:
            item.off_longest_frame[kind] = frame
    if not hold.acquire_seen:
        item.unseen += 1
        return 0
    return add_amount(&item.holds, time - hold.acquired)

cdef inline int unseen_hold(
    World *world, OfGil *gil, int32_t thread, int64_t time, bint found, uint32_t frame
) noexcept nogil:
    """A release, of a thread that was not seen to take it."""
    if time > gil.now and settle(world, gil, time) < 0:
        return -1
    if gil.has_hold:
        world.damaged = True
        return 0
    clear_hold(world, gil, thread, time)
    meet_next(world, gil, end_unknown(gil, time))
    return end_hold(world, gil, time, True, found, frame)
