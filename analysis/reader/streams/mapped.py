"""Streams where they lie: looked through once, and read again by whoever wants their events.

A stream that is right is not copied. What is not, or has a gap, is for `streams`: it says what is wrong.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ...arrays import Bytes
from ...errors import TraceFormatError
from ...parallel import together
from ..disk.files import open_file, used_size
from ..format import EVENT_SIZE
from .scan import Scanned, decode, scan
from .side import NO_SIDE, Side
from .store import Store
from .streams import Life, Stream


class Elsewhere(Exception):
    """This stream is not to be read where it lies."""


@dataclass(frozen=True)
class Mapped:
    """A stream that lies in memory from its file; its first event has the number `first` among all."""

    data: Bytes
    scanned: Scanned
    first: int


def map_streams(paths: Sequence[Path], *, pid: int, first: int) -> Iterator[tuple[Stream, Mapped | None]]:
    """Look through the streams of a process, several at once; None: one has no events.

    Raises
    ------
    Elsewhere
        Something is wrong with one of them, or it has gaps.
    """
    mapped = [_mapped(path) for path in paths]
    events = sum(map(len, mapped)) // EVENT_SIZE
    found = together([partial(_looked_through, data, pid) for data in mapped], events=events)
    for path, data, scanned in zip(paths, mapped, found, strict=True):
        yield _told(path, data, scanned, first)
        first += scanned.events


def _looked_through(data: Bytes, pid: int) -> Scanned:
    scanned = scan(data, pid)
    _give_back(data)
    if scanned is None:
        raise Elsewhere
    return scanned


def _told(path: Path, data: Bytes, scanned: Scanned, first: int) -> tuple[Stream, Mapped | None]:
    if not scanned.events:
        return Stream(path, first, first, (), (), 0, 0, 0, False), None
    side = NO_SIDE
    if len(scanned.side):
        at, time, kind, arg = scanned.side.T
        side = Side(at + first, time.copy(), kind.astype(np.uint8), arg.astype(np.uint32))
    lives = tuple(
        Life(tid, since, None if exit < 0 else exit, first + at, first + last)
        for at, since, tid, last, exit, *_ in scanned.lives.tolist()
    )
    stream = Stream(
        path,
        first,
        first + scanned.events,
        lives,
        scanned.gils,
        0,
        scanned.begin,
        scanned.end,
        scanned.stopped,
        side,
    )
    return stream, Mapped(data, scanned, first)


def decoded(streams: Sequence[Mapped]) -> Store:
    """Return the events of all streams by column, in the places that their numbers give them."""
    store = Store(sum(stream.scanned.events for stream in streams))
    for stream in streams:
        columns = store.room(stream.scanned.events)
        decode(stream.data, stream.scanned.packets, stream.scanned.records, *columns)
        store.keep(*columns)
        _give_back(stream.data)
    return store


def _mapped(path: Path) -> Bytes:
    try:
        with open_file(path) as file:
            size = used_size(file.fileno())
            if not size:
                return np.zeros(0, np.uint8)
            return np.frombuffer(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ), np.uint8)
    except (TraceFormatError, OSError, ValueError):
        raise Elsewhere from None


def _give_back(data: Bytes) -> None:
    """Let go of the memory: it is there again when it is looked at."""
    lies_in = data.base.obj if isinstance(data.base, memoryview) else data.base  # as numpy has it
    if isinstance(lies_in, mmap.mmap):
        lies_in.madvise(mmap.MADV_DONTNEED)
