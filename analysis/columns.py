"""All events of a trace by column, thread after thread: what every table is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import Bools, Bytes, Int64s, UInt16s, UInt32s
from .format import NO_GIL, Event
from .grammar import LOST
from .process import Run


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

    def thread_of(self, position: Int64s) -> Int64s:
        """Return the threads of events at these positions."""
        return np.searchsorted(self.first, position, "right") - 1


def make_columns(runs: Sequence[Run]) -> Columns:
    """Put the events of threads behind each other."""
    counts = [run.last - run.first if run.stream is not None else 1 for run in runs]
    return Columns(
        time=_joined(runs, "time", np.int64, [run.begin for run in runs]),
        kind=_joined(runs, "kind", np.uint8, [LOST] * len(runs)),
        gil=_joined(runs, "gil", np.uint16, [NO_GIL] * len(runs)),
        arg=_joined(runs, "arg", np.uint32, [0] * len(runs)),
        first=np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64),
        begin=np.array([run.begin for run in runs], np.int64),
        end=np.array([run.end for run in runs], np.int64),
        seen_alive=np.array([run.seen_alive for run in runs], bool),
        exited=np.array([run.exited for run in runs], bool),
        paths=tuple(run.stream.path if run.stream is not None else None for run in runs),
    )


def _joined(runs: Sequence[Run], column: str, dtype: Any, unseen: Sequence[int]) -> npt.NDArray[Any]:
    """Concatenate one column; neighbours in a file that stay neighbours are taken as one slice."""
    parts: list[npt.NDArray[Any]] = []
    at = 0
    while at < len(runs):
        run = runs[at]
        if run.stream is None:
            parts.append(np.array([unseen[at]], dtype))
            at += 1
            continue
        to = at + 1
        while to < len(runs) and runs[to].stream is run.stream and runs[to].first == runs[to - 1].last:
            to += 1
        parts.append(getattr(run.stream, column)[run.first : runs[to - 1].last])
        at = to
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0, dtype)


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
