"""The switch interval of a GIL, by what timed waits for it took."""

from __future__ import annotations

from typing import Final

import numpy as np

from ..arrays import Int64s

_FEW: Final = 10
"""Timed waits that ran out, from which on they say what the interval is."""

_SHORTEST: Final = 10
"""Percentile of their lengths that is compared: of the shorter ones, that did not wait for a CPU as well."""

_SHORTER: Final = 0.8
_LONGER: Final = 1.9
"""In intervals: what they must be below, or above, to be of another one."""

_WAKING: Final = 200_000
"""ns: what it may take to wake up, whatever the interval is."""


def seen_interval(stated: int, began: Int64s, ended: Int64s) -> int:
    """Return a GIL's switch interval, ns: `stated`, unless timed waits were clearly of another.

    A timed wait that runs out takes the interval, and a little to wake up. With L the 10th percentile of
    their lengths, they were of another one if L < 0.8 x stated or L > 1.9 x stated + 0.2 ms. That is L then,
    cut to two digits: more is not known.

    Parameters
    ----------
    stated : int
        What the process began with, ns; 0: not said.
    began, ended : ndarray of int64
        The timed waits for this GIL that ran out: see `Trace.timed_waits`.
    """
    if len(ended) < _FEW:
        return stated
    seen = _percentile(np.sort(ended - began), _SHORTEST)
    if stated and _SHORTER * stated <= seen <= _LONGER * stated + _WAKING:
        return stated
    unit: int = 10 ** max(len(str(seen)) - 2, 0)
    return seen // unit * unit


def _percentile(lengths: Int64s, percent: int) -> int:
    """Return a percentile of sorted lengths, ns, linear between two of them: see `arrays.distinct`."""
    place = (len(lengths) - 1) * (percent / 100)
    below = int(place)
    low, high, part = int(lengths[below]), int(lengths[below + 1]), place - below
    return int(low + (high - low) * part if part < 0.5 else high - (high - low) * (1 - part))
