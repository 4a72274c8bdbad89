"""What took how long, of which the replay draws: the recorded latencies, in the order in which they came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ..arrays import Bools, Int64s, UInt32s
from ..measures.switch_interval import DEFAULT_INTERVAL
from ..model import State
from ..units import duration
from .kinds import EXCESS, FORCED, RETURN, VOLUNTARY
from .recorded.compact import narrow
from .recorded.order import LockOrder
from .recording import Recording

_NONE: Final = np.zeros(0, np.int64)

HANDOFF: Final = 30_000
"""ns of a handoff to a waiting thread, and of a timed wait's excess, where none was recorded."""
ANSWER: Final = 2_000
"""ns of work in which a request is answered, where none was recorded."""


@dataclass(frozen=True)
class Pools:
    """Pool i (`kinds`) has value[first[i]] to value[first[i + 1]]: ns, at least one of them."""

    first: Int64s
    value: Int64s
    interval: Int64s
    """The switch interval of each GIL."""
    typical_return: int
    in_calls: Bools
    """For each thread: it answers most requests at the end of a C call, so it always is in one."""
    remarks: tuple[str, ...]


def make_pools(recording: Recording, dropped: Bools, call: int) -> Pools:
    """Return the pools of a recording.

    Parameters
    ----------
    dropped : ndarray of bool
        For each interval: the stretch from a drop that was asked for to asking for the GIL again.
    call : int
        ns of work from which on an answer is the end of a C call: drawn only for threads that mostly do that.
    """
    pools: list[UInt32s | Int64s] = []
    intervals, remarks = [], []
    answered: list[UInt32s | Int64s] = [_NONE] * len(recording.trace.threads)
    in_calls = np.zeros(len(answered), bool)
    typical = _NONE
    for order, answers in zip(recording.orders, recording.answers, strict=True):
        began, ended = recording.timed_waits(order.gil)
        said = recording.trace.processes[order.gil.process].switch_interval or DEFAULT_INTERVAL
        interval = recording.trace.switch_intervals[order.gil.index] or DEFAULT_INTERVAL
        if interval != said:
            remarks.append(f"The program set a switch interval of {duration(interval)} itself.")
        intervals.append(interval)
        forced, voluntary = _handoffs(recording, order)
        back = _returns(recording, order, dropped)
        typical = np.concatenate([typical, back])
        pools += [_or(forced, voluntary, HANDOFF), _or(voluntary, forced, HANDOFF)]
        pools += [_or(np.maximum(ended - began - interval, 0), None, HANDOFF), _or(back, None, HANDOFF)]
        took, thread = answers.took, recording.thread_of(answers.hold)
        for each in np.flatnonzero(np.bincount(thread)).tolist():
            mine = took[thread == each]
            in_calls[each] |= bool(np.median(mine) >= call)
            mine = mine if in_calls[each] else mine[mine < call]
            answered[each] = np.concatenate([answered[each], mine]) if len(answered[each]) else mine
        del began, ended, forced, voluntary, back, took, thread  # large: what is kept of them is in the pools
    everyone = np.concatenate([*answered, _NONE]) if not all(map(len, answered)) else _NONE
    usual = np.array([np.median(everyone)], np.int64) if len(everyone) else None
    pools += [_or(mine, usual, ANSWER) for mine in answered]
    back_after = int(np.median(typical)) if len(typical) else HANDOFF
    del answered, everyone, typical
    assert (FORCED, VOLUNTARY, EXCESS, RETURN) == (0, 1, 2, 3)
    first = np.zeros(len(pools) + 1, np.int64)
    np.cumsum([len(pool) for pool in pools], out=first[1:])
    value = np.empty(int(first[-1]), np.int64)
    for begin in first[-2::-1].tolist():
        pool = pools.pop()
        value[begin : begin + len(pool)] = pool
    return Pools(first, value, np.array(intervals, np.int64), back_after, in_calls, tuple(remarks))


def _or(pool: UInt32s | Int64s, instead: Int64s | None, default: int) -> UInt32s | Int64s:
    if len(pool):
        return narrow(pool)
    return instead if instead is not None and len(instead) else np.array([default], np.int64)


def _handoffs(recording: Recording, order: LockOrder) -> tuple[Int64s, Int64s]:
    """Return release → take by a thread that waited at the release: of requested releases, and of others."""
    taker = np.flatnonzero(recording.state[np.maximum(order.at[1:] - 1, 0)] == State.WAITING) + 1
    hold, giver = order.at[taker], order.at[taker - 1]
    before = np.maximum(hold - 1, 0)
    thread, released = recording.thread_of(hold), recording.end_of(giver)
    waited = (recording.thread_of(before) == thread) & (recording.start[before] <= released)
    waited &= thread != recording.thread_of(giver)
    latency, requested = order.acquired[taker] - released, order.requested[taker - 1]
    return latency[waited & requested], latency[waited & ~requested]


def _returns(recording: Recording, order: LockOrder, dropped: Bools) -> Int64s:
    """Return take by the next thread → the one that dropped the GIL asks again."""
    after = np.minimum(order.at[:-1] + 1, len(dropped) - 1)
    which = np.flatnonzero(dropped[after])
    does = recording.thread_of(order.at[which + 1]) != recording.thread_of(order.at[which])
    which = which[does]
    back: Int64s = np.maximum(recording.end_of(after[which]) - order.acquired[which + 1], 0)
    return back
