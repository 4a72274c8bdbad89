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

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from ..arrays import Bools, Int8s, Int16s, Int32s, Int64s
from ..model import State
from ..tables.gil.requests import NEVER
from ..tables.trace import Trace
from ..units import share
from .kinds import AWAIT
from .parts import Stretches, firsts, without_gil_in
from .pools import Pools, make_pools
from .recorded.answers import CALL
from .recorded.compact import in_parts
from .recording import Recording
from .released import Portions
from .steps import Chain, Steps, find_chain
from .wakes import Wakes, find_wakes

_WORTH_A_WORD: Final = 0.02


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
    chain = find_chain(recording)
    dropped = np.zeros(count, bool)  # the gaps after forced drops: no part of the program
    dropped[chain.hold[chain.returns] + 1] = True
    pools = make_pools(recording, dropped, CALL)
    gaps, blocked = _blocked(recording, dropped)
    _without_switch_wait(recording, chain, pools, gaps, blocked)
    chain = replace(chain, next_taken=_NONE)  # one of the large ones, and not needed any more

    says = np.full(len(gaps), -1) if waits_for_threads is None else waits_for_threads[gaps]
    wakes = find_wakes(recording, gaps, says)
    steps = Steps(recording, chain, wakes, gaps, dropped, released)
    del dropped, chain
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
    for low, high in in_parts(len(recording)):
        blocked = recording.durations(low, high)
        recording.lost_in(low, high, blocked)
        blocked -= recording.brief.native(low, high)
        gap = recording.state[low:high] <= State.RELEASED  # or unknown
        at = np.flatnonzero(gap & ~dropped[low:high] & ~recording.last[low:high] & (blocked > 0))
        found.append((at + low, blocked[at]))
    gaps, blocked = (np.concatenate(each) for each in zip(*found, strict=True))
    return gaps, blocked


def _stretches(recording: Recording, steps: Steps, hold: Int64s, begin: Int64s, end: Int64s) -> Stretches:
    """Return stretches of holds, ns, as stretches of work in steps."""
    step, base = steps.of_holds(hold)
    since, until = (base + recording.work_until(hold, time) for time in (begin, end))
    return Stretches(step, since, until)


def _without_switch_wait(
    recording: Recording, chain: Chain, pools: Pools, gaps: Int64s, blocked: Int64s
) -> None:
    """Take from stretches after a requested release what the thread waited for another to take the GIL.

    The replay has it wait anew.
    """
    for low, high in in_parts(len(chain.hold)):
        hold, next_taken = chain.hold[low:high], chain.next_taken[low:high]
        some = np.flatnonzero((next_taken < NEVER) & (hold < len(recording) - 1))
        some = some[~recording.last[hold[some]]]
        hold, next_taken = hold[some], next_taken[some]
        place = np.searchsorted(gaps, hold + 1)
        there = np.flatnonzero(place < len(gaps))
        there = there[gaps[place[there]] == hold[there] + 1]
        waited = next_taken[there] - recording.end_of(hold[there]) + pools.typical_return
        blocked[place[there]] = np.maximum(blocked[place[there]] - waited, 1)


def _await(steps: Steps, wakes: Wakes, kind: Int8s, amount: Int64s) -> None:
    at = np.where(wakes.begins, steps.begin[wakes.gap], steps.main(wakes.gap))
    kind[at] = AWAIT
    amount[at] = np.arange(len(at))


def _posts(
    recording: Recording, wakes: Wakes, steps: Steps
) -> tuple[Int32s | Int64s, Int64s, Int64s, Int64s]:
    step, base = steps.of_holds(wakes.hold)
    at = base + recording.work_until(wakes.hold, wakes.time)
    order = np.lexsort((at, step))
    return firsts(step, steps.count), at[order], order, wakes.delay[order]


def _calls(recording: Recording, in_calls: Bools, steps: Steps) -> tuple[Int32s | Int64s, Int64s, Int64s]:
    found: list[tuple[Int64s, Int64s, Int64s]] = []
    for answers in recording.answers:
        hold, asked = answers.hold[answers.call].astype(np.int64), answers.asked
        answered = asked + answers.took[answers.call]
        long = ~in_calls[recording.thread_of(hold)]
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
