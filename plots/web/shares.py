"""How long each lane was in each state in each bin of a grid of its own: exact sums, in ns.

A picture of any span that is much wider than its bins is made from these alone, however many intervals there
are: what a column shows is a difference of two sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from analysis.model import State

from ..timeline.coverage import Intervals, coverage
from .encoding import varints
from .lanes import SMALL

if TYPE_CHECKING:
    from analysis.tables.trace import Trace

_A_BIN: Final = 32
"""Intervals a bin: a picture of intervals, where bins are too wide for shares, has then few enough."""

_MOST: Final = 320_000
"""Bins in all: some 2 MB."""


@dataclass(frozen=True)
class Shares:
    """The bins of one lane: `bins` of `width` ns from the lane's begin on; 0: it has none.

    `states` are those whose times are written, one after the other; `derived` fills what they leave.
    """

    bins: int
    width: int
    states: tuple[int, ...]
    derived: int


def encode_shares(trace: Trace) -> tuple[list[Shares], bytes]:
    """Return the grid of each lane, and the numbers of all of them as varints."""
    states = trace.states_by_column
    counts = np.diff(states.first)
    large = counts > SMALL
    thinner = max(1.0, float(counts[large].sum()) / _A_BIN / _MOST)
    lanes, parts = [], []
    for thread in trace.threads:
        first, last = int(states.first[thread.index]), int(states.first[thread.index + 1])
        if not large[thread.index]:
            lanes.append(Shares(0, 0, (), 0))
            continue
        rows = Intervals(states.start[first:last], states.duration[first:last], states.state[first:last])
        wanted = max(1, int((last - first) / _A_BIN / thinner))
        width = max(1, -(-(thread.end - thread.begin) // wanted))
        bins = max(1, -(-(thread.end - thread.begin) // width))
        edges = thread.begin + width * np.arange(bins + 1, dtype=np.int64)
        edges[-1] = thread.end
        there = [State(int(state)) for state in np.unique(rows.state)]
        times = coverage(rows, edges, there)
        most = int(times.sum(axis=1).argmax())
        written = [at for at in range(len(there)) if at != most]
        parts += [varints(times[at]) for at in written]
        lanes.append(Shares(bins, width, tuple(int(there[at]) for at in written), int(there[most])))
    return lanes, b"".join(parts)
