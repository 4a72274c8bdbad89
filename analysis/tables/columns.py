"""All events of a trace by column, thread after thread: what every table is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import Bools, Bytes, Int64s, UInt16s, UInt32s
from ..reader.format import NO_GIL, Event
from ..reader.process import Run
from ..reader.streams.grammar import LOST
from ..reader.streams.mapped import Mapped, decoded
from ..reader.streams.store import Store


@dataclass(frozen=True)
class Columns:
    """Events grouped by thread, in time order within a thread.

    Attributes
    ----------
    time, kind, gil, arg : ndarray of int64, uint8, uint16, uint32
        One element an event. `gil` is the process's own number of it, or NO_GIL. A kind LOST (0) is no event
        but the place where some are missing; a thread that was never seen has just that.
    first : ndarray of int64, shape (threads + 1,)
        Thread i has the events first[i] to first[i + 1].
    begin, end : ndarray of int64, shape (threads,)
        The thread's life.
    seen_alive, exited : ndarray of bool, shape (threads,)
        It lived when the recording began; its exit was seen.
    paths : tuple of Path
        The file that each thread's events are from.
    ahead : ndarray of uint32, shape (threads,), or None
        Of a part of a trace: the frame's number, 0: none, that is told when what the thread is in at the end
        of the part (a hold, a wait) ends.
    """

    time: Int64s
    kind: Bytes
    gil: UInt16s
    arg: UInt32s
    first: Int64s
    begin: Int64s
    end: Int64s
    seen_alive: Bools
    exited: Bools
    paths: tuple[Path | None, ...]
    ahead: UInt32s | None = None

    def thread_of(self, position: Int64s) -> Int64s:
        """Return the threads of events at these positions."""
        return np.searchsorted(self.first, position, "right") - 1


@dataclass(frozen=True, eq=False)
class Source:
    """Where the events of a trace are: in columns, or in the streams of its files until somebody asks."""

    given: Columns | None = None
    streams: Sequence[Mapped] = ()
    runs: Sequence[Run] = ()

    def columns(self) -> Columns:
        """Return the events by column."""
        return self.given if self.given is not None else make_columns(self.runs, decoded(self.streams))


def make_columns(runs: Sequence[Run], store: Store) -> Columns:
    """Put the events of threads behind each other."""
    counts = [run.last - run.first if run.path is not None else 1 for run in runs]
    stretches = _stretches(runs)
    unseen = [run.begin for run in runs if run.path is None]
    return Columns(
        time=_joined(store.time, stretches, unseen),
        kind=_joined(store.kind, stretches, [LOST] * len(unseen)),
        gil=_joined(store.gil, stretches, [NO_GIL] * len(unseen)),
        arg=_joined(store.arg, stretches, [0] * len(unseen)),
        first=np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64),
        begin=np.array([run.begin for run in runs], np.int64),
        end=np.array([run.end for run in runs], np.int64),
        seen_alive=np.array([run.seen_alive for run in runs], bool),
        exited=np.array([run.exited for run in runs], bool),
        paths=tuple(run.path for run in runs),
    )


@dataclass(frozen=True)
class SideColumns:
    """Events that are about no GIL, grouped by thread, in time order within a thread; as `Columns`."""

    time: Int64s
    kind: Bytes
    arg: UInt32s
    first: Int64s

    def thread_of(self, position: Int64s) -> Int64s:
        """Return the threads of events at these positions."""
        return np.searchsorted(self.first, position, "right") - 1


def make_side(runs: Sequence[Run]) -> SideColumns:
    """Put those of threads behind each other."""
    sides = [run.side for run in runs]
    return SideColumns(
        time=np.concatenate([np.zeros(0, np.int64), *(side.time for side in sides)]),
        kind=np.concatenate([np.zeros(0, np.uint8), *(side.kind for side in sides)]),
        arg=np.concatenate([np.zeros(0, np.uint32), *(side.arg for side in sides)]),
        first=np.cumsum([0, *(len(side.time) for side in sides)], dtype=np.int64),
    )


def _stretches(runs: Sequence[Run]) -> list[slice | None]:
    """Return where the runs are in the store, neighbours there too as one. None: a thread never seen."""
    stretches: list[slice | None] = []
    for run in runs:
        before = stretches[-1] if stretches else None
        if run.path is None:
            stretches.append(None)
        elif before is not None and before.stop == run.first:
            stretches[-1] = slice(before.start, run.last)
        else:
            stretches.append(slice(run.first, run.last))
    return stretches


def _joined(
    column: npt.NDArray[Any], stretches: list[slice | None], unseen: Sequence[int]
) -> npt.NDArray[Any]:
    """Return a column in the order of threads: usually the one that there is, not a copy."""
    instead = iter(unseen)
    parts = [
        column[part] if part is not None else np.array([next(instead)], column.dtype) for part in stretches
    ]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else column[:0]


def first_gil_events(columns: Columns) -> Int64s:
    """Return, for each thread, the position of its first event about a GIL; its end when there is none."""
    at = columns.first[:-1].copy()
    end = columns.first[1:]
    while True:
        more = at < end
        more[more] = (columns.kind[at[more]] >= Event.THREAD_START) & (
            columns.kind[at[more]] != Event.THREAD_EXIT
        )
        if not more.any():
            return at
        at[more] += 1
