# One GIL in the order of the lock: who holds it, who waits, who asked, and what each wait and hold amounts to.
#
# The rules are those of tables.requests (what a drop request is), tables.anatomy (what a wait is spent on),
# why.blame_by_thread and why.charges (who is to blame), told as what happens at each event. What has the time of the
# last event may still be meant by the next one, so some of it waits until time goes on: `settle`.

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memset

from analysis.fold.cpu cimport catch_up, off_kind
from analysis.fold.gil_clock cimport (
    asked_clock,
    contended_clock,
    held_clock,
    off_asked_clock,
    off_unasked_clock,
    set_off,
    unknown_clock,
)
from analysis.fold.pairs cimport Pair, find_pair
from analysis.fold.state cimport Charge, Hold, Item, OfGil, OfThread, World
from analysis.growing cimport add_amount, gs_top_bit, push

cdef enum:
    LONG_HOLD = 2000000  # why.portions: contended from which on a hold with samples is charged by itself

cdef extern from "stdint.h" nogil:
    const int64_t NOBODY_ASKED "INT64_MAX"

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
        if (
            push(&gil.sampled, hold.serial) < 0
            or push(&gil.sampled, hold.released) < 0
            or push(&gil.sampled, hold.thread) < 0
            or push(&gil.sampled, hold.frame) < 0
            or push(&gil.sampled, hold.waited) < 0
            or push(&gil.sampled, hold.contended) < 0
            or push(&gil.sampled, requested) < 0
            or push(&gil.sampled, response) < 0
            or push(&gil.sampled, at) < 0
        ):
            return -1
    return 0

cdef inline int note_long_hold(OfGil *gil) noexcept nogil:
    """Holds longer than an interval, waited for or not: why.long_holds."""
    cdef Hold *hold = &gil.hold
    cdef int64_t length = hold.released - hold.acquired
    cdef Pair *pair
    if hold.told:
        if (
            push(&gil.long_sampled, hold.serial) < 0
            or push(&gil.long_sampled, hold.acquired) < 0
            or push(&gil.long_sampled, hold.released) < 0
            or push(&gil.long_sampled, hold.thread) < 0
            or push(&gil.long_sampled, hold.frame) < 0
            or push(&gil.long_sampled, hold.contended) < 0
        ):
            return -1
        return 0
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
    if push(&gil.late_holds, hold.thread) < 0 or push(&gil.late_holds, hold.asked) < 0:
        return -1
    return push(&gil.late_holds, hold.released)

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

cdef inline int begin_wait(World *world, OfGil *gil, int32_t thread, int64_t time) noexcept nogil:
    cdef OfThread *waiter = &world.threads[thread]
    cdef Item *item = &world.items[waiter.item + gil.number]
    cdef int kind
    if time > gil.now and settle(world, gil, time) < 0:
        return -1
    waiter.wait_start = time
    waiter.wait_serial = world.wait_serials
    world.wait_serials += 1
    waiter.asked_then, waiter.unknown_then = asked_clock(gil, time), unknown_clock(gil, time)
    waiter.held_then = held_clock(gil, time)
    for kind in range(2):
        waiter.off_unasked_then[kind] = off_unasked_clock(gil, kind, time)
        waiter.off_asked_then[kind] = off_asked_clock(gil, kind, time)
    waiter.met, waiter.polite_until = -1, -1
    if item.wait_first < 0:
        item.wait_first = time
    if gil.first_wait < 0:
        gil.first_wait = time
    if not gil.waiting:
        gil.contended_since = time
    waiter.where = <int32_t> gil.waiting
    gil.waiters[gil.waiting] = thread
    gil.waiting += 1
    gil.unmet[gil.unmet_count] = thread
    gil.unmet_count += 1
    return 0

cdef inline void leave_waiters(World *world, OfGil *gil, int32_t thread, int64_t time) noexcept nogil:
    cdef OfThread *waiter = &world.threads[thread]
    cdef int64_t at
    gil.contended = contended_clock(gil, time)
    gil.contended_since = time
    gil.waiting -= 1
    if waiter.where != gil.waiting:
        gil.waiters[waiter.where] = gil.waiters[gil.waiting]
        world.threads[gil.waiters[waiter.where]].where = waiter.where
    if time > gil.last_wait_end:
        gil.last_wait_end = time
    for at in range(gil.unmet_count):
        if gil.unmet[at] == thread:
            gil.unmet_count -= 1
            gil.unmet[at] = gil.unmet[gil.unmet_count]
            break

cdef inline int end_wait(
    World *world, OfGil *gil, int32_t thread, int64_t time, bint acquired, uint32_t frame
) noexcept nogil:
    """The wait ends, with the GIL or without it."""
    cdef OfThread *waiter = &world.threads[thread]
    cdef Item *item = &world.items[waiter.item + gil.number]
    cdef int64_t start = waiter.wait_start, begin, free, until, off, length = time - start
    cdef int64_t parts[11]
    cdef int kind, part
    cdef bint met
    cdef Pair *pair
    if time > gil.now and settle(world, gil, time) < 0:
        return -1
    if gil.hold.goes_on:
        begin = start if start > gil.hold.acquired else gil.hold.acquired
        if time > begin and charge_thread(world, gil, thread, time - begin) < 0:
            return -1
        if time == start and push(&gil.momentary, waiter.local) < 0:
            return -1
    met = waiter.met >= 0 and waiter.met_at < time
    for part in range(11):
        parts[part] = 0
    if met:
        until = waiter.polite_until if waiter.polite_until >= 0 and waiter.polite_until < time else time
        if until > waiter.polite_since:
            parts[0] = until - waiter.polite_since
    parts[1] = asked_clock(gil, time) - waiter.asked_then
    if acquired and gil.has_hold and gil.unknown_since < 0:
        parts[3] = time - (start if start > gil.hold.released else gil.hold.released)
    parts[4] = unknown_clock(gil, time) - waiter.unknown_then
    parts[2] = length - parts[0] - parts[1] - parts[3] - parts[4]
    for kind in range(2):
        if not met:
            until = waiter.off_unasked_then[kind]
        elif waiter.polite_until >= 0:
            until = waiter.off_unasked_polite[kind]
        else:
            until = off_unasked_clock(gil, kind, time)
        parts[5 + 3 * kind] = until - waiter.off_unasked_then[kind]
        parts[6 + 3 * kind] = off_asked_clock(gil, kind, time) - waiter.off_asked_then[kind]
        parts[7 + 3 * kind] = off_unasked_clock(gil, kind, time) - until
        off = parts[5 + 3 * kind] + parts[6 + 3 * kind] + parts[7 + 3 * kind]
        if off > item.most_off[kind]:
            item.most_off[kind], item.most_off_start[kind], item.most_off_end[kind] = off, start, time
    for part in range(11):
        item.parts[part] += parts[part]
    free = length - (held_clock(gil, time) - waiter.held_then)
    if free > 0:
        pair = find_pair(&world.blame, thread * (world.thread_count + 1) + world.thread_count)
        if pair == NULL:
            return -1
        pair.time += free
        pair.count += 1
    if (
        add_amount(&item.waits, length) < 0
        or count_waiting_code(world, waiter.process, <int64_t> frame + 1 if acquired or frame else 0, length, start) < 0
    ):
        return -1
    item.wait_last_end = time
    item.contended_acquires += acquired
    if <double> parts[0] >= 0.9 * <double> gil.interval:
        if not item.paid.count:
            item.paid_first = start
        item.paid_last_end = time
        if add_amount(&item.paid, length) < 0:
            return -1
    leave_waiters(world, gil, thread, time)
    return 0

cdef inline int count_waiting_code(
    World *world, int32_t process, int64_t frame, int64_t length, int64_t start
) noexcept nogil:
    """Sum up waits by the code that waited; 0: it is not known."""
    cdef Pair *pair = find_pair(&world.waiting, (<int64_t> process << 34) | frame)
    if pair == NULL:
        return -1
    pair.time += length
    pair.count += 1
    if length > 0 and (length > pair.serial or (length == pair.serial and start < pair.when)):
        pair.serial, pair.when = length, start
    return 0

cdef inline int run_out(World *world, OfGil *gil, int64_t began, int64_t time) noexcept nogil:
    """A timed wait ends without the GIL."""
    if time > gil.now and settle(world, gil, time) < 0:
        return -1
    if began > gil.timed_began:
        gil.timed_began = began
    return 0
