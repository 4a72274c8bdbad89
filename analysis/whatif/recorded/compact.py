"""Millions of numbers, sparingly: in as few bits as they need, and some of them at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from ...arrays import Int64s, UInt32s

AT_ONCE: Final = 1 << 17


def narrow(values: UInt32s | Int64s) -> UInt32s | Int64s:
    """Return the same numbers in 32 bits each, if they have room there."""
    fits = not len(values) or (values.min() >= 0 and values.max() <= np.iinfo(np.uint32).max)
    return values.astype(np.uint32) if fits else values


def in_parts(count: int) -> Iterator[tuple[int, int]]:
    """Yield from where to where to go at once: what is made of so many stays small."""
    for low in range(0, count, AT_ONCE):
        yield low, min(low + AT_ONCE, count)
