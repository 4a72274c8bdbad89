"""States × waits for locks → LOCKED and STOPPED: what a thread without the GIL waited for.

A wait is one interval, as a wait for the GIL is: also while the thread goes to sleep, or has been woken up
and waits for a CPU.
"""

from __future__ import annotations

import numpy as np

from ..arrays import Bools, Bytes, Int64s, Table, distinct
from ..states import WITHOUT, State
from .cpu_states import States

_WITHOUT = np.isin(np.arange(len(State)), WITHOUT)


def with_lock_waits(states: States, waits: Table) -> States:
    """Return states with the parts without the GIL of these waits, LOCK_WAIT, as LOCKED or STOPPED."""
    if not len(waits) or not len(states.start):
        return states
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
    return _as_states(states, pieces[keep], of[keep], state[keep], span, base, wait[keep] >= 0)


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
    states: States, pieces: Int64s, of: Int64s, state: Bytes, span: int, base: int, waited: Bools
) -> States:
    first = np.searchsorted(pieces, np.arange(len(states.first)) * span)
    thread = np.repeat(np.arange(len(first) - 1), np.diff(first))
    start = pieces - thread * span + base
    duration = np.diff(start, append=0)
    some = np.flatnonzero(np.diff(first))
    last = first[some + 1] - 1
    of_last = states.first[some + 1] - 1
    duration[last] = states.start[of_last] + states.duration[of_last] - start[last]
    cpu = np.where(waited, np.int16(-1), states.cpu[of]).astype(np.int16)
    return States(start, duration, state, cpu, states.of[of], first)
