"""A gil stream's events by column, checked: what could not have happened is an error, not a strange figure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import TraceFormatError
from .format import (
    EVENT_RECORD,
    EVENT_SIZE,
    EVENTS_PER_PACKET,
    HEADER_SIZE,
    NO_GIL,
    PACKET_SIZE,
    STREAM_GIL,
    Event,
)
from .grammar import continues, first_impossible
from .packets import Packets, read_packets
from .problems import Problems

_UNCOMMITTED = 4
"""Events that a killed writer may have stored behind content_size without having committed them."""


@dataclass(frozen=True)
class Stream:
    """The events of one gil stream, in the order of the file.

    Attributes
    ----------
    time, kind, gil, arg : ndarray of int64, uint8, uint16, uint32
        One element an event; kinds are `format.Event`.
    starts : ndarray of int64
        Positions of the thread_start events: each one begins a thread.
    discarded : int
        Events that the recorder lost.
    cut : bool
        The rest of the file was skipped (salvage).
    """

    path: Path
    time: npt.NDArray[np.int64]
    kind: npt.NDArray[np.uint8]
    gil: npt.NDArray[np.uint16]
    arg: npt.NDArray[np.uint32]
    starts: npt.NDArray[np.int64]
    discarded: int
    cut: bool


def read_stream(path: Path, *, pid: int, problems: Problems) -> Stream:
    """Read a gil stream; what follows the first error is skipped when `problems` lets it."""
    packets = read_packets(path, stream_class=STREAM_GIL, pid=pid, problems=problems)
    counts, whole = _counts(packets, problems)
    total = int(counts.sum())
    words = packets.data[: len(counts)].view("<i8")
    halves = words.view("<u2")
    first = HEADER_SIZE // 8
    identity = _column(halves[:, 4 * first + 4 :: 8], total, np.dtype("<u2"))
    gil = _column(halves[:, 4 * first + 5 :: 8], total, np.dtype("<u2"))
    arg = _column(words.view("<u4")[:, 2 * first + 3 :: 4], total, np.dtype("<u4"))
    time = _column(words[:, first::2], total, np.dtype("<i8"))
    kind = identity.astype(np.uint8)

    good = total
    for check in (_unknown, _not_in_time, _impossible, _wrong_gil, _wrong_tid):
        found = check(packets, counts, time[:good], identity[:good], kind[:good], gil[:good], arg[:good])
        if found is None:
            continue
        good, found_text, expected = found
        error = TraceFormatError(path, found_text, expected, f"packet {good // EVENTS_PER_PACKET}")
        problems.report(error, f"{total - good} events from there on")
    return Stream(
        path=path,
        time=time[:good],
        kind=kind[:good],
        gil=gil[:good],
        arg=arg[:good],
        starts=np.flatnonzero(kind[:good] == Event.THREAD_START),
        discarded=packets.discarded,
        cut=packets.cut or not whole or good < total,
    )


def _column(source: npt.NDArray[Any], total: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Copy a strided column of all packets; only the last packet is not full, so a slice removes its rest."""
    column = np.empty(source.shape, dtype)
    column[...] = source
    return column.reshape(-1)[:total]


def _counts(packets: Packets, problems: Problems) -> tuple[npt.NDArray[np.int64], bool]:
    """Return the events of each packet, and whether that is all of them."""
    counts, rest = np.divmod(packets.content, EVENT_SIZE)
    short = counts < EVENTS_PER_PACKET
    short[-1:] = False
    bad = np.flatnonzero(short | (rest != 0))
    if len(bad):
        at = int(bad[0])
        found = f"content_size of {packets.content[at]} bytes"
        error = TraceFormatError(packets.path, found, "whole events, and the packet full before the next", f"packet {at}")
        problems.report(error, f"packets {at} to {len(packets) - 1}")
        return counts[:at], False
    if len(packets):
        behind = packets.data[-1, HEADER_SIZE + EVENT_SIZE * (int(counts[-1]) + _UNCOMMITTED) :]
        if behind.any():
            at = len(packets) - 1
            found = f"content_size for {counts[-1]} events with more behind them"
            error = TraceFormatError(packets.path, found, "zeros behind the content", f"packet {at}")
            problems.report(error, "what is behind content_size")
    return counts, True
