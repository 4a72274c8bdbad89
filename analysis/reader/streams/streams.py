"""A gil stream's events by column, checked: what can't have happened is an error, not a strange figure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..disk.packets import EVER, Packets, read_packets
from ..format import STREAM_GIL, Event
from ..problems import Problems
from .checks import ABOUT_GILS, TIMES, believe
from .decode import Decoded, decode
from .grammar import LOST, gil_numbers
from .side import NO_SIDE, Side
from .store import Store


class Life(NamedTuple):
    """A thread: its events are first to last; until: the time of its exit, None where that was not seen."""

    tid: int
    since: int
    until: int | None
    first: int
    last: int


@dataclass(frozen=True)
class Stream:
    """Where the events of one gil stream are in the store, in the order of the file.

    Attributes
    ----------
    first, last : int
        Its events are first to last.
    lives : tuple of Life
    gils : tuple of int
        Numbers of the GILs that the events are about.
    discarded : int
        Events that the recorder lost.
    begin, end : int
        Times of its first and its last event.
    stopped : bool
        A recording_stop is among them.
    side : Side
        Its events that are not in the store.
    """

    path: Path
    first: int
    last: int
    lives: tuple[Life, ...]
    gils: tuple[int, ...]
    discarded: int
    begin: int
    end: int
    stopped: bool
    side: Side = NO_SIDE


def read_stream(
    path: Path, *, pid: int, store: Store, problems: Problems, within: tuple[int, int] = EVER
) -> Stream:
    """Read a gil stream into the store; what follows the first error is skipped when `problems` lets it.

    Of packets that are not about `within` nothing is read.

    Raises
    ------
    TraceFormatError
        The file is no gil stream of this process, or says something impossible; not when salvaging.
    """
    packets = read_packets(path, stream_class=STREAM_GIL, pid=pid, problems=problems, within=within)
    discarded = packets.discarded
    copied = decode(packets, store, problems)
    believed, all_known = believe(copied.decoded, copied.bad_id, TIMES, problems)
    decoded, side = believed.without_side()
    decoded, all_possible = believe(decoded, None, ABOUT_GILS, problems)
    end = len(decoded.time)
    cut = packets.cut or not copied.whole or not all_known or not all_possible or _lost_at_end(packets)
    if cut and end and decoded.kind[-1] != Event.THREAD_EXIT:
        decoded = decoded.insert(np.array([end]), LOST, 0, decoded.time[-1])
    first = store.keep(decoded.time, decoded.kind, decoded.gil, decoded.arg)
    if not end:
        return Stream(path, first, first, (), (), discarded, 0, 0, False)
    return Stream(
        path,
        first,
        store.used,
        tuple(_lives(decoded, first)),
        gil_numbers(decoded.gil),
        discarded,
        int(decoded.time[0]),
        int(decoded.time[-1]),
        bool((decoded.kind == Event.RECORDING_STOP).any()),
        side.moved(first) if len(side.at) else side,
    )


def _lives(decoded: Decoded, first: int) -> Iterator[Life]:
    starts = decoded.starts
    last = np.append(starts[1:], len(decoded.time))
    exited = decoded.kind[last - 1] == Event.THREAD_EXIT
    columns = (decoded.arg[starts], decoded.time[starts], exited, decoded.time[last - 1], starts, last)
    for tid, since, gone, until, at, to in zip(*(column.tolist() for column in columns), strict=True):
        yield Life(tid, since, until if gone else None, first + at, first + to)


def _lost_at_end(packets: Packets) -> bool:
    """Whether the recorder lost events after the last that it could write."""
    lost = packets.headers["events_discarded"][-2:]
    return len(lost) > 0 and int(lost[-1]) > (int(lost[0]) if len(lost) > 1 else 0)
