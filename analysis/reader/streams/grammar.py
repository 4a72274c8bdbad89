"""Which event can follow which in one thread: a thread that holds the GIL can't take it, and so on.

The kind of the last event tells a thread's state, so the grammar is a table of pairs, applied to a whole
stream at once: `bytes.translate` looks up every pair, `bytes.find` finds the first one that is wrong.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ...arrays import Bools, Bytes, UInt16s
from ..format import NO_GIL, Event

LOST: Final = 0
"""Not in any file: the reader puts it where events are missing. What the thread did is unknown."""

FORBIDDEN, SAME_GIL, OTHER_GIL = 1, 2, 3
_LAST, _FIRST_BOOKKEEPING = int(Event.GIL_ABANDONED), int(Event.THREAD_START)

_W, _T, _A, _R = Event.GIL_WAIT, Event.GIL_TIMEOUT, Event.GIL_ACQUIRED, Event.GIL_RELEASED
_D, _X = Event.GIL_DROP_REQUESTED, Event.GIL_ABANDONED
_UNSEEN = (LOST, Event.THREAD_START, Event.PROCESS_FORK, Event.RECORDING_START, Event.RECORDING_STOP)
_BOOKKEEPING = [
    Event.THREAD_START,
    Event.THREAD_EXIT,
    Event.PROCESS_FORK,
    Event.RECORDING_START,
    Event.RECORDING_STOP,
]

_AFTER: Final[dict[int, dict[int, int]]] = {
    _W: {_T: SAME_GIL, _A: SAME_GIL, _X: SAME_GIL},
    _T: {_T: SAME_GIL, _A: SAME_GIL, _X: SAME_GIL},
    # A subinterpreter's own GIL can be destroyed while it is held: no release, then another GIL.
    _A: {_R: SAME_GIL, _W: OTHER_GIL, _A: OTHER_GIL},
    _R: {_D: SAME_GIL, _W: 0, _A: 0},
    _D: {_W: 0, _A: 0},
    _X: {_W: 0, _A: 0},
    # Before its first event a thread may have been waiting or holding for long.
    **{first: {_W: 0, _T: 0, _A: 0, _R: 0, _X: 0} for first in _UNSEEN},
}


def _code(kind: Bytes) -> Bytes:
    """Return kinds as numbers of four bits: 0 to 6, and 7 to 11 for 16 to 20."""
    return kind - (kind >> 4) * np.uint8(9)


def _make_table() -> bytes:
    code = _code(np.arange(32, dtype=np.uint8)).tolist()
    table = np.full((16, 16), FORBIDDEN, np.uint8)
    for before, after in _AFTER.items():
        for kind, rule in after.items():
            table[code[before], code[kind]] = rule
    for kind in _BOOKKEEPING:
        table[:, code[kind]] = 0
    table[code[Event.THREAD_EXIT], :] = FORBIDDEN
    table[code[Event.THREAD_EXIT], code[Event.THREAD_START]] = 0
    table[:, LOST] = 0
    table[LOST, _D] = 0
    return table.tobytes()


TABLE: Final = _make_table()


def first_impossible(kind: Bytes, gil: UInt16s) -> int | None:
    """Return the position of the first event that can't follow the one before it, or None.

    Parameters
    ----------
    kind, gil : ndarray
        One stream's events; kinds are `Event` or LOST, a gil is a number or NO_GIL.
    """
    if len(kind) and kind[0] != Event.THREAD_START:
        return 0
    code = _code(kind)
    rules = ((code[:-1] << 4) | code[1:]).tobytes().translate(TABLE)
    wrong = [at for at in [rules.find(FORBIDDEN)] if at >= 0]
    if _only_gil_0(gil):
        wrong += [at for at in [rules.find(OTHER_GIL)] if at >= 0]
    else:
        rule = np.frombuffer(rules, np.uint8)
        differs = gil[1:] != gil[:-1]
        bad = ((rule == SAME_GIL) & differs) | ((rule == OTHER_GIL) & ~differs)
        wrong += [int(np.argmax(bad))] if bad.any() else []
    return min(wrong) + 1 if wrong else None


def unknown(kind: Bytes) -> Bools:
    """Return which kinds, up to the highest one, are none of ours: those between the two ranges, and 0."""
    none: Bools = (kind == LOST) | (kind - np.uint8(_LAST + 1) < _FIRST_BOOKKEEPING - _LAST - 1)
    return none


def first_misplaced_gil(kind: Bytes, gil: UInt16s) -> int | None:
    """Return the first event about a GIL that names none, or the other way round; None when there is none."""
    about_one = kind - np.uint8(1) < _LAST  # LOST becomes 255
    bad = (gil != NO_GIL) != about_one
    return int(np.argmax(bad)) if bad.any() else None


def gil_numbers(gil: UInt16s) -> tuple[int, ...]:
    """Return the GILs that events are about."""
    if _only_gil_0(gil):
        return (0,) if (gil == 0).any() else ()
    return tuple(np.flatnonzero(np.bincount(gil, minlength=NO_GIL + 1)[:NO_GIL]).tolist())


def _only_gil_0(gil: UInt16s) -> bool:
    """Return whether there is no other GIL, which is the usual case. NO_GIL + 1 is 0 in 16 bits."""
    return int((gil + np.uint16(1)).max(initial=0)) <= 1
