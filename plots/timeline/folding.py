"""Which threads a figure shows: those that matter most, and one row for all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analysis.arrays import Int64s

from ..text import printable

if TYPE_CHECKING:
    from analysis.tables.trace import Trace


@dataclass(frozen=True)
class Folded:
    """Threads with a row of their own, and the rest.

    `shown` are their indices, `names` those of the rows: one more, if there is a `rest`, of so many threads.
    `place` is the row of each thread of the trace; of one that has nothing to do with it, any.
    """

    shown: tuple[int, ...]
    rest: int
    names: tuple[str, ...]
    place: Int64s

    @property
    def size(self) -> int:
        """The number of rows."""
        return len(self.names)


def fold(trace: Trace, weight: npt.NDArray[Any], most: int, *, heaviest_first: bool = False) -> Folded:
    """Give the threads of most weight, shape (threads,), a row each; those of none have no part in it.

    Rows are in the threads' order, or the heaviest first.
    """
    ranked = [int(t) for t in np.argsort(-weight, kind="stable") if weight[t] > 0]
    shown = ranked[:most] if heaviest_first else sorted(ranked[:most])
    several = len({trace.threads[t].process for t in ranked}) > 1
    names = [thread_name(trace, t, with_pid=several) for t in shown]
    rest = len(ranked) - len(shown)
    if rest:
        names.append(f"{rest:,} more")
    place = np.full(len(trace.threads), len(shown), np.int64)
    place[shown] = np.arange(len(shown))
    return Folded(tuple(shown), rest, tuple(names), place)


def thread_name(trace: Trace, thread: int, *, with_pid: bool) -> str:
    """Return what to call a thread, in a trace of several processes with its pid."""
    found = trace.threads[thread]
    return printable(f"{trace.processes[found.process].pid} {found.name}" if with_pid else found.name)
