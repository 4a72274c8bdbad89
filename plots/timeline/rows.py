"""Which rows a timeline has, from top to bottom: lanes, the owner strips of their GILs, and the rest.

A page has room for a dozen lanes. When there are more threads, those that hold and wait the longest get one,
and all others share one row that shows how many of them do what; so do threads that had nothing to do with it
where there are more than a few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from analysis.model import State
from analysis.report.rank import NOTABLE

from .coverage import Seen, Times

if TYPE_CHECKING:
    from analysis.model import Process
    from analysis.tables.trace import Trace

Kind = Literal["process", "lane", "strip", "rest"]

COUNTED: Final = (State.HOLDING, State.WAITING, State.RELEASED)
"""The states in `Figures.times`, in this order."""


@dataclass(frozen=True)
class Row:
    """One row: `top` and `height` in inches from the top of the axes; `bar` is the part that is drawn in.

    `thread` (a lane), `gil` (a strip), `process` are indices of the trace, -1 where there is none. A strip
    that is `attached` belongs to the lane above it and needs no label.
    """

    kind: Kind
    label: str
    process: int = -1
    thread: int = -1
    gil: int = -1
    attached: bool = False
    gap: float = 0.0
    top: float = 0.0
    height: float = 0.0

    @property
    def bar(self) -> tuple[float, float]:
        """Top and bottom of what is drawn in this row."""
        margin = self.height * (0.09 if self.attached else 0.16 if self.kind == "strip" else 0.14)
        return self.top + margin, self.top + self.height - margin

    @property
    def middle(self) -> float:
        """The height of the row's label."""
        return self.top + self.height / 2


@dataclass(frozen=True)
class Plan:
    """The rows, and which threads have a lane or share the row of the rest."""

    rows: tuple[Row, ...]
    shown: tuple[int, ...]
    hidden: tuple[int, ...]
    height: float

    def lanes(self) -> list[Row]:
        """Return the rows of threads."""
        return [row for row in self.rows if row.kind == "lane"]

    def strips(self) -> list[Row]:
        """Return the rows of GILs."""
        return [row for row in self.rows if row.kind == "strip"]

    def lane_of(self) -> dict[int, Row]:
        """Return each shown thread's row."""
        return {row.thread: row for row in self.lanes()}


# kind: least height, greatest height, share of what room is left; inches
_SIZES: Final[dict[str, tuple[float, float, float]]] = {
    "process": (0.29, 0.34, 0.1),
    "lane": (0.29, 9.00, 1.0),
    "strip": (0.27, 0.80, 0.3),
    "attached": (0.12, 0.30, 0.2),
    "rest": (0.50, 1.60, 1.0),
}
_GAP: Final = 0.10
_SMALL_GAP: Final = 0.05
_STRIPS_A_PROCESS: Final = 6
_FEW_IDLE: Final = 3
"""So many threads that had nothing to do with it get lanes all the same, where there is room."""


def plan(
    trace: Trace,
    seen: Seen,
    times: Times,
    height: float,
    *,
    max_lanes: int | None = None,
    strips: bool = True,
    native: Times | None = None,
) -> Plan:
    """Choose and place the rows of a timeline.

    Parameters
    ----------
    trace : Trace
    seen : Seen
        What is in the window.
    times : int64 array, shape (threads, len(COUNTED))
        Time in each state in the window, `coverage.totals`.
    height : float, inches
        The room there is.
    max_lanes : int, optional
        As many lanes as this if there are so many threads, however much room that needs.
        By default as many as there is room for.
    strips : bool
        Give each GIL a strip.
    native : int64 array, shape (threads,), optional
        How long each thread computed without the GIL.
    """
    alive = [t for t in range(len(trace.threads)) if seen.last[t] > seen.first[t]]
    relevance = {t: _relevance(trace, times, native, t) for t in alive}
    ranked = sorted(alive, key=lambda t: (-relevance[t], t))
    idle = [t for t in ranked if relevance[t] < NOTABLE]
    if max_lanes is None and _FEW_IDLE < len(idle) < len(ranked):
        ranked = ranked[: -len(idle)]
    chosen: list[Row] = []
    shown: set[int] = set()
    limit = len(ranked) if max_lanes is None else max(1, max_lanes)
    for thread in ranked[:limit]:
        more = shown | {thread}
        rows = _rows(trace, seen, alive, more, strips)
        if shown and max_lanes is None and _least(rows) > height:
            break
        chosen, shown = rows, more
    hidden = [t for t in alive if t not in shown]
    placed = _place(chosen, max(height, _least(chosen)))
    total = placed[-1].top + placed[-1].height if placed else height
    return Plan(tuple(placed), tuple(sorted(shown)), tuple(hidden), total)


def _relevance(trace: Trace, times: Times, native: Times | None, thread: int) -> float:
    """The first process's main thread is where people look first; then who holds and waits, who computes."""
    entry = trace.threads[thread]
    if entry.main and entry.process == trace.threads[0].process:
        return 4.0
    span = max(trace.end - trace.begin, 1)
    about_gil = float(times[thread, :2].sum()) / span
    computes = 0.0 if native is None else float(native[thread]) / span
    if about_gil >= NOTABLE:
        return 2.0 + about_gil
    if computes >= NOTABLE:
        return 1.0 + computes
    return about_gil + computes


def _rows(trace: Trace, seen: Seen, alive: Sequence[int], shown: set[int], strips: bool) -> list[Row]:
    """Return the rows, without places, when these threads are shown."""
    processes = sorted({trace.threads[t].process for t in alive})
    rows: list[Row] = []
    for process in processes:
        threads = [t for t in sorted(shown) if trace.threads[t].process == process]
        if not threads:
            continue
        gils = _gils(trace, seen, process, threads) if strips else []
        only = trace.threads[threads[0]]
        name = process_label(trace.processes[process])
        # A process that is nothing but its main thread needs one label, not two.
        single = len(processes) > 1 and len(threads) == 1 and only.main
        first = len(rows)
        if len(processes) > 1 and not single:
            rows.append(Row("process", name, process))
        rows += [Row("lane", name if single else trace.threads[t].name, process, thread=t) for t in threads]
        rows += [
            Row(
                "strip",
                _gil_label(trace, gil, len(gils)),
                process,
                gil=gil,
                attached=single and len(gils) == 1,
                gap=0.0 if single or i else _SMALL_GAP,
            )
            for i, gil in enumerate(gils)
        ]
        if first:
            rows[first] = replace(rows[first], gap=_SMALL_GAP if single else _GAP)
    if len(shown) < len(alive):
        rest = len(alive) - len(shown)
        rows.append(Row("rest", f"{rest:,} more thread{'s' if rest > 1 else ''}", gap=_GAP))
    return rows


def process_label(process: Process) -> str:
    """Return what a process is called; one of which only the scheduler knows, by its name in the OS too."""
    if process.environment.get("kind") == "sched":
        return f"{process.environment['comm']} {process.pid}"
    return f"process {process.pid}"


def _gil_label(trace: Trace, gil: int, count: int) -> str:
    return "GIL owner" if count == 1 else f"owner of GIL {trace.gils[gil].number}"


def _gils(trace: Trace, seen: Seen, process: int, threads: Sequence[int]) -> list[int]:
    """Return the process's GILs that its shown threads hold or wait for in the window."""
    own = [gil.index for gil in trace.gils if gil.process == process]
    if len(own) > 1:
        used = np.zeros(len(trace.gils), np.int64)
        for thread in threads:
            used += seen.about(thread)
        own = sorted(sorted(own, key=lambda gil: -used[gil])[:_STRIPS_A_PROCESS])
        own = [gil for gil in own if used[gil]]
    return own


def _size(row: Row) -> tuple[float, float, float]:
    return _SIZES["attached" if row.attached else row.kind]


def _least(rows: Sequence[Row]) -> float:
    return sum(_size(row)[0] + row.gap for row in rows)


def _place(rows: Sequence[Row], height: float) -> list[Row]:
    """Share the height among the rows: each its least, and of what is left in proportion, up to its most."""
    sizes = [_size(row)[0] for row in rows]
    left = height - _least(rows)
    growing = set(range(len(rows)))
    while left > 1e-6 and growing:
        weight = sum(_size(rows[i])[2] for i in growing)
        step = min(left / weight, min((_size(rows[i])[1] - sizes[i]) / _size(rows[i])[2] for i in growing))
        for i in growing:
            sizes[i] += step * _size(rows[i])[2]
        left -= step * weight
        growing = {i for i in growing if _size(rows[i])[1] - sizes[i] > 1e-6}
    placed, y = [], 0.0
    for row, size in zip(rows, sizes, strict=True):
        y += row.gap
        placed.append(replace(row, top=y, height=size))
        y += size
    return placed
