"""Recording → program: what each thread would do whatever the GIL did to it.

A thread's program is a row of steps: work with the GIL, work without it, a time blocked, or the wait for an
event that another thread posts at a place in its own work (`wakes`). Waits for the GIL are no part of it:
they are what the replay predicts.

- Holds that only a drop request ended, and that the thread went on with as soon as it could, are one step.
- Time in a hold in which other threads of the trace had all CPUs is no work.
- A release that took long to answer a request shows a C call that asks for no drop: as it was met at random,
  it is expected to have begun as long before the request as it ended after it, but not before the hold. A
  thread that mostly answers so is in such calls all the time: its answers take what they took, anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ..arrays import Bools, Int8s, Int16s, Int32s, Int64s
from ..model import State
from ..tables.trace import Trace
from ..units import share
from .kinds import AWAIT, BLOCKED, NATIVE, PYTHON
from .parts import Stretches, firsts, without_gil_in
from .pools import Pools, make_pools
from .recording import NEVER, Recording
from .released import Portions
from .wakes import Wakes, find_wakes

RETURN_LIMIT: Final = 1_000_000
"""ns after another thread took the GIL within which the one that had to drop it asks again."""

BUSY_LIMIT: Final = 20_000_000
"""The same of one that dropped it right after the request: on a busy machine it waits for a CPU to ask."""

CALL: Final = 100_000
"""ns of work from which on an answer to a request was not the next check, but the end of a call."""


_WORTH_A_WORD: Final = 0.02
_AT_ONCE: Final = 1 << 18


@dataclass(frozen=True)
class Program:
    """Programs of all threads of a trace; arrays are int64, or of few bits where there are many.

    Attributes
    ----------
    first : ndarray, shape (threads + 1,)
        Thread i has the steps first[i] to first[i + 1].
    kind, gil, amount : ndarray, shape (steps,)
        `kinds`; which GIL (-1: none); ns, or the number of the event that it awaits.
    post_first : ndarray, shape (steps + 1,)
        Step i posts what is from post_first[i] to post_first[i + 1] in post_at (ns of work into the step),
        post_event, and post_delay (ns until it has an effect).
    call_first : ndarray, shape (steps + 1,)
        The same of call_begin and call_end: between these places in its work it answers no drop request.
    pools : Pools
        Latencies to draw from.
    interval : ndarray, shape (gils,)
        Switch interval, ns.
    essential : ndarray, shape (threads,)
        1: the program isn't over before this thread has ended (`_essential`).
    cpus : int
        0: not known.
    remarks : tuple of str
        What the reader should know of how the program was made.
    """

    first: Int64s
    kind: Int8s | Int64s
    gil: Int16s | Int64s
    amount: Int64s
    post_first: Int32s | Int64s
    post_at: Int64s
    post_event: Int64s
    post_delay: Int64s
    call_first: Int32s | Int64s
    call_begin: Int64s
    call_end: Int64s
    pools: Pools
    interval: Int64s
    essential: Int64s
    cpus: int
    remarks: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class _Chain:
    """What follows holds that were asked to end, in order.

    Attributes
    ----------
    hold, next_taken : ndarray of int64
        The holds, and when the GIL was taken next; NEVER: it was not.
    returns : ndarray of bool
        Only the request ended it, and the thread asked again at once.
    """

    hold: Int64s
    next_taken: Int64s
    returns: Bools


def make_program(
    trace: Trace,
    released: Bools | None = None,
    waits_for_threads: Int8s | None = None,
    portions: Portions | None = None,
    recording: Recording | None = None,
) -> Program:
    """Return the program that was recorded.

    Parameters
    ----------
    released : ndarray of bool, optional
        For each interval of `trace.intervals_by_column`, if it is a hold: whether its work is to be done
        without the GIL.
    waits_for_threads : ndarray of int, optional
        For each interval without the GIL what the stacks say: see `wakes.find_wakes`.
    portions : Portions, optional
        Of holds: what else is to be done without the GIL.
    recording : Recording, optional
        That of the trace, if it is there.
    """
    recording = Recording(trace) if recording is None else recording
    count = len(recording)
    chain = _chain(recording)
    dropped = np.zeros(count, bool)  # the gaps after forced drops: no part of the program
    dropped[chain.hold[chain.returns] + 1] = True
    pools = make_pools(recording, dropped, CALL)
    gaps, blocked = _blocked(recording, dropped)
    _without_switch_wait(recording, chain, pools, gaps, blocked)

    says = np.full(len(gaps), -1) if waits_for_threads is None else waits_for_threads[gaps]
    wakes = find_wakes(recording, gaps, says)
    steps = _Steps(recording, chain, wakes, gaps, dropped, released)
    del dropped
    kind, gil, amount = steps.arrays(released, blocked)
    _await(steps, wakes, kind, amount)
    posts = _posts(recording, wakes, steps)
    calls = _calls(recording, pools.in_calls, steps)
    program = Program(
        steps.first,
        kind,
        gil,
        amount,
        *posts,
        *calls,
        pools=pools,
        interval=pools.interval,
        essential=_essential(recording),
        cpus=_cpus(trace),
        remarks=_remarks(recording, pools),
    )
    if portions is None:
        return program
    mine = slice(None) if released is None else ~released[portions.interval]
    hold, since, until = portions.interval[mine], portions.begin[mine], portions.end[mine]
    taken = _stretches(recording, steps, hold, since, until)
    return without_gil_in(program, taken, _stretches(recording, steps, *recording.asleep))


def _blocked(recording: Recording, dropped: Bools) -> tuple[Int64s, Int64s]:
    """Return the stretches without the GIL in which threads were blocked, and for how long.

    What a thread doesn't come back from is the end of its program.
    """
    found: list[tuple[Int64s, Int64s]] = [(_NONE, _NONE)]
    for low, high in _parts(len(recording)):
        blocked = recording.durations(low, high)
        recording.lost_in(low, high, blocked)
        blocked -= recording.brief.native[low:high]
        gap = recording.state[low:high] <= State.RELEASED  # or unknown
        at = np.flatnonzero(gap & ~dropped[low:high] & ~recording.last[low:high] & (blocked > 0))
        found.append((at + low, blocked[at]))
    gaps, blocked = (np.concatenate(each) for each in zip(*found, strict=True))
    return gaps, blocked


def _parts(count: int) -> Iterator[tuple[int, int]]:
    """Yield from where to where to go at once: what is made of so many stays small."""
    for low in range(0, count, _AT_ONCE):
        yield low, min(low + _AT_ONCE, count)


def _stretches(recording: Recording, steps: _Steps, hold: Int64s, begin: Int64s, end: Int64s) -> Stretches:
    """Return stretches of holds, ns, as stretches of work in steps."""
    step, base = steps.of_holds(hold)
    since, until = (base + recording.work_until(hold, time) for time in (begin, end))
    return Stretches(step, since, until)


def _chain(recording: Recording) -> _Chain:
    found: list[tuple[Int64s, Int64s]] = [(_NONE, _NONE)]
    for order in recording.orders:
        asked = np.flatnonzero(order.requested)
        following = np.minimum(asked + 1, len(order.at) - 1)
        taken = np.where(asked + 1 < len(order.at), order.acquired[following], NEVER)
        found.append((order.at[asked].astype(np.int64), taken))
    hold, next_taken = (np.concatenate(each) for each in zip(*found, strict=True))
    by_place = np.argsort(hold, kind="stable")
    hold, next_taken = hold[by_place], next_taken[by_place]
    limit = np.full(len(hold), RETURN_LIMIT)
    for answering, asked, answered in recording.answers:
        limit[np.searchsorted(hold, answering[answered - asked < CALL])] = BUSY_LIMIT
    returns = np.zeros(len(hold), bool)
    which = np.flatnonzero(hold < len(recording) - 2)
    which = which[~recording.last[hold[which]] & ~recording.last[hold[which] + 1]]
    at = hold[which]
    back = np.where(next_taken[which] < NEVER, next_taken[which], 0) + limit[which]
    returns[which] = (
        (recording.state[at + 1] == State.RELEASED)
        & (recording.gil_of(at + 2) == recording.gil_of(at))
        & (recording.end_of(at + 1) <= back)
    )
    return _Chain(hold, next_taken, returns)


def _without_switch_wait(
    recording: Recording, chain: _Chain, pools: Pools, gaps: Int64s, blocked: Int64s
) -> None:
    """Take from stretches after a requested release what the thread waited for another to take the GIL.

    The replay has it wait anew.
    """
    some = (chain.next_taken < NEVER) & (chain.hold < len(recording) - 1)
    some &= ~recording.last[chain.hold]
    hold, next_taken = chain.hold[some], chain.next_taken[some]
    place = np.searchsorted(gaps, hold + 1)
    there = np.flatnonzero(np.append(gaps, -1)[place] == hold + 1)
    waited = next_taken[there] - recording.end_of(hold[there]) + pools.typical_return
    blocked[place[there]] = np.maximum(blocked[place[there]] - waited, 1)


class _Steps:
    """Which steps come from which interval: [begin | late] [native] [main]."""

    def __init__(
        self,
        recording: Recording,
        chain: _Chain,
        wakes: Wakes,
        gaps: Int64s,
        dropped: Bools,
        released: Bools | None,
    ) -> None:
        self._recording, self._gaps = recording, gaps
        first = recording.first[:-1]
        begun = np.unique(wakes.gap[wakes.begins])
        # Threads that nobody of the recording started.
        late = first[~np.isin(first, begun) & (recording.start[first] > recording.trace.begin)]
        self._late, self._opens = late, np.unique(np.concatenate([begun, late]))
        self._follow(chain, released)
        self._native = np.zeros(len(recording), bool)
        count = np.zeros(len(recording), np.uint8)
        for low, high in _parts(len(recording)):
            state = recording.state[low:high]
            self._native[low:high] = recording.brief.native[low:high] > 0
            self._native[low:high] &= (state <= State.RELEASED) & ~dropped[low:high]
            count[low:high] = self._native[low:high]
            count[low:high] += state == State.HOLDING
        count[self._opens] += 1
        count[self._continue] -= 1
        count[gaps] += 1
        self.begin = np.zeros(len(count) + 1, _index(3 * len(count)))
        np.cumsum(count, out=self.begin[1:])
        self.first = self.begin[recording.first].astype(np.int64)
        self.count = int(self.begin[-1])

    def _follow(self, chain: _Chain, released: Bools | None) -> None:
        """Find the holds that go on with the work of the thread's hold before, of the same kind."""
        recording = self._recording
        at = chain.hold[chain.returns]
        following = at + 2 + (recording.state[np.minimum(at + 2, len(recording) - 1)] == State.WAITING)
        fits = following < len(recording)
        at, following = at[fits], following[fits]
        fits = recording.state[following] == State.HOLDING
        fits &= recording.thread_of(at) == recording.thread_of(following)
        if released is not None:
            fits &= released[at] == released[following]
        at, self._continue = at[fits], following[fits]
        new = np.ones(len(at), bool)
        new[1:] = at[1:] != self._continue[:-1]
        row = np.cumsum(new) - 1
        self._leader = at[new][row]
        work = recording.work_of(at)
        before = np.cumsum(work)
        opening = np.flatnonzero(new)
        self._base = before - (before[opening] - work[opening])[row]

    def main(self, at: Int64s) -> Int64s:
        """Return the last step of intervals."""
        return self.begin[at].astype(np.int64) + np.isin(at, self._opens) + self._native[at]

    def of_holds(self, hold: Int64s) -> tuple[Int64s, Int64s]:
        """Return the steps that holds are in, and how much work of these is done before them."""
        place = np.searchsorted(self._continue, hold)
        goes_on = np.append(self._continue, -1)[place] == hold
        leader = np.where(goes_on, np.append(self._leader, -1)[place], hold)
        return self.main(leader), np.where(goes_on, np.append(self._base, 0)[place], 0)

    def arrays(self, released: Bools | None, blocked: Int64s) -> tuple[Int8s, Int16s, Int64s]:
        """Return kinds, GILs and amounts; those of events are not filled in."""
        recording = self._recording
        kind, gil = np.full(self.count, BLOCKED, np.int8), np.full(self.count, -1, np.int16)
        amount = np.zeros(self.count, np.int64)
        opens, goes_on = np.zeros(_AT_ONCE, bool), np.zeros(_AT_ONCE, bool)
        for low, high in _parts(len(recording)):
            some = slice(0, high - low)
            for flags, of in ((opens, self._opens), (goes_on, self._continue)):
                flags[:] = False
                flags[of[slice(*np.searchsorted(of, [low, high]).tolist())] - low] = True
            begin, native = self.begin[low:high], self._native[low:high]
            at = np.flatnonzero(native)
            step = begin[at] + opens[at]
            kind[step], amount[step] = NATIVE, recording.brief.native[low:high][at]
            work = recording.durations(low, high)
            recording.lost_in(low, high, work)
            at = np.flatnonzero((recording.state[low:high] == State.HOLDING) & ~goes_on[some])
            step = begin[at] + opens[at]
            free = False if released is None else released[low:high][at]
            kind[step] = np.where(free, NATIVE, PYTHON)
            gil[step] = np.where(free, -1, recording.brief.gil[low:high][at])
            amount[step] = work[at]
        amount[self.main(self._gaps)] = blocked
        amount[self.begin[self._late]] = recording.start[self._late] - recording.trace.begin
        np.add.at(amount, self.main(self._leader), recording.work_of(self._continue))
        return kind, gil, amount


def _index(most: int) -> type[np.int32 | np.int64]:
    return np.int32 if most <= np.iinfo(np.int32).max else np.int64


def _await(steps: _Steps, wakes: Wakes, kind: Int8s, amount: Int64s) -> None:
    at = np.where(wakes.begins, steps.begin[wakes.gap], steps.main(wakes.gap))
    kind[at] = AWAIT
    amount[at] = np.arange(len(at))


def _posts(
    recording: Recording, wakes: Wakes, steps: _Steps
) -> tuple[Int32s | Int64s, Int64s, Int64s, Int64s]:
    step, base = steps.of_holds(wakes.hold)
    at = base + recording.work_until(wakes.hold, wakes.time)
    order = np.lexsort((at, step))
    return firsts(step, steps.count), at[order], order, wakes.delay[order]


def _calls(recording: Recording, in_calls: Bools, steps: _Steps) -> tuple[Int32s | Int64s, Int64s, Int64s]:
    found: list[tuple[Int64s, Int64s, Int64s]] = []
    for hold, asked, answered in recording.answers:
        long = (answered - asked >= CALL) & ~in_calls[recording.thread_of(hold)]
        hold, asked, answered = hold[long], asked[long], answered[long]
        begin = np.maximum(2 * asked - answered, 0)
        of, base = steps.of_holds(hold)
        found.append((of, base + begin, base + answered))
    step, begin, end = (np.concatenate(each) for each in zip(*found, strict=True)) if found else (_NONE,) * 3
    order_ = np.lexsort((begin, step))
    return firsts(step, steps.count), begin[order_], end[order_]


_NONE: Final = np.zeros(0, np.int64)


def _essential(recording: Recording) -> Int64s:
    """Return which threads the program waits for.

    Main ones, those that were seen to exit, and those that let go of the GIL for good after a main one has.
    Others (daemons) may be in the middle of something when the program is over.
    """
    trace = recording.trace
    main = np.array([thread.main for thread in trace.threads], bool)
    last = recording.first[1:] - 1
    released = np.where(recording.state[last] == State.RELEASED, recording.start[last], NEVER)
    process = np.array([thread.process for thread in trace.threads], np.int64)
    over = np.full(len(trace.processes), NEVER)
    np.minimum.at(over, process[main], released[main])
    essential = main | recording.exited | ((released < NEVER) & (released > over[process]))
    return (essential if essential.any() else np.ones(len(main), bool)).astype(np.int64)


def _cpus(trace: Trace) -> int:
    said = [int(process.environment.get("cpus", 0) or 0) for process in trace.processes]
    if trace.scheduling is not None:
        said.append(len(trace.scheduling.cpus))
    return min((number for number in said if number > 0), default=0)


def _remarks(recording: Recording, pools: Pools) -> tuple[str, ...]:
    trace = recording.trace
    said = list(pools.remarks)
    if trace.scheduling is None:
        said.append(
            "The scheduler was not recorded: time without the GIL counts as blocked, though some of it may"
            " have been computing, and time in a hold as work, though it may have had no CPU."
        )
    elif trace.scheduling.lost:
        said.append("Records of the scheduler were lost: what is not known counts as work, or as blocked.")
    if recording.lost_to_others >= _WORTH_A_WORD:
        said.append(
            f"Other programs had the CPU for {share(recording.lost_to_others)} of the time in holds;"
            " the replay keeps that, as part of the work."
        )
    return tuple(said)
