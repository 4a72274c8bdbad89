# Waits for one GIL: when they begin and end, and what each was spent on, as tables.gil.anatomy has it.

from libc.stdint cimport int32_t, int64_t, uint32_t

from analysis.fold.rules.charging cimport charge_thread
from analysis.fold.rules.gil cimport settle
from analysis.fold.rules.gil_clock cimport (
    asked_clock,
    contended_clock,
    held_clock,
    off_asked_clock,
    off_unasked_clock,
    unknown_clock,
)
from analysis.fold.pairs cimport Pair, find_pair
from analysis.fold.state cimport Item, OfGil, OfThread, World
from analysis.growing cimport add_amount, push

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

cdef inline int run_out(World *world, OfGil *gil, int64_t began, int64_t time) noexcept nogil:
    """A timed wait ends without the GIL."""
    if time > gil.now and settle(world, gil, time) < 0:
        return -1
    if began > gil.timed_began:
        gil.timed_began = began
    return 0
