"""How threads spent their lives: shares of their time in each state, for a value that is kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from analysis.states import HELD, STATES, State

if TYPE_CHECKING:
    from analysis.tables.trace import Trace


def shares(trace: Trace, threads: Iterable[int]) -> dict[str, float]:
    """Return the share of the lives of some threads, together, in each state: by its word in `STATES`."""
    rows = trace.intervals
    rows = rows[np.isin(rows["thread"], list(threads))]
    time = np.bincount(rows["state"], weights=rows["duration"], minlength=len(State))
    return {kind.word: float(time[kind.state] / max(time.sum(), 1)) for kind in STATES.values()}


def held(of: dict[str, float]) -> float:
    """Return the share in which they had the GIL."""
    return sum(of.get(STATES[state].word, 0.0) for state in HELD)


def holder(trace: Trace, start: int, end: int) -> dict[int, float]:
    """Return who held the GIL between two times: shares by thread."""
    rows = trace.gil_intervals
    rows = rows[rows["state"] == State.HOLDING]
    time = np.minimum(rows["start"] + rows["duration"], end) - np.maximum(rows["start"], start)
    total = np.bincount(rows["thread"], weights=np.maximum(time, 0), minlength=len(trace.threads))
    return {int(thread): float(total[thread] / (end - start)) for thread in np.flatnonzero(total)}
