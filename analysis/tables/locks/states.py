"""States × waits for locks → LOCKED and STOPPED: what a thread without the GIL waited for.

A wait is one interval, as a wait for the GIL is: also while the thread goes to sleep, or has been woken up
and waits for a CPU.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ...arrays import Bools, Bytes, Int64s, Table, distinct
from ...states import WITHOUT, State
from ..cpu.states import States

_Number = TypeVar("_Number", bound=np.generic)
_WITHOUT = np.isin(np.arange(len(State)), WITHOUT)


def with_lock_waits(states: States, waits: Table) -> States:
    """Return states with the parts without the GIL of these waits, LOCK_WAIT, as LOCKED or STOPPED."""
    if not len(waits) or not len(states.start):
        return states
    touched = _touched(states, waits)
    some = States(
        states.start[touched],
        states.duration[touched],
        states.state[touched],
        states.cpu[touched],
        states.of[touched],
        np.searchsorted(touched, states.first),
    )
    changed, row = _changed(some, waits)
    if len(touched) == len(states.start):
        return changed
    # What no wait touches stays: the new rows take the place of the old ones.
    place = touched[row] - row

    def replaced(old: npt.NDArray[_Number], new: npt.NDArray[_Number]) -> npt.NDArray[_Number]:
        return np.insert(np.delete(old, touched), place, new)

    return States(
        replaced(states.start, changed.start),
        replaced(states.duration, changed.duration),
        replaced(states.state, changed.state),
        replaced(states.cpu, changed.cpu),
        replaced(states.of, changed.of),
        states.first + changed.first - some.first,
    )


def _touched(states: States, waits: Table) -> Int64s:
    """Return the rows, in order, that a wait is in, or that it begins or ends in."""
    since, until = waits["start"], waits["start"] + waits["duration"]
    low, high = np.zeros(len(waits), np.int64), np.zeros(len(waits), np.int64)
    bounds = np.searchsorted(waits["thread"], np.arange(len(states.first)))
    for thread in distinct(waits["thread"]).tolist():
        mine = slice(bounds[thread], bounds[thread + 1])
        begin, end = states.first[thread], states.first[thread + 1]
        start = states.start[begin:end]
        low[mine] = begin + np.maximum(np.searchsorted(start, since[mine], "left") - 1, 0)
        high[mine] = begin + np.searchsorted(start, until[mine], "right")
    low[1:] = np.maximum(low[1:], np.maximum.accumulate(high)[:-1])
    count = np.maximum(high - low, 0)
    rows: Int64s = np.repeat(low - (np.cumsum(count) - count), count) + np.arange(int(count.sum()))
    return rows


def _changed(states: States, waits: Table) -> tuple[States, Int64s]:
    """Return the states with the waits in them, and the row that each is the beginning of, or a part of."""
    if not len(states.start):
        return states, np.zeros(0, np.int64)
    base = int(min(states.start.min(), waits["start"].min()))
    ends = states.start + states.duration
    span = int(max(ends.max(), (waits["start"] + waits["duration"]).max())) - base + 1
    thread = np.repeat(np.arange(len(states.first) - 1), np.diff(states.first))

    def key(of: Int64s, time: Int64s) -> Int64s:
        keys: Int64s = of * span + (time - base)
        return keys

    begins = key(thread, states.start)
    since = key(waits["thread"].astype(np.int64), waits["start"])
    until = since + waits["duration"]
    cuts = distinct(np.concatenate([since, until]))
    part_of = np.searchsorted(begins, cuts, "right") - 1
    inside = (part_of >= 0) & (cuts < begins[part_of] + states.duration[part_of]) & (cuts > begins[part_of])
    inside &= _WITHOUT[states.state[part_of]]

    pieces = np.concatenate([begins, cuts[inside]])
    of = np.concatenate([np.arange(len(begins)), part_of[inside]])
    order = np.argsort(pieces, kind="stable")
    pieces, of = pieces[order], of[order]
    state, wait = _state_of(pieces, since, until, states.state[of], waits["stopped"])
    keep = _changes(state, wait, states.of[of])
    return _as_states(states, pieces, of, state, span, base, wait, keep), of[keep]


def _state_of(
    pieces: Int64s, since: Int64s, until: Int64s, state: Bytes, stopped: Bools
) -> tuple[Bytes, Int64s]:
    """Return the state of each piece, and the wait that it is in, -1: none."""
    wait: Int64s = np.searchsorted(since, pieces, "right") - 1
    within = (wait >= 0) & (pieces < until[wait]) & _WITHOUT[state]
    waited = np.where(stopped[wait], State.STOPPED, State.LOCKED)
    return np.where(within, waited, state).astype(np.uint8), np.where(within, wait, -1)


def _changes(state: Bytes, wait: Int64s, of: Int64s) -> Bools:
    """Return which pieces begin something: all but those in the wait that the one before is in."""
    keep = np.ones(len(state), bool)
    keep[1:] = (wait[1:] < 0) | (wait[1:] != wait[:-1]) | (of[1:] != of[:-1])
    return keep


def _as_states(
    states: States, pieces: Int64s, of: Int64s, state: Bytes, span: int, base: int, wait: Int64s, keep: Bools
) -> States:
    part_of, state, waited = of[keep], state[keep], wait[keep] >= 0
    last = np.append(np.flatnonzero(keep)[1:], len(pieces)) - 1
    thread = np.repeat(np.arange(len(states.first) - 1), np.diff(states.first))[of]
    start = pieces - thread * span + base
    end = states.start + states.duration
    until = np.append(np.where(of[1:] == of[:-1], start[1:], end[of[:-1]]), end[of[-1]])
    first = np.searchsorted(pieces[keep], np.arange(len(states.first)) * span)
    cpu = np.where(waited, np.int16(-1), states.cpu[part_of]).astype(np.int16)
    return States(start[keep], until[last] - start[keep], state, cpu, states.of[part_of], first)
