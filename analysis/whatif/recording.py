"""What the replay's program is made from: intervals with the work that was done in them, and their order.

An interval is named by its position in `Brief` (that in `Intervals`) throughout. Of millions of them hardly
any is asked for, waited for or stalled in: what all of them have is kept in a few bytes each, and all else is
worked out for those that are asked about. Times and durations are in ns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from ..arrays import Bools, Int32s, Int64s, UInt32s
from ..fold.briefly import FOUND, Brief, brief_intervals, told_briefly
from ..fold.lanes import can_be_covered
from ..model import Gil, State
from ..reader.format import Event
from ..tables.gil import requests
from ..tables.gil.handoffs import Holds
from ..tables.trace import Trace

NEVER = requests.NEVER
AT_ONCE: Final = 1 << 17

CALL: Final = 100_000
"""ns of work from which on an answer to a request was not the next check, but the end of a call."""


@dataclass(frozen=True)
class LockOrder:
    """The holds of one GIL in the order of the lock, those whose acquire was seen."""

    gil: Gil
    at: Int32s | Int64s
    """Their intervals."""
    acquired: Int64s
    requested: Bools
    switches: int
    """How often it went from one thread to another."""

    def before(self, time: Int64s) -> Int64s:
        """Return which hold began last before each time; -1: none."""
        found: Int64s = np.searchsorted(self.acquired, time, "left") - 1
        return found


@dataclass(frozen=True)
class _Held:
    """As `requests.Order`."""

    acquired: Int64s
    released: Int64s
    thread: Int32s


@dataclass(frozen=True)
class Answers:
    """Holds of a GIL that answered a request.

    Attributes
    ----------
    hold : ndarray of int32 or int64
        Their intervals.
    took : ndarray of uint32 or int64
        ns of work from the request to their end.
    call, asked : ndarray of int64
        Which of them took at least `CALL`, and their work until the request.
    """

    hold: Int32s | Int64s
    took: UInt32s | Int64s
    call: Int64s
    asked: Int64s


def narrow(values: UInt32s | Int64s) -> UInt32s | Int64s:
    """Return the same numbers in 32 bits each, if they have room there."""
    fits = not len(values) or (values.min() >= 0 and values.max() <= np.iinfo(np.uint32).max)
    return values.astype(np.uint32) if fits else values


def in_parts(count: int) -> Iterator[tuple[int, int]]:
    """Yield from where to where to go at once: what is made of so many stays small."""
    for low in range(0, count, AT_ONCE):
        yield low, min(low + AT_ONCE, count)


class Recording:
    """A trace as the replay sees it."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        brief = brief_intervals(trace) if can_be_covered(trace) else None
        self.from_streams = brief is not None
        self.brief = brief if brief is not None else _of_tables(trace)
        self.first, self.start, self.state = self.brief.first, self.brief.start, self.brief.state
        self.scheduled = trace.scheduling is not None
        self._full = self._all_running()
        if self.from_streams and trace.on_cpus is not None:
            trace.on_cpus.give_up()

    def __len__(self) -> int:
        return len(self.start)

    @cached_property
    def last(self) -> Bools:
        """Whether it is its thread's last."""
        last = np.zeros(len(self.start), bool)
        last[self.first[1:] - 1] = True
        return last

    def thread_of(self, at: Int32s | Int64s) -> Int64s:
        """Return the threads of intervals."""
        found: Int64s = np.searchsorted(self.first, at, "right")
        found -= 1
        return found

    def gil_of(self, at: Int32s | Int64s) -> Int64s:
        """Return the GILs that are held or waited for in intervals; -1: none."""
        return np.where(self.state[at] >= State.WAITING, self.brief.gil[at], -1).astype(np.int64)

    def end_of(self, at: Int32s | Int64s) -> Int64s:
        """Return when intervals end: where the thread's next one begins."""
        end = np.empty(len(at), np.int64)
        for low, high in in_parts(len(at)):
            some, until = at[low:high], end[low:high]
            np.take(self.start, some + 1, out=until, mode="clip")
            last = np.flatnonzero(self.last[some])
            until[last] = self.trace.ends[self.thread_of(some[last])]
        return end

    def durations(self, low: int, high: int) -> Int64s:
        """Return how long the intervals from `low` to `high` are."""
        durations = np.empty(high - low, np.int64)
        durations[:-1] = self.start[low + 1 : high] - self.start[low : high - 1]
        last = np.flatnonzero(self.last[low:high])
        if low < high:
            durations[-1:] = self.end_of(np.array([high - 1])) - self.start[high - 1]
        durations[last] = self.trace.ends[self.thread_of(low + last)] - self.start[low + last]
        return durations

    @cached_property
    def seen_alive(self) -> Bools:
        """Which threads lived when the recording began."""
        if not self.from_streams:
            return self.trace.columns.seen_alive
        return np.array([run.seen_alive for run in self.trace.source.runs], bool)

    @cached_property
    def exited(self) -> Bools:
        """Which threads were seen to exit."""
        if not self.from_streams:
            return self.trace.columns.exited
        return np.array([run.exited for run in self.trace.source.runs], bool)

    @cached_property
    def last_holds(self) -> Int64s:
        """Each thread's last hold; -1: it has none."""
        found = np.full(len(self.trace.threads), -1)
        for thread in range(len(found)):
            holding = np.flatnonzero(self.state[self.first[thread] : self.first[thread + 1]] == State.HOLDING)
            if len(holding):
                found[thread] = self.first[thread] + holding[-1]
        return found

    def wait_frames(self) -> tuple[Int64s, Int32s]:
        """Return waits, and the frames that wanted the GIL; -1: not known."""
        if not self.from_streams:
            return self.trace.intervals_by_column.waiting, self.trace.wait_frames
        wait = np.flatnonzero(self.state == State.WAITING)
        number = self.brief.more[wait]
        frame = np.full(len(wait), -1, np.int32)
        for process in self.trace.processes:
            threads = self.trace.threads_of(process)
            bounds = np.searchsorted(wait, self.first[[threads.start, threads.stop]]).tolist()
            mine = slice(*bounds)
            frame[mine] = self.trace.stacks.of(process.index, number[mine])
        return wait, frame

    def timed_waits(self, gil: Gil) -> tuple[Int64s, Int64s]:
        """Return when the timed waits for a GIL that ran out began and ended."""
        mine = self.brief.timed_gil == gil.index
        if mine.all():
            return self.brief.timed_begin, self.brief.timed_end
        return self.brief.timed_begin[mine], self.brief.timed_end[mine]

    def waits(self) -> tuple[Int64s, Int64s]:
        """Return the durations of all waits, and whose they were."""
        waiting = np.flatnonzero(self.state == State.WAITING)
        return self.end_of(waiting) - self.start[waiting], self.thread_of(waiting)

    @cached_property
    def orders(self) -> list[LockOrder]:
        """One for each GIL."""
        return [self._order(gil) for gil in self.trace.gils]

    def _order(self, gil: Gil) -> LockOrder:
        at = self._sorted(self._holding(gil))
        holds = self._holds(gil, at)
        requested = requests.requested(holds, *self.timed_waits(gil), self._trusted_until(gil))
        handed = holds.handed_on()
        switches = int(np.count_nonzero((holds.thread[:-1] != holds.thread[1:])[handed]))
        seen = holds.acquire_seen
        if not seen.all():
            requested = requested[seen]
        return LockOrder(gil, at, self.start[at], requested, switches)

    def _holding(self, gil: Gil) -> Int32s | Int64s:
        at = np.flatnonzero(self.state == State.HOLDING)
        if len(self.trace.gils) > 1:
            at = at[self.brief.gil[at] == gil.index]
        return at.astype(np.int32) if len(self.start) <= np.iinfo(np.int32).max else at

    def _sorted(self, at: Int32s | Int64s) -> Int32s | Int64s:
        """Return holds in the order of the lock."""
        acquired = self.start[at]
        if (acquired[1:] > acquired[:-1]).all():
            return at
        order = np.argsort(acquired, kind="stable")
        in_order = acquired[order]
        if (in_order[1:] == in_order[:-1]).any():  # a hold of no length is before one that begins then
            order = np.lexsort((self.end_of(at), acquired))
        return at[order]

    def _holds(self, gil: Gil, at: Int32s | Int64s) -> Holds:
        """Return the holds as `tables.gil.handoffs` has them; `requested` is where one was found."""
        after = np.where(self.last[at], np.uint8(0), self.brief.kind[np.minimum(at + 1, len(self.start) - 1)])
        released = (after & (FOUND - 1)) == Event.GIL_RELEASED
        found = after == Event.GIL_RELEASED | FOUND
        acquired, until, thread = self.start[at], self.end_of(at), self.thread_of(at).astype(np.int32)
        unseen = self._unseen(gil)
        if not len(unseen):
            return Holds(acquired, until, thread, np.ones(len(at), bool), released, found)
        begin = self.start[unseen]
        seen = np.append(np.ones(len(at), bool), np.zeros(len(unseen), bool))
        acquired, until = np.append(acquired, begin), np.append(until, begin)
        thread = np.append(thread, self.thread_of(unseen).astype(np.int32))
        released = np.append(released, np.ones(len(unseen), bool))
        found = np.append(found, self.brief.kind[unseen] == Event.GIL_RELEASED | FOUND)
        order = np.argsort(acquired, kind="stable")
        in_order = acquired[order]
        if (in_order[1:] == in_order[:-1]).any():
            order = np.lexsort((~released, until, acquired))
        return Holds(acquired[order], until[order], thread[order], seen[order], released[order], found[order])

    def _unseen(self, gil: Gil) -> Int64s:
        """Return the intervals that begin with a release whose acquire was not seen."""
        after = np.flatnonzero(self.state == State.UNKNOWN) + 1
        after = after[after < len(self.start)]
        after = after[~np.isin(after, self.first)]
        after = after[(self.brief.kind[after] & (FOUND - 1)) == Event.GIL_RELEASED]
        mine: Int64s = after[self.brief.gil[after] == gil.index]
        return mine

    def _trusted_until(self, gil: Gil) -> int:
        process = self.trace.processes[gil.process]
        if process.version >= requests.OWN_REQUESTS:
            return self.trace.end
        threads = self.trace.threads_of(process)
        first, last = self.first[threads.start], self.first[threads.stop]
        unknown = np.flatnonzero(self.state[first:last] == State.UNKNOWN) + first
        return int(self.end_of(unknown).max(initial=0))

    # Work: time in a hold, less what the thread lost its CPU to other threads of the trace: the replay has
    # them compete anew. What it lost to other programs stays: they are not in the replay, and would be there
    # again. Without scheduling a stretch without the GIL is no work at all.

    def _all_running(self) -> Int64s:
        """Return for how long, in each piece of `brief`, all CPUs ran threads of the trace."""
        stretches, scheduling, brief = self.trace.stretches, self.trace.scheduling, self.brief
        if stretches is None or scheduling is None:
            return brief.off_begin[:0]
        return stretches.all_running(max(len(scheduling.cpus), 1), brief.off_begin, brief.off_end)

    @cached_property
    def _stalled(self) -> tuple[Int64s, Int64s, Int64s, Int64s]:
        """Stretches in which a holder was stalled: hold, begin, end, and how long all CPUs were full then."""
        return self._pieces(State.STALLED)

    def _pieces(self, state: State) -> tuple[Int64s, Int64s, Int64s, Int64s]:
        brief = self.brief
        at = np.flatnonzero(brief.off_state == state)
        begin, end = brief.off_begin[at], brief.off_end[at]
        return brief.off_of[at], begin, end, self._full[at] if self.scheduled else begin[:0]

    def work_until(self, interval: Int64s, time: Int64s) -> Int64s:
        """Return the work in these holds up to these times, which are in them."""
        passed = time - self.start[interval]
        if not self.scheduled or not len(interval):
            return passed
        hold, begin, end, full = self._stalled
        stalled = np.flatnonzero(self._has_stalls[interval])
        low, high = (np.searchsorted(hold, interval[stalled], side) for side in ("left", "right"))
        count = high - low
        which = np.repeat(stalled, count)
        piece = np.repeat(low - (np.cumsum(count) - count), count) + np.arange(int(count.sum()))
        work = end[piece] - begin[piece] - full[piece]
        within = np.clip(time[which] - begin[piece], 0, end[piece] - begin[piece])
        np.subtract.at(passed, which, np.maximum(within - work, 0))
        return passed

    def work_of(self, interval: Int32s | Int64s) -> Int64s:
        """Return all the work in these holds."""
        work = self.end_of(interval)
        for low, high in in_parts(len(interval)):
            some, mine = interval[low:high], work[low:high]
            mine -= self.start[some]
            if self.scheduled:
                stalled = np.flatnonzero(self._has_stalls[some])
                of = some[stalled].astype(np.int64)
                hold, before = self._stalled[0], self._lost_before
                mine[stalled] -= before[np.searchsorted(hold, of, "right")]
                mine[stalled] += before[np.searchsorted(hold, of, "left")]
        return work

    @cached_property
    def _has_stalls(self) -> Bools:
        """Which intervals are holds with stretches in which the holder was stalled."""
        stalled = np.zeros(len(self.start), bool)
        stalled[self._stalled[0]] = True
        return stalled

    @cached_property
    def _lost_before(self) -> Int64s:
        """How much of holds is no work, up to each of `_stalled`."""
        return np.append(0, np.cumsum(self._stalled[3]))

    def lost_in(self, low: int, high: int, durations: Int64s) -> None:
        """Take from the durations of intervals what their threads lost a CPU to others of the trace for.

        Of holds work is left, of stretches without the GIL what their threads chose.
        """
        for of, _, _, full in (self._stalled, self._ready) if self.scheduled else ():
            some = slice(*np.searchsorted(of, [low, high]).tolist())
            np.subtract.at(durations, of[some] - low, full[some])

    @cached_property
    def _ready(self) -> tuple[Int64s, Int64s, Int64s, Int64s]:
        """Stretches in which a thread without the GIL had lost its CPU: as `_stalled`."""
        return self._pieces(State.READY)

    @property
    def asleep(self) -> tuple[Int64s, Int64s, Int64s]:
        """Stretches in which a holder slept: their holds, begins and ends."""
        brief = self.brief
        at = np.flatnonzero(brief.off_state == State.HOLDING_ASLEEP)
        return brief.off_of[at], brief.off_begin[at], brief.off_end[at]

    @cached_property
    def lost_to_others(self) -> float:
        """Share of the time in holds in which other programs had the thread's CPU."""
        held = 0
        for low, high in in_parts(len(self.start)):
            held += int(self.durations(low, high)[self.state[low:high] == State.HOLDING].sum())
        _, begin, end, full = self._stalled
        return int((end - begin - full).sum()) / held if held and self.scheduled else 0.0

    # Requests.

    @cached_property
    def answers(self) -> list[Answers]:
        """For each of `orders` which holds answered a request."""
        return [self._answers(order) for order in self.orders]

    def _answers(self, order: LockOrder) -> Answers:
        ends, threads = self.end_of(order.at), self.thread_of(order.at).astype(np.int32)
        asked = requests.first_requests(_Held(order.acquired, ends, threads), *self.timed_waits(order.gil))
        del ends, threads
        which = np.flatnonzero(order.requested & (asked < NEVER))
        hold, asked = order.at[which], asked[which]
        del which
        took, calls = np.empty(len(hold), np.int64), [np.zeros((2, 0), np.int64)]
        for low, high in in_parts(len(hold)):
            some = hold[low:high].astype(np.int64)
            until = self.work_until(some, asked[low:high])
            took[low:high] = self.work_of(some) - until
            call = np.flatnonzero(took[low:high] >= CALL)
            calls.append(np.stack([call + low, until[call]]))
        call, until = np.concatenate(calls, axis=1)
        return Answers(hold, narrow(took), call, until)


def _of_tables(trace: Trace) -> Brief:
    """Return the intervals of a trace that is told by tables."""
    intervals, states, columns = trace.intervals_by_column, trace.states_by_column, trace.columns
    kind = intervals.kind.copy()
    following = np.minimum(intervals.event + 1, max(len(columns.kind) - 1, 0))
    asked = (columns.kind[following] == Event.GIL_DROP_REQUESTED) & (kind == Event.GIL_RELEASED)
    kind[asked] |= FOUND
    about = trace.gil_of_events[intervals.event]
    timed = [(gil.index, *trace.timed_waits(gil)) for gil in trace.gils]
    none = np.zeros(0, np.int64)
    return told_briefly(
        intervals.first,
        intervals.start,
        intervals.state,
        kind,
        about.astype(np.int16),
        (states.of, states.state, states.start, states.start + states.duration),
        (
            np.concatenate([none, *(began for _, began, _ in timed)]),
            np.concatenate([none, *(ended for _, _, ended in timed)]),
            np.concatenate([none, *(np.full(len(began), gil) for gil, began, _ in timed)]),
        ),
    )
