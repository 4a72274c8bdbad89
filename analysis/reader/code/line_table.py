"""Line tables of code objects: which line each instruction is of.

The format is CPython's since 3.11 (Objects/locations.md, later InternalDocs/code_objects.md): a row of
entries, each of a byte 0x80 | kind << 3 | (code units - 1), then what the kind asks for.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_UNIT: Final = 2
"""Bytes of a code unit, which lengths are counted in."""

_LAST_LINE: Final = (1 << 31) - 1
"""Of a file that CPython reads."""

_ONE_LINE, _NO_COLUMNS, _LONG, _NO_LOCATION = 10, 13, 14, 15
_REMEMBERED: Final = 1024
"""Tables: of some megabytes."""

_COLUMN_BYTES = (1,) * 10 + (2,) * 3 + (0,) * 3


@dataclass(frozen=True)
class LineTable:
    """A decoded table: from offset `offsets[i]` on, in bytes, the line is `lines[i]` (0: none)."""

    offsets: tuple[int, ...]
    lines: tuple[int, ...]

    def line(self, offset: int) -> int:
        """Return the line of the instruction at an offset; 0: it has none, or is beyond the table."""
        at = bisect_right(self.offsets, offset) - 1
        return self.lines[at] if at >= 0 else 0


@lru_cache(_REMEMBERED)  # who looks at a recording that goes on meets the same code again and again
def decode(table: bytes, first_line: int) -> LineTable:
    """Decode a `co_linetable`; what is cut off, or no table at all, gives no lines from there on."""
    offsets: list[int] = []
    lines: list[int] = []
    line, offset = first_line, 0
    position = 0
    while position < len(table):
        head = table[position]
        position += 1
        if not head & 0x80:
            break
        kind, length = head >> 3 & 15, (head & 7) + 1
        if kind in (_LONG, _NO_COLUMNS):
            delta, position = _signed(table, position)
            line += delta
            for _ in range(3 if kind == _LONG else 0):
                _, position = _number(table, position)
        elif _ONE_LINE <= kind < _NO_COLUMNS:
            line += kind - _ONE_LINE
        position += _COLUMN_BYTES[kind]
        if position > len(table):
            break
        found = line if kind != _NO_LOCATION and 0 <= line <= _LAST_LINE else 0
        if not lines or lines[-1] != found:
            offsets.append(offset)
            lines.append(found)
        offset += length * _UNIT
    offsets.append(offset)
    lines.append(0)
    return LineTable(tuple(offsets), tuple(lines))


def _number(table: bytes, position: int) -> tuple[int, int]:
    """Return a number of six bits a byte, least first, and where it ends; beyond the table if it is cut."""
    value, shift = 0, 0
    while position < len(table):
        byte = table[position]
        position += 1
        value |= (byte & 63) << shift
        shift += 6
        if not byte & 64:
            return value, position
    return 0, len(table) + 1


def _signed(table: bytes, position: int) -> tuple[int, int]:
    value, position = _number(table, position)
    return (-(value >> 1) if value & 1 else value >> 1), position
