# What a thread does, piece by piece: what it does about the GIL, cut where it gets a CPU and loses it, and where
# it waits for a lock. As tables.cpu.states, locks.states and cpu.retries have it, told as what happens at each change.

from libc.stdint cimport int32_t, int64_t

from analysis.fold.rules.gil_clock cimport set_off
from analysis.fold.state cimport (
    ASLEEP,
    BLOCKED,
    HOLDING,
    HOLDING_ASLEEP,
    LOCKED,
    NATIVE,
    ON_CPU,
    READY,
    READY_FOR_CPU,
    RELEASED,
    RUNNING,
    STALLED,
    STOPPED,
    UNSURE,
    WAITING,
    Item,
    OfGil,
    OfThread,
    World,
)
from analysis.growing cimport add_amount, push

cdef extern from "stdint.h" nogil:
    const int64_t NEVER "INT64_MAX"

cdef enum:
    MOMENT = 250000  # tables.trace: without a CPU, that the sampler itself may take

cdef inline int split(int state, int cpu) noexcept nogil:
    if state == HOLDING:
        return RUNNING if cpu == ON_CPU else STALLED if cpu == READY_FOR_CPU else HOLDING_ASLEEP if cpu == ASLEEP else state
    if state == RELEASED:
        return NATIVE if cpu == ON_CPU else READY if cpu == READY_FOR_CPU else BLOCKED if cpu == ASLEEP else state
    return state

cdef inline int off_kind(int cpu) noexcept nogil:
    """How a holder does not run: 0, wants a CPU; 1, sleeps; -1: it runs, or that is not known."""
    return 0 if cpu == READY_FOR_CPU else 1 if cpu == ASLEEP else -1

cdef inline void tell_waited(OfThread *thread, int state, int64_t begin, int64_t end) noexcept nogil:
    """Say for how long it had waited by the times in a piece that is not counted yet."""
    cdef int64_t more
    while thread.asked_left and thread.asked_time[0] <= end:
        more = thread.asked_time[0] - begin if state == WAITING and thread.asked_time[0] > begin else 0
        thread.waited_by[0] = thread.times[WAITING] + more
        thread.asked_time += 1
        thread.waited_by += 1
        thread.asked_left -= 1

cdef inline void add_piece(OfThread *thread, int state, int64_t begin, int64_t end) noexcept nogil:
    if thread.asked_left:
        tell_waited(thread, state, begin, end)
    thread.times[state] += end - begin
    while thread.native_left and thread.native_time[0] < end:
        thread.native_state[0] = <unsigned char> state
        thread.native_time += 1
        thread.native_state += 1
        thread.native_left -= 1

cdef inline int count_piece(OfThread *thread, int state, int64_t begin, int64_t end) noexcept nogil:
    add_piece(thread, state, begin, end)
    if state == STALLED:
        return add_amount(&thread.stretches[0], end - begin)
    if state == HOLDING_ASLEEP:
        return add_amount(&thread.stretches[1], end - begin)
    return add_amount(&thread.stretches[2], end - begin) if state == READY else 0

cdef inline int count_held(World *world, OfThread *thread, int state, int64_t begin, int64_t end) noexcept nogil:
    """Count a piece with the GIL."""
    cdef OfGil *gil = &world.gils[thread.gil]
    cdef Item *item = &world.items[thread.item + gil.number]
    cdef int64_t length = end - begin
    cdef int kind = 0 if state == STALLED else 1 if state == HOLDING_ASLEEP else -1
    if kind >= 0:
        item.off_total[kind] += length
        if length > item.off_longest[kind]:
            item.off_longest[kind], item.off_longest_at[kind] = length, begin
        if kind == 0 and length > MOMENT and gil.samples:
            # Where nothing follows, the last moment is a part of it.
            if push(&gil.stalls, begin) < 0 or push(&gil.stalls, end + thread.done) < 0:
                return -1
    return count_piece(thread, state, begin, end)

cdef inline int count_without(OfThread *thread, int state, int64_t begin, int64_t end) noexcept nogil:
    """Count a piece without the GIL: what of it was a wait for a lock is that."""
    cdef int64_t since, until
    cdef bint empty = begin == end
    while thread.locks_left and (thread.locks[0] < end or (empty and thread.locks[0] == end)):
        since = thread.locks[0] if thread.locks[0] > begin else begin
        until = thread.locks[1] if thread.locks[1] < end else end
        if empty and thread.locks[1] > begin:
            return 0
        if thread.locks[1] > begin:
            if since > begin and count_piece(thread, state, begin, since) < 0:
                return -1
            add_piece(thread, STOPPED if thread.locks[2] else LOCKED, since, until)
            begin = until
        if thread.locks[1] > end or (thread.locks[1] == end and thread.locks[0] == end):
            break
        thread.locks += 3
        thread.locks_left -= 1
    if end > begin or empty:
        return count_piece(thread, state, begin, end)
    return 0

cdef inline int pass_time(World *world, OfThread *thread, int64_t time, bint of_gil) noexcept nogil:
    """A piece ends; what has no length is one only if both of its ends are about a GIL."""
    cdef int state, failed = 0
    if time > thread.since or (of_gil and thread.piece_of_gil):
        state = split(thread.state, thread.cpu)
        if thread.state == RELEASED:
            failed = count_without(thread, state, thread.since, time)
        elif thread.state == HOLDING:
            failed = count_held(world, thread, state, thread.since, time)
        else:
            add_piece(thread, state, thread.since, time)
    elif not of_gil:
        return 0
    thread.since, thread.piece_of_gil = time, of_gil
    return failed

cdef inline void tell_retries(OfThread *thread, int64_t time) noexcept nogil:
    """The wait still goes on at a time, or ends then."""
    if 0 <= thread.retry_end_before < time:
        thread.retries += 1
        thread.retry_end_before = -1
    if 0 <= thread.retry_end < time:
        thread.retries += 1
        thread.retry_end = -1

cdef inline int64_t end_of_stretch(World *world, OfThread *thread, int64_t at) noexcept nogil:
    return world.cpu_start[at + 1] if at + 1 < thread.cpu_stop else thread.cpu_end

cdef inline bint is_preempted(World *world, int64_t at) noexcept nogil:
    return world.cpu_preempted[at >> 3] >> (at & 7) & 1

cdef inline void may_be_retry(World *world, OfThread *thread, int64_t at, int64_t time) noexcept nogil:
    """A stretch begins in a wait: one on a CPU that ends in it too, asleep, was for nothing."""
    tell_retries(thread, time)
    if world.cpu_state[at] == ON_CPU and not is_preempted(world, at) and world.cpu_start[at] > thread.wait_start:
        thread.retry_end_before = thread.retry_end
        thread.retry_end = end_of_stretch(world, thread, at)

cdef inline int64_t in_life(OfThread *thread, int64_t time) noexcept nogil:
    return thread.begin if time < thread.begin else thread.end if time > thread.end else time

cdef inline void find_next(World *world, OfThread *thread) noexcept nogil:
    """Find when something happens to its CPU next: after the last stretch nothing is known."""
    cdef int64_t at = thread.cpu_at
    if at < thread.cpu_stop:
        thread.cpu_next = in_life(thread, world.cpu_start[at])
    elif at == thread.cpu_stop:
        thread.cpu_next = in_life(thread, thread.cpu_end)
    else:
        thread.cpu_next = NEVER

cdef inline int catch_up(World *world, int32_t number, int64_t time) noexcept nogil:
    """Bring a thread's CPUs up to a time; what they did then comes before what happens about GILs."""
    cdef OfThread *thread = &world.threads[number]
    cdef int64_t now
    while thread.cpu_next <= time:
        now = thread.cpu_next
        if pass_time(world, thread, now, False) < 0:
            return -1
        thread.cpu_times[thread.cpu] += now - thread.cpu_since
        thread.cpu_since = now
        if thread.cpu_at < thread.cpu_stop:
            thread.cpu = world.cpu_state[thread.cpu_at]
            if thread.state == WAITING:
                may_be_retry(world, thread, thread.cpu_at, now)
        else:
            thread.cpu = UNSURE
        if thread.state == HOLDING:
            set_off(&world.gils[thread.gil], off_kind(thread.cpu), now)
        thread.cpu_at += 1
        find_next(world, thread)
    return 0

cdef inline void begin_cpu(World *world, OfThread *thread, int64_t at, int64_t stop, int64_t end) noexcept nogil:
    """Give a thread the stretches that touch its life; `at` is `stop` where there are none."""
    thread.cpu, thread.cpu_since = UNSURE, thread.begin
    thread.cpu_at, thread.cpu_stop, thread.cpu_end = at, stop, end
    if at < stop:
        find_next(world, thread)
    else:
        thread.cpu_next = NEVER

cdef inline void end_cpu(OfThread *thread) noexcept nogil:
    thread.cpu_times[thread.cpu] += thread.end - thread.cpu_since
    thread.cpu_since = thread.end
