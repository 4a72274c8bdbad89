# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Stretches between the scheduler's events of tasks, one after the other: see `onto_cpu`."""

import numpy as np

from libc.stdint cimport int8_t, int16_t, int64_t, uint8_t
from libc.stdlib cimport calloc, free
from libc.string cimport memmove

from ...reader.format import Sched
from ...states import Cpu

cdef uint8_t CAME = Sched.SCHED_IN
cdef uint8_t LEFT = Sched.SCHED_OUT
cdef uint8_t PREEMPTED = Sched.SCHED_PREEMPTED
cdef uint8_t UNSURE = Cpu.UNSURE
cdef uint8_t OFF = Cpu.OFF
cdef uint8_t ON = Cpu.ON
cdef uint8_t READY = Cpu.READY
cdef uint8_t ASLEEP = Cpu.ASLEEP

cdef enum:
    EXIT = 255
    NOTHING = 0

ctypedef fused Cpus:
    int8_t
    int16_t

cdef struct Losses:
    # Sorted by their begins; each end is the latest so far.
    const int64_t *begin
    const int64_t *end
    int64_t count

cdef struct Gap:
    # What lies between two events of a task, or one and its begin or end.
    int64_t start
    int64_t end
    uint8_t before  # kinds of the events around it: NOTHING at a begin, or at an end that was not seen
    uint8_t after
    int16_t cpu_before
    int16_t cpu_after

cdef struct Stretch:
    int64_t start
    uint8_t state
    int16_t cpu
    bint preempted


cdef inline uint8_t state_after(uint8_t kind) noexcept nogil:
    return ON if kind == CAME else ASLEEP if kind == LEFT else READY if kind == PREEMPTED else UNSURE


cdef inline uint8_t state_before(uint8_t kind) noexcept nogil:
    if kind == LEFT or kind == PREEMPTED or kind == EXIT:  # a thread runs when it exits
        return ON
    return OFF if kind == CAME else UNSURE


cdef inline int64_t how_many(const int64_t *times, int64_t count, int64_t time) noexcept nogil:
    """How many of some times, in order, are before a time."""
    cdef int64_t low = 0, high = count, middle
    while low < high:
        middle = (low + high) >> 1
        if times[middle] < time:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline bint is_lossy(const Gap *gap, const Losses *all_of_them, const Losses *own, int64_t *since,
                          int64_t *until) noexcept nogil:
    """Whether the task may have come onto a CPU in a gap, or left its own, and nobody saw it; and when.

    A task that is on a CPU before and after the gap, with nothing lost there, was there all the time,
    whatever was lost elsewhere.
    """
    # The first loss that ends in the gap, or later; the last one that begins before its end.
    cdef int64_t first = how_many(all_of_them.end, all_of_them.count, gap.start + 1)
    cdef int64_t last = how_many(all_of_them.begin, all_of_them.count, gap.end) - 1
    if first > last or gap.end <= gap.start:
        return False
    if (
        state_after(gap.before) == ON
        and state_before(gap.after) == ON
        and gap.cpu_before == gap.cpu_after
        and how_many(own.end, own.count, gap.start + 1) >= how_many(own.begin, own.count, gap.end)
    ):
        return False
    since[0] = gap.start if gap.start > all_of_them.begin[first] else all_of_them.begin[first]
    until[0] = gap.end if gap.end < all_of_them.end[last] else all_of_them.end[last]
    return True


cdef inline int told(const Gap *gap, bint known_end, const Losses *all_of_them, const Losses *own,
                     Stretch *parts) noexcept nogil:
    """Tell what the task did in a gap; return how many stretches that is: three where records were lost."""
    cdef uint8_t earlier = state_after(gap.before), later = state_before(gap.after), state
    cdef int64_t since = 0, until = 0
    if gap.before == NOTHING and gap.after == CAME:
        earlier = READY  # its first event is later than its begin: that was told by itself
    parts[0].start = gap.start
    parts[0].cpu = gap.cpu_before if earlier == ON else gap.cpu_after
    if all_of_them.count and is_lossy(gap, all_of_them, own, &since, &until):
        # Known up to the first loss, not during losses, and again what the event after the last one says.
        parts[0].state, parts[0].preempted = earlier, False
        parts[1].start, parts[1].state, parts[1].cpu, parts[1].preempted = since, UNSURE, -1, False
        parts[2].start, parts[2].state, parts[2].cpu = until, later, gap.cpu_after
        parts[2].preempted = gap.after == PREEMPTED
        return 3
    state = later if earlier == UNSURE else earlier
    if earlier != UNSURE and later != UNSURE and (earlier == ON) != (later == ON):
        state = UNSURE  # the two don't agree
    if earlier == ON and later == ON and gap.cpu_before != gap.cpu_after and gap.after != EXIT:
        state = UNSURE
    if not known_end and gap.after == NOTHING and gap.before != NOTHING:
        state = UNSURE  # what came after its last event may not have been written
    parts[0].state, parts[0].preempted = state, gap.after == PREEMPTED
    return 1


cdef class Between:
    """What is known of the scheduler's events, but the events: of tasks, and of what was lost."""

    cdef const int64_t[::1] begin, end, loss_begin, loss_end, of_cpu_begin, of_cpu_end, of_cpu
    cdef const uint8_t[::1] exited
    cdef bint known_end

    def __init__(self, begin, end, exited, bint known_end, losses, of_cpus, of_cpu):
        self.begin, self.end, self.exited, self.known_end = begin, end, exited, known_end
        self.loss_begin, self.loss_end = losses
        self.of_cpu_begin, self.of_cpu_end = of_cpus
        self.of_cpu = of_cpu

    cdef inline Losses losses_of(self, int64_t first, int64_t last) noexcept nogil:
        cdef Losses losses
        losses.count = last - first
        losses.begin = &self.of_cpu_begin[first] if last > first else NULL
        losses.end = &self.of_cpu_end[first] if last > first else NULL
        return losses

    def stretches(self, int64_t[::1] time, uint8_t[::1] kind, Cpus[::1] cpu, const int64_t[::1] first,
                  uint8_t[::1] preempted, int64_t[::1] first_of):
        """Write start, state and CPU of all tasks' stretches over their events; return how many there are.

        The columns have as many elements more than events as there may be more stretches. Events are moved to
        the end first: of each gap at most so much is written that those of later ones stay. `preempted` are
        bits, the lowest of a byte first; none of them is set.
        """
        cdef int64_t task, at, used = 0, end, events = first[first.shape[0] - 1]
        cdef int64_t ahead = time.shape[0] - events
        cdef int count, number
        cdef Gap gap
        cdef Stretch parts[3]
        cdef Losses all_of_them, own
        all_of_them.begin = all_of_them.end = NULL
        all_of_them.count = self.loss_begin.shape[0]
        if all_of_them.count:
            all_of_them.begin, all_of_them.end = &self.loss_begin[0], &self.loss_end[0]
        own.count = 0
        with nogil:
            if events:
                memmove(&time[ahead], &time[0], events * sizeof(int64_t))
                memmove(&kind[ahead], &kind[0], events)
                memmove(&cpu[ahead], &cpu[0], events * sizeof(Cpus))
            for task in range(self.begin.shape[0]):
                first_of[task] = used
                gap.end, gap.after, gap.cpu_after = self.begin[task], NOTHING, -1
                for at in range(first[task], first[task + 1] + 1):
                    gap.start, gap.before, gap.cpu_before = gap.end, gap.after, gap.cpu_after
                    if at < first[task + 1]:
                        gap.end, gap.after = time[ahead + at], kind[ahead + at]
                        gap.cpu_after = cpu[ahead + at]
                    else:
                        gap.end, gap.cpu_after = self.end[task], -1
                        gap.after = EXIT if self.exited[task] else NOTHING
                    if all_of_them.count and 0 <= gap.cpu_before < self.of_cpu.shape[0] - 1:
                        own = self.losses_of(self.of_cpu[gap.cpu_before], self.of_cpu[gap.cpu_before + 1])
                    else:
                        own.count = 0
                    count = told(&gap, self.known_end, &all_of_them, &own, parts)
                    for number in range(count):
                        end = parts[number + 1].start if number + 1 < count else gap.end
                        if end <= parts[number].start:
                            continue
                        time[used], kind[used] = parts[number].start, parts[number].state
                        cpu[used] = <Cpus> parts[number].cpu if parts[number].state == ON else -1
                        if parts[number].preempted and parts[number].state == ON:
                            preempted[used >> 3] |= 1 << (used & 7)
                        used += 1
            first_of[self.begin.shape[0]] = used
        return used


def of_lives(const int64_t[::1] start, const uint8_t[::1] state, const Cpus[::1] cpu,
             const uint8_t[::1] preempted, int64_t low, int64_t high, int64_t task_end,
             const int64_t[::1] begins, const int64_t[::1] ends, int64_t[::1] times_preempted,
             int64_t[::1] migrations):
    """Count what a task did in its stretches low to high, by the last of its lives that each one touches.

    `preempted` are bits, as in `stretches`. Returns how long it was on a CPU, in a life or not. It has migrated
    where it goes on with another CPU than it had when it was on one before, in the same life.
    """
    cdef int64_t seen = 0, at, until, life, before = -1
    cdef int16_t cpu_before = -1
    with nogil:
        for at in range(low, high):
            if state[at] != ON:
                continue
            until = start[at + 1] if at + 1 < high else task_end
            seen += until - start[at]
            life = begins.shape[0] - 1
            while life >= 0 and not (start[at] < ends[life] and until > begins[life]):
                life -= 1
            if life >= 0:
                times_preempted[life] += preempted[at >> 3] >> (at & 7) & 1
                migrations[life] += life == before and cpu[at] != cpu_before
            before, cpu_before = life, cpu[at]
    return seen


cdef struct Edges:
    # Where a task comes onto a CPU and leaves it, one after the other.
    int64_t time  # of the next one
    int64_t at  # the stretch that it is about
    int64_t stop
    int64_t end
    bint on


cdef inline bint find_on(Edges *task, const int64_t *start, const uint8_t *state) noexcept nogil:
    """Find the next stretch on a CPU; whether there is one."""
    while task.at < task.stop and state[task.at] != ON:
        task.at += 1
    if task.at >= task.stop:
        return False
    task.time, task.on = start[task.at], False
    return True


cdef inline bint cross(Edges *task, const int64_t *start, const uint8_t *state) noexcept nogil:
    """Go on to the edge after this one; whether there is one."""
    if task.on:
        task.at += 1
        return find_on(task, start, state)
    task.time, task.on = start[task.at + 1] if task.at + 1 < task.stop else task.end, True
    return True


cdef inline void sink(Edges **heap, int64_t there, int64_t at) noexcept nogil:
    """Put what is at a place of the heap where it belongs."""
    cdef Edges *sinking = heap[at]
    cdef int64_t below = 2 * at + 1
    while below < there:
        if below + 1 < there and heap[below + 1].time < heap[below].time:
            below += 1
        if heap[below].time >= sinking.time:
            break
        heap[at] = heap[below]
        at, below = below, 2 * below + 1
    heap[at] = sinking


def all_running(const int64_t[::1] start, const uint8_t[::1] state, const int64_t[::1] first,
                const int64_t[::1] end, int64_t cpus, const int64_t[::1] times):
    """Return for how long, up to each of some times (ascending), as many tasks ran as there are CPUs, ns."""
    cdef int64_t tasks = end.shape[0], task, there = 0, running = 0, total = 0, last = 0, asked = 0
    cdef Edges *of = <Edges *> calloc(tasks + 1, sizeof(Edges))
    cdef Edges **heap = <Edges **> calloc(tasks + 1, sizeof(Edges *))
    cdef const int64_t *starts = &start[0] if start.shape[0] else NULL
    cdef const uint8_t *states = &state[0] if start.shape[0] else NULL
    found = np.zeros(times.shape[0], np.int64)
    cdef int64_t[::1] told = found
    cdef Edges *next_one
    try:
        if of == NULL or heap == NULL:
            raise MemoryError
        with nogil:
            for task in range(tasks):
                of[task].at, of[task].stop, of[task].end = first[task], first[task + 1], end[task]
                if find_on(&of[task], starts, states):
                    heap[there] = &of[task]
                    there += 1
            for task in range(there // 2 - 1, -1, -1):
                sink(heap, there, task)
            while there:
                next_one = heap[0]
                while asked < times.shape[0] and times[asked] <= next_one.time:
                    told[asked] = total + (times[asked] - last if running >= cpus else 0)
                    asked += 1
                if running >= cpus:
                    total += next_one.time - last
                last = next_one.time
                running += -1 if next_one.on else 1
                if not cross(next_one, starts, states):
                    there -= 1
                    heap[0] = heap[there]
                if there:
                    sink(heap, there, 0)
            for asked in range(asked, times.shape[0]):
                told[asked] = total
    finally:
        free(of)
        free(heap)
    return found
