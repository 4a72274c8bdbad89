"""The switch interval of a GIL, by what timed waits for it took."""

from __future__ import annotations

from typing import Final

from ...amounts import Amounts

_FEW: Final = 10
"""Timed waits that ran out, from which on they say what the interval is."""

_SHORTEST: Final = 10
"""Percentile of their lengths that is compared: of the shorter ones, that did not wait for a CPU as well."""

_SHORTER: Final = 0.8
_LONGER: Final = 1.9
"""In intervals: what they must be below, or above, to be of another one."""

_WAKING: Final = 200_000
"""ns: what it may take to wake up, whatever the interval is."""


def seen_interval(stated: int, lengths: Amounts) -> int:
    """Return a GIL's switch interval, ns: `stated`, unless timed waits were clearly of another.

    A timed wait that runs out takes the interval, and a little to wake up. With L the 10th percentile of
    their lengths, they were of another one if L < 0.8 x stated or L > 1.9 x stated + 0.2 ms. That is L then,
    cut to two digits: more is not known.

    Parameters
    ----------
    stated : int
        What the process began with, ns; 0: not said.
    lengths : Amounts
        Of the timed waits for this GIL that ran out, ns: see `Trace.timed_waits`.
    """
    if lengths.count < _FEW:
        return stated
    seen = int(lengths.percentile(_SHORTEST))
    if stated and _SHORTER * stated <= seen <= _LONGER * stated + _WAKING:
        return stated
    unit: int = 10 ** max(len(str(seen)) - 2, 0)
    return seen // unit * unit
