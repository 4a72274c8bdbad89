"""The functions that were run, by library: kept in `sched/symbols`, or looked up in the libraries.

A library that is another one by now says nothing of what ran. So the recorder writes down what it needs when
the program has ended; and where that was not done, only files are asked that are older than the recording.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from ...arrays import Int64s
from ..disk.metadata import Metadata
from ..format import (
    CTF_MAGIC,
    HEADER_SIZE,
    NAME_RECORD,
    PACKET_HEADER,
    PACKET_SIZE,
    STREAM_NAMES,
    Name,
)
from ..names import read_names
from ..problems import Problems
from .elf import functions_at

SYMBOLS_FILE: Final = "symbols"
_TEXT: Final = re.compile(r"([0-9a-f]{1,15}) ([0-9a-f]{1,15}) ([^\n]*)\n(.*)", re.DOTALL)
_LONGEST: Final = 4096


class Function(NamedTuple):
    """A function in a file: bytes `begin` to `end` of it."""

    path: str
    begin: int
    end: int
    symbol: str


class Symbols:
    """Where functions are, as far as it is known; `used` are those that were asked for."""

    def __init__(self, known: Iterable[Function], metadata: Metadata, *, look: bool) -> None:
        self.used: set[Function] = set()
        self._known: dict[str, list[Function]] = {}
        for function in known:
            self._known.setdefault(function.path, []).append(function)
        self._since = metadata.recording_start + metadata.utc_offset
        self._look = look and metadata.text("hostname") == os.uname().nodename

    def names(self, path: str, offsets: Int64s) -> list[str]:
        """Return the symbol at each offset in a file, ascending; "": there is none."""
        found = self._looked_up(path, offsets) if self._look else self._told(path, offsets)
        self.used.update(function for function in found if function is not None)
        return [function.symbol if function is not None else "" for function in found]

    def _told(self, path: str, offsets: Int64s) -> list[Function | None]:
        functions = sorted(self._known.get(path, ()), key=lambda function: function.begin)
        begins = np.array([function.begin for function in functions], np.int64)
        last = np.searchsorted(begins, offsets, "right") - 1
        return [
            functions[at] if at >= 0 and offset < functions[at].end else None
            for at, offset in zip(last.tolist(), offsets.tolist(), strict=True)
        ]

    def _looked_up(self, path: str, offsets: Int64s) -> list[Function | None]:
        try:
            there = path.startswith("/") and Path(path).stat().st_mtime_ns <= self._since
        except (OSError, ValueError):
            there = False
        if not there:
            return [None] * len(offsets)
        return [
            Function(path, *found) if found is not None else None
            for found in functions_at(Path(path), offsets)
        ]


def read_symbols(directory: Path, metadata: Metadata, problems: Problems) -> Symbols:
    """Read the symbols of a recording; where none were written down, they are looked up when asked for."""
    path = directory / SYMBOLS_FILE
    if not os.path.lexists(path):
        return Symbols((), metadata, look=True)
    names = read_names(path, pid=None, problems=problems)
    texts = (_TEXT.fullmatch(record.text) for record in names.records.of(Name.NATIVE_SYMBOL))
    known = (
        Function(text[4], int(text[1], 16), int(text[2], 16), text[3]) for text in texts if text is not None
    )
    return Symbols(known, metadata, look=False)


def write_symbols(directory: Path, functions: Iterable[Function], time: int) -> None:
    """Write them down, as a names stream; `time` is that of all its records, ns."""
    packets: list[bytes] = []
    content = b""
    for function in sorted(functions):
        text = f"{function.begin:x} {function.end:x} {function.symbol[:_LONGEST]}\n{function.path[:_LONGEST]}"
        raw = text.replace("\0", "").encode("utf-8", "replace")
        record = np.array([(time, Name.NATIVE_SYMBOL, 0, 1)], NAME_RECORD).tobytes() + raw + b"\0"
        if HEADER_SIZE + len(content) + len(record) > PACKET_SIZE:
            packets.append(_packet(content, time))
            content = b""
        content += record + b"\0" * (-len(record) % 8)
    packets.append(_packet(content, time))
    path = directory / SYMBOLS_FILE
    try:
        with open(path, "xb", opener=_private) as file:
            file.writelines(packets)
    except FileExistsError:
        raise
    except OSError:  # a part of it would be read as a wrong trace
        path.unlink(missing_ok=True)
        raise


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _packet(content: bytes, time: int) -> bytes:
    end = (
        content.rstrip(b"\0") + b"\0" if content else b""
    )  # content ends with the last text, not with padding
    header = np.zeros(1, PACKET_HEADER)
    header["magic"], header["stream_class"] = CTF_MAGIC, STREAM_NAMES
    header["timestamp_begin"] = header["timestamp_end"] = time
    header["content_size"], header["packet_size"] = 8 * (HEADER_SIZE + len(end)), 8 * PACKET_SIZE
    return (header.tobytes() + end).ljust(PACKET_SIZE, b"\0")
