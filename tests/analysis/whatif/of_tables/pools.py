"""What took how long, of which the replay draws: the recorded latencies, in the order in which they came."""

from __future__ import annotations

from typing import Final

import numpy as np

from analysis.arrays import Bools, Int64s
from analysis.measures.switch_interval import DEFAULT_INTERVAL
from analysis.model import State
from analysis.units import duration
from analysis.whatif.kinds import EXCESS, FORCED, RETURN, VOLUNTARY
from analysis.whatif.pools import Pools

from .recording import LockOrder, Recording

HANDOFF: Final = 30_000
"""ns of a handoff to a waiting thread, and of a timed wait's excess, where none was recorded."""
ANSWER: Final = 2_000
"""ns of work in which a request is answered, where none was recorded."""


def make_pools(recording: Recording, requested: Bools, dropped: Bools, call: int) -> Pools:
    """Return the pools of a recording.

    Parameters
    ----------
    requested : ndarray of bool
        For each interval: a hold that ended as it was asked for.
    dropped : ndarray of bool
        For each interval: the stretch from a drop that was asked for to asking for the GIL again.
    call : int
        ns of work from which on an answer is the end of a C call: drawn only for threads that mostly do that.
    """
    pools: list[Int64s] = []
    intervals, remarks = [], []
    answered: list[Int64s] = [np.zeros(0, np.int64)] * len(recording.trace.threads)
    in_calls = np.zeros(len(answered), bool)
    typical = np.zeros(0, np.int64)
    for order, (hold, asked, total) in zip(recording.orders, recording.answers, strict=True):
        began, ended = recording.trace.timed_waits(order.gil)
        said = recording.trace.processes[order.gil.process].switch_interval or DEFAULT_INTERVAL
        interval = recording.trace.switch_intervals[order.gil.index] or DEFAULT_INTERVAL
        if interval != said:
            remarks.append(f"The program set a switch interval of {duration(interval)} itself.")
        intervals.append(interval)
        forced, voluntary = _handoffs(recording, order)
        both = np.concatenate([forced, voluntary])
        back = _returns(recording, order, dropped)
        typical = np.concatenate([typical, back])
        pools += [_or(forced, both, HANDOFF), _or(voluntary, both, HANDOFF)]
        pools += [_or(np.maximum(ended - began - interval, 0), None, HANDOFF), _or(back, None, HANDOFF)]
        took, thread = total - asked, recording.thread[hold]
        for each in np.unique(thread).tolist():
            mine = took[thread == each]
            in_calls[each] |= bool(np.median(mine) >= call)
            answered[each] = np.concatenate([answered[each], mine if in_calls[each] else mine[mine < call]])
    everyone = np.concatenate([*answered, np.zeros(0, np.int64)])
    usual = np.array([np.median(everyone)], np.int64) if len(everyone) else None
    pools += [_or(mine, usual, ANSWER) for mine in answered]
    assert (FORCED, VOLUNTARY, EXCESS, RETURN) == (0, 1, 2, 3)
    first = np.zeros(len(pools) + 1, np.int64)
    np.cumsum([len(pool) for pool in pools], out=first[1:])
    value = np.concatenate(pools) if pools else np.zeros(0, np.int64)
    back_after = int(np.median(typical)) if len(typical) else HANDOFF
    return Pools(first, value, np.array(intervals, np.int64), back_after, in_calls, tuple(remarks))


def _or(pool: Int64s, instead: Int64s | None, default: int) -> Int64s:
    if len(pool):
        return pool
    return instead if instead is not None and len(instead) else np.array([default], np.int64)


def _handoffs(recording: Recording, order: LockOrder) -> tuple[Int64s, Int64s]:
    """Return release → take by a thread that waited at the release: of requested releases, and of others."""
    taker = order.at[1:]
    before = np.maximum(taker - 1, 0)
    waited = (recording.state[before] == State.WAITING) & (recording.thread[before] == order.thread[1:])
    waited &= (recording.start[before] <= order.released[:-1]) & (order.thread[1:] != order.thread[:-1])
    latency = order.acquired[1:] - order.released[:-1]
    requested = order.requested[:-1]
    return latency[waited & requested], latency[waited & ~requested]


def _returns(recording: Recording, order: LockOrder, dropped: Bools) -> Int64s:
    """Return take by the next thread → the one that dropped the GIL asks again."""
    after = np.minimum(order.at[:-1] + 1, len(dropped) - 1)
    does = dropped[after] & (order.thread[1:] != order.thread[:-1])
    back: Int64s = np.maximum(recording.end[after] - order.acquired[1:], 0)[does]
    return back
