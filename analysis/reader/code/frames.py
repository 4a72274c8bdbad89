"""Python frames: the code that a thread was in when it let go of the GIL, or got it after a wait.

The names stream has each code object once, with its line table, and each frame once: an instruction of a
code object, called from another frame. So a stack is one number, its innermost frame's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...arrays import Int32s, Int64s, Table, UInt32s
from ...dtypes import FRAME
from ...errors import TraceFormatError
from ...model import Code
from ..format import Name
from ..names import Names
from ..problems import Problems
from ..records import NameRecord
from .line_table import LineTable, decode

_FRAME = re.compile(r"([0-9]{1,10}) ([0-9]{1,10}) ([0-9]{1,10})")
_GAPS = 1 << 16
"""How far numbers of frames may be ahead of their count: some may have been lost, but not most."""

_REMEMBERED = 32
"""Processes whose frames are remembered."""

_KINDS = (Name.CODE, Name.CODE_LINES, Name.FRAME)
_CODE = re.compile(r"([0-9]{1,10})\n([^\n]*)\n(.*)", re.DOTALL)


@dataclass
class ProcessFrames:
    """The frames of one process, as its names tell them.

    Attributes
    ----------
    codes : list of (name, file, first line)
    rows : list of (caller, code, line)
        Indices into `rows` (-1: nobody) and `codes`.
    frames : dict of int
        Numbers in the trace → indices into `rows`.
    """

    codes: list[tuple[str, str, int]] = field(default_factory=list)
    rows: list[tuple[int, int, int]] = field(default_factory=list)
    frames: dict[int, int] = field(default_factory=dict)


class _Wrong(Exception):
    def __init__(self, found: str, expected: str) -> None:
        super().__init__(found)
        self.found = found
        self.expected = expected


def read_frames(names: Names, problems: Problems, *, again: bool = False) -> ProcessFrames:
    """Return the frames of a process.

    Parameters
    ----------
    again : bool
        They are read again and again while they grow: what was read is remembered.

    Raises
    ------
    TraceFormatError
        A record refers to one that is not there, or is none; not when salvaging.
    """
    records = names.records
    which = records.which(*_KINDS)
    said = np.stack([records.time[which], records.ref[which].astype(np.int64)])
    reader, read = _readers.pop(names.path, (_Reader(), said[:, :0]))
    # The same ones come first: a flight recorder gives none of them up.
    if not again or not np.array_equal(read, said[:, : read.shape[1]]):
        reader, read = _Reader(), said[:, :0]
    for record in records.at(which[read.shape[1] :]):
        try:
            reader.read(record)
        except _Wrong as wrong:
            error = TraceFormatError(names.path, wrong.found, wrong.expected)
            problems.report(error, "the Python frames from there on")
            return reader.found
    if again:
        _readers[names.path] = reader, said
        while len(_readers) > _REMEMBERED:
            _readers.pop(next(iter(_readers)), None)
    return reader.found


class _Reader:
    def __init__(self) -> None:
        self.found = ProcessFrames()
        self._codes: dict[int, int] = {}
        self._pieces: dict[int, list[str]] = {}
        self._tables: dict[int, LineTable] = {}

    def read(self, record: NameRecord) -> None:
        if record.kind == Name.CODE:
            self._code(record)
        elif record.kind == Name.CODE_LINES:
            self._lines(record)
        elif record.kind == Name.FRAME:
            self._frame(record)

    def _code(self, record: NameRecord) -> None:
        said = _CODE.fullmatch(record.text)
        if said is None:
            raise _Wrong(f"code {record.ref} as {record.text!r}", "a line, a name and a file")
        if record.ref in self._codes:
            raise _Wrong(f"code {record.ref} twice", "each once")
        self._codes[record.ref] = len(self.found.codes)
        self.found.codes.append((said[2], said[3], int(said[1])))

    def _lines(self, record: NameRecord) -> None:
        if record.ref not in self._codes:
            raise _Wrong(f"lines of code {record.ref}", "those of one that came before")
        self._pieces.setdefault(record.ref, []).append(record.text)

    def _frame(self, record: NameRecord) -> None:
        said = _FRAME.fullmatch(record.text)
        if said is None:
            raise _Wrong(f"frame {record.ref} as {record.text!r}", "a caller, a code and an offset")
        caller, code, offset = map(int, said.groups())
        if code not in self._codes or (caller and caller not in self.found.frames):
            raise _Wrong(f"frame {record.ref} of {record.text!r}", "a caller and a code that came before")
        if record.ref in self.found.frames:
            raise _Wrong(f"frame {record.ref} twice", "each once")
        if record.ref > _GAPS + 2 * len(self.found.rows):
            raise _Wrong(f"frame {record.ref} after {len(self.found.rows)} others", "the next number")
        of_caller = self.found.frames[caller] if caller else -1
        row = (of_caller, self._codes[code], self._line(code, offset))  # or it is none
        self.found.frames[record.ref] = len(self.found.rows)
        self.found.rows.append(row)

    def _line(self, code: int, offset: int) -> int:
        if code not in self._tables:
            try:
                table = bytes.fromhex("".join(self._pieces.pop(code, [])))
            except ValueError:
                raise _Wrong(f"lines of code {code}", "hexadecimal digits") from None
            self._tables[code] = decode(table, self.found.codes[self._codes[code]][2])
        return self._tables[code].line(offset)


_readers: dict[Path, tuple[_Reader, Int64s]] = {}
"""Of names that grow, and the times and numbers of the records that each has read."""


@dataclass(frozen=True)
class Frames:
    """The frames of a whole trace.

    Attributes
    ----------
    codes : tuple of Code
    table : FRAME table
    index : tuple of ndarray of int32
        For each process: number in its events → index in `table`, -1: there is none.
    """

    codes: tuple[Code, ...]
    table: Table
    index: tuple[Int32s, ...]

    def of(self, process: int, number: UInt32s) -> Int32s:
        """Return the frames that events of a process name; -1 where they name none."""
        index = self.index[process]
        known = number < len(index)
        return np.where(known, index[np.where(known, number, 0)], np.int32(-1)).astype(np.int32)


def join_frames(processes: Sequence[ProcessFrames]) -> Frames:
    """Number the codes and frames of processes through."""
    codes: list[Code] = []
    rows: list[tuple[int, int, int]] = []
    indices: list[Int32s] = []
    for process, found in enumerate(processes):
        base, code_base = len(rows), len(codes)
        codes += [
            Code(code_base + at, process, name, file, line)
            for at, (name, file, line) in enumerate(found.codes)
        ]
        rows += [
            (caller + base if caller >= 0 else -1, code + code_base, line)
            for caller, code, line in found.rows
        ]
        index = np.full(max(found.frames, default=0) + 1, -1, np.int32)
        index[list(found.frames)] = [base + at for at in found.frames.values()]
        indices.append(index)
    return Frames(tuple(codes), np.array(rows, FRAME), tuple(indices))
