# cython: language_level=3, infer_types=True, annotation_typing=False, boundscheck=True, wraparound=False
"""What the machine counts with and writes down: numbers of 64 bits each.

Part of `machine`, and compiled like it.
"""

from __future__ import annotations

from array import array


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
