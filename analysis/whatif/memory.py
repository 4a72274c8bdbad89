# cython: language_level=3, infer_types=True, annotation_typing=False, boundscheck=True, wraparound=False
"""The memory of a replay: what the machine writes down, and that what is let go of goes back to the system.

Compiled like `machine`.
"""

from __future__ import annotations

import ctypes
from array import array
from contextlib import suppress

_MMAP_THRESHOLD = -3  # malloc.h: M_MMAP_THRESHOLD
_TRIM_THRESHOLD = -1  # malloc.h: M_TRIM_THRESHOLD
_LARGE = 32 << 20
_AT_THE_END = 64 << 20


def give_back_large() -> None:
    """Have the C library give very large pieces of memory back when they are freed, from now on here.

    Smaller ones it is to keep from the start, also at the end of its heap, for later ones: of what is worked
    out in parts the next part uses the memory of the one before, and each page that is new is a fault. Where
    the library can't be told, nothing changes.
    """
    with suppress(AttributeError, OSError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_TRIM_THRESHOLD, _AT_THE_END)


def numbers(count: int, value: int = 0) -> array[int]:
    """Return an array of 64 bits each."""
    return array("q", [value]) * count


class Rows:
    """Rows of four numbers of 64 bits, as many as come."""

    def __init__(self) -> None:
        self.flat = numbers(0)
        self.room = self.flat
        self.used = self.size = 0

    def add(self, one: int, two: int, three: int, four: int) -> None:
        """Write one down."""
        at = self.used
        if at == self.size:
            self._grow()
        self.room[at] = one
        self.room[at + 1] = two
        self.room[at + 2] = three
        self.room[at + 3] = four
        self.used = at + 4

    def _grow(self) -> None:
        more = 4 * (64 + self.size // 64)
        self.room = numbers(0)  # an array that is looked into can't grow
        self.flat.extend(numbers(more))
        self.size += more
        self.room = self.flat

    def told(self) -> array[int]:
        """Return the numbers of all rows, one after the other; it is over then."""
        self.room = numbers(0)
        del self.flat[self.used :]
        self.size = self.used
        return self.flat
