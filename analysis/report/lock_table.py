"""The locks that were waited for, as tables for a terminal: those that cost most, and the world's stops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

import numpy as np
from rich import box
from rich.table import Table

from ..arrays import distinct
from ..destinations import terminal
from ..measures.distribution import Distribution
from ..measures.lock_names import place_of
from ..measures.locks import LockFigures, LockStatistics
from ..measures.stop_reasons import reason_of
from ..tables.trace import Trace
from ..units import count, duration

_MOST: Final = 8
_WORTH_A_LINE: Final = 0.001
"""Share of the trace's time that waits for a lock must have taken to be told."""


def lock_tables(trace: Trace, figures: LockFigures) -> Iterator[Table]:
    """Yield the tables that have something to say."""
    worth = _WORTH_A_LINE * max(trace.end - trace.begin, 1)
    shown = [group for group in _alike(figures.locks) if sum(of.wait.total for of in group) >= worth]
    if shown:
        yield _of_locks(shown)
    if figures.pause.count:
        yield _of_pauses(trace)


def _alike(locks: Sequence[LockStatistics]) -> list[list[LockStatistics]]:
    """Return locks that are called the same and waited for at the same place together, the worst first."""

    def key(of: LockStatistics) -> tuple[int, str, str]:
        return of.lock.process, of.name, of.where

    groups = [list(group) for _, group in groupby(sorted(locks, key=key), key)]
    groups.sort(key=lambda group: -sum(of.wait.total for of in group))
    return groups[:_MOST]


def _table(first: str, *columns: str) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        collapse_padding=True,
        header_style="dim",
        show_edge=False,
    )
    table.add_column(first, no_wrap=True, max_width=36, overflow="ellipsis")
    for column in columns:
        words = column in ("waits in", "let go in", "for")
        table.add_column(
            column, justify="left" if words else "right", no_wrap=True, max_width=44, overflow="ellipsis"
        )
    return table


def _of_locks(groups: Sequence[Sequence[LockStatistics]]) -> Table:
    table = _table("lock", "waits", "waited", "p50", "p99", "max", "threads", "waits in", "let go in")
    for group in groups:
        worst = max(group, key=lambda of: of.wait.total)
        name = worst.name + (f" ({len(group):,} of them)" if len(group) > 1 else "")
        table.add_row(
            terminal(name),
            count(sum(of.wait.count for of in group)),
            duration(sum(of.wait.total for of in group)),
            *(_percentiles(worst.wait) if len(group) == 1 else ("–", "–")),
            duration(max(of.wait.max for of in group)),
            count(max(of.threads for of in group)),
            terminal(worst.where),
            terminal(worst.let_go),
        )
    return table


def _percentiles(wait: Distribution) -> tuple[str, str]:
    return duration(wait.p50), duration(wait.p99)


def _of_pauses(trace: Trace) -> Table:
    """Return who stopped the world, and what for, by line."""
    table = _table(
        "stopped the world in", "for", "pauses", "paused", "max", "to stand, max", "threads", "stood"
    )
    pauses = trace.pauses
    keys = distinct(pauses["frame"].astype(np.int64) << 32 | (pauses["reason"] + 1))
    rows = [
        pauses[(pauses["frame"] == key >> 32) & (pauses["reason"] + 1 == key & 0xFFFFFFFF)] for key in keys
    ]
    for mine in sorted(rows, key=lambda of: -int(of["duration"].sum()))[:_MOST]:
        ready = mine["stopped"] - mine["asked"]
        table.add_row(
            terminal(place_of(trace, int(mine["frame"][0])) or "code not recorded"),
            terminal(reason_of(trace, int(mine["reason"][0])) or "not known"),
            count(len(mine)),
            duration(int(mine["duration"].sum())),
            duration(int(mine["duration"].max())),
            duration(int(ready.max())),
            count(int(mine["threads"].max())),
            duration(int(mine["stood"].sum())),
        )
    return table
