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

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from analysis.arrays import Bools, Int64s
from analysis.model import State
from analysis.tables.trace import Trace
from analysis.units import share
from analysis.whatif.kinds import AWAIT, BLOCKED, NATIVE, PYTHON
from analysis.whatif.parts import Stretches, firsts, without_gil_in
from analysis.whatif.pools import Pools
from analysis.whatif.program import Program
from analysis.whatif.released import Portions
from analysis.whatif.wakes import Wakes

from .pools import make_pools
from .recording import NEVER, Recording
from .wakes import find_wakes

RETURN_LIMIT: Final = 1_000_000
"""ns after another thread took the GIL within which the one that had to drop it asks again."""

BUSY_LIMIT: Final = 20_000_000
"""The same of one that dropped it right after the request: on a busy machine it waits for a CPU to ask."""

CALL: Final = 100_000
"""ns of work from which on an answer to a request was not the next check, but the end of a call."""


_WORTH_A_WORD: Final = 0.02


@dataclass(frozen=True)
class _Chain:
    """What follows a hold, for all intervals; what is said of others means nothing."""

    requested: Bools
    next_taken: Int64s
    """When the GIL was taken next; NEVER: it was not."""
    returns: Bools
    """Only a request ended it, and the thread asked again at once."""


def make_program(
    trace: Trace,
    released: Bools | None = None,
    waits_for_threads: Int64s | None = None,
    portions: Portions | None = None,
) -> Program:
    """Return the program that was recorded.

    Parameters
    ----------
    released : ndarray of bool, optional
        For each interval of `trace.intervals_by_column`, if it is a hold: whether its work is to be done
        without the GIL.
    waits_for_threads : ndarray of int64, optional
        For each interval without the GIL what the stacks say: see `wakes.find_wakes`.
    portions : Portions, optional
        Of holds: what else is to be done without the GIL.
    """
    recording = Recording(trace)
    count = len(recording.start)
    released = np.zeros(count, bool) if released is None else released
    chain = _chain(recording)
    holding = recording.state == State.HOLDING
    gap = (recording.state == State.RELEASED) | (recording.state == State.UNKNOWN)
    dropped = np.zeros(count, bool)  # the gaps after forced drops: no part of the program
    dropped[1:] = chain.returns[:-1]
    pools = make_pools(recording, chain.requested, dropped, CALL)
    native = np.where(gap & ~dropped, recording.native, 0)
    blocked = np.where(gap & ~dropped, recording.blocked, 0)
    _without_switch_wait(recording, chain, pools, blocked)
    blocked[gap & recording.last] = 0  # what a thread doesn't come back from is the end of its program

    gaps = np.flatnonzero(blocked > 0)
    says = np.full(len(gaps), -1) if waits_for_threads is None else waits_for_threads[gaps]
    wakes = find_wakes(recording, gaps, says)
    awaits = np.zeros(count, np.int64)
    awaits[wakes.gap[~wakes.begins]] = 1
    begun = np.zeros(count, bool)
    begun[wakes.gap[wakes.begins]] = True
    late = np.zeros(count, np.int64)  # threads that nobody of the recording started
    first = recording.intervals.first[:-1]
    late[first] = np.where(begun[first], 0, recording.start[first] - trace.begin)

    leads = holding & ~_continues(recording, chain, holding, released)
    steps = _Steps(recording, begun, late, leads, native, blocked)
    at = np.flatnonzero(holding)
    leading = np.flatnonzero(leads[at])
    leader = leading[np.cumsum(leads[at]) - 1]
    work = recording.work[at]
    before = np.cumsum(work) - work
    base, of_hold = np.zeros(count, np.int64), np.zeros(count, np.int64)
    base[at] = before - before[leader]
    of_hold[at] = steps.main[at[leader]]

    kind, gil, amount = steps.arrays(released, awaits)
    np.add.at(amount, of_hold[at], work)
    _await(recording, steps, wakes, kind, amount)
    posts = _posts(recording, wakes, of_hold, base, len(kind))
    calls = _calls(recording, pools.in_calls, of_hold, base, len(kind))
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
    mine = ~released[portions.interval]
    hold, since, until = portions.interval[mine], portions.begin[mine], portions.end[mine]
    taken = _stretches(recording, of_hold, base, hold, since, until)
    return without_gil_in(program, taken, _stretches(recording, of_hold, base, *recording.asleep))


def _stretches(
    recording: Recording, of_hold: Int64s, base: Int64s, hold: Int64s, begin: Int64s, end: Int64s
) -> Stretches:
    """Return stretches of holds, ns, as stretches of work in steps."""
    since, until = (base[hold] + recording.work_until(hold, time) for time in (begin, end))
    return Stretches(of_hold[hold], since, until)


def _chain(recording: Recording) -> _Chain:
    count = len(recording.start)
    requested, next_taken = np.zeros(count, bool), np.full(count, NEVER)
    for order in recording.orders:
        requested[order.at] = order.requested
        next_taken[order.at[:-1]] = order.acquired[1:]
    limit = np.full(count, RETURN_LIMIT)
    for hold, asked, answered in recording.answers:
        limit[hold[answered - asked < CALL]] = BUSY_LIMIT
    returns = np.zeros(count, bool)
    at = np.flatnonzero(requested[:-2] & ~recording.last[:-2] & ~recording.last[1:-1])
    back = np.where(next_taken[at] < NEVER, next_taken[at], 0) + limit[at]
    returns[at] = (
        (recording.state[at + 1] == State.RELEASED)
        & (recording.gil[at + 2] == recording.gil[at])
        & (recording.end[at + 1] <= back)
    )
    return _Chain(requested, next_taken, returns)


def _continues(recording: Recording, chain: _Chain, holding: Bools, released: Bools) -> Bools:
    """Return which holds go on with the work of the thread's hold before, of the same kind."""
    continues = np.zeros(len(holding), bool)
    at = np.flatnonzero(chain.returns)
    following = at + 2 + (recording.state[np.minimum(at + 2, len(holding) - 1)] == State.WAITING)
    fits = following < len(holding)
    at, following = at[fits], following[fits]
    fits = holding[following] & (recording.thread[at] == recording.thread[following])
    fits &= released[at] == released[following]
    continues[following[fits]] = True
    return continues


def _without_switch_wait(recording: Recording, chain: _Chain, pools: Pools, blocked: Int64s) -> None:
    """Take from stretches after a requested release what the thread waited for another to take the GIL.

    The replay has it wait anew.
    """
    at = np.flatnonzero(chain.requested[:-1] & (blocked[1:] > 0) & ~recording.last[:-1])
    at = at[chain.next_taken[at] < NEVER]
    waited = chain.next_taken[at] - recording.end[at] + pools.typical_return
    blocked[at + 1] = np.maximum(blocked[at + 1] - waited, 1)


class _Steps:
    """Which steps come from which interval: [begin | late] [native] [main]."""

    def __init__(
        self, recording: Recording, begun: Bools, late: Int64s, leads: Bools, native: Int64s, blocked: Int64s
    ) -> None:
        self._recording, self._late, self._native, self._blocked = recording, late, native, blocked
        self._leads = leads
        self._opens = begun | (late > 0)
        count = self._opens.astype(np.int64) + (native > 0) + (leads | (blocked > 0))
        before = np.zeros(len(count) + 1, np.int64)
        np.cumsum(count, out=before[1:])
        self.first = before[recording.intervals.first]
        self.begin = before[:-1]
        self._native_at = self.begin + self._opens
        self.main = self._native_at + (native > 0)
        self.count = int(before[-1])

    def arrays(self, released: Bools, awaits: Int64s) -> tuple[Int64s, Int64s, Int64s]:
        """Return kinds, GILs and amounts; those of holds and of events are not filled in."""
        kind, gil = np.full(self.count, BLOCKED), np.full(self.count, -1)
        amount = np.zeros(self.count, np.int64)
        at = np.flatnonzero(self._opens)
        amount[self.begin[at]] = self._late[at]
        at = np.flatnonzero(self._native > 0)
        kind[self._native_at[at]] = NATIVE
        amount[self._native_at[at]] = self._native[at]
        at = np.flatnonzero(self._blocked > 0)
        amount[self.main[at]] = self._blocked[at]
        at = np.flatnonzero(self._leads)
        kind[self.main[at]] = np.where(released[at], NATIVE, PYTHON)
        gil[self.main[at]] = np.where(released[at], -1, self._recording.gil[at])
        return kind, gil, amount


def _await(recording: Recording, steps: _Steps, wakes: Wakes, kind: Int64s, amount: Int64s) -> None:
    at = np.where(wakes.begins, steps.begin[wakes.gap], steps.main[wakes.gap])
    kind[at] = AWAIT
    amount[at] = np.arange(len(at))


def _posts(
    recording: Recording, wakes: Wakes, of_hold: Int64s, base: Int64s, steps: int
) -> tuple[Any, Int64s, Any, Int64s]:
    step = of_hold[wakes.hold]
    at = base[wakes.hold] + recording.work_until(wakes.hold, wakes.time)
    order = np.lexsort((at, step))
    return firsts(step, steps), at[order], order, wakes.delay[order]


def _calls(
    recording: Recording, in_calls: Bools, of_hold: Int64s, base: Int64s, steps: int
) -> tuple[Any, Any, Any]:
    found: list[tuple[Int64s, Int64s, Int64s]] = []
    for hold, asked, answered in recording.answers:
        long = (answered - asked >= CALL) & ~in_calls[recording.thread[hold]]
        hold, asked, answered = hold[long], asked[long], answered[long]
        begin = np.maximum(2 * asked - answered, 0)
        found.append((of_hold[hold], base[hold] + begin, base[hold] + answered))
    step, begin, end = (np.concatenate(each) for each in zip(*found, strict=True)) if found else (_NONE,) * 3
    order_ = np.lexsort((begin, step))
    return firsts(step, steps), begin[order_], end[order_]


_NONE: Final = np.zeros(0, np.int64)


def _essential(recording: Recording) -> Int64s:
    """Return which threads the program waits for.

    Main ones, those that were seen to exit, and those that let go of the GIL for good after a main one has.
    Others (daemons) may be in the middle of something when the program is over.
    """
    trace, intervals = recording.trace, recording.intervals
    main = np.array([thread.main for thread in trace.threads], bool)
    last = intervals.first[1:] - 1
    released = np.where(recording.state[last] == State.RELEASED, recording.start[last], NEVER)
    process = np.array([thread.process for thread in trace.threads], np.int64)
    over = np.full(len(trace.processes), NEVER)
    np.minimum.at(over, process[main], released[main])
    essential = main | trace.columns.exited | ((released < NEVER) & (released > over[process]))
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
