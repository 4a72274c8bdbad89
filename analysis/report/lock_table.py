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

MOST_LOCKS: Final = 8
_WORTH_A_LINE: Final = 0.001
"""Share of the trace's time that waits for a lock must have taken to be told."""

_BESIDE_OTHERS: Final = 0.01
"""The same of all waits for locks."""


def lock_tables(trace: Trace, figures: LockFigures, most: int | None = MOST_LOCKS) -> Iterator[Table]:
    """Yield the tables that have something to say: `most` rows of each, or None, all that were waited for."""
    groups = _alike(figures.locks)
    if most is not None:
        waited = sum(map(_waited, groups))
        worth = max(_WORTH_A_LINE * max(trace.end - trace.begin, 1), _BESIDE_OTHERS * waited)
        groups = [group for group in groups if _waited(group) >= worth][:most]
    if groups:
        yield _of_locks(groups)
    if figures.pause.count:
        yield _of_pauses(trace, most)


def _waited(group: Sequence[LockStatistics]) -> int:
    return sum(of.wait.total for of in group)


def _alike(locks: Sequence[LockStatistics]) -> list[list[LockStatistics]]:
    """Return locks that are called the same and waited for at the same place together, the worst first.

    Of several processes too: a server's workers have the same.
    """

    def key(of: LockStatistics) -> tuple[str, str]:
        return of.name, of.where

    groups = [list(group) for _, group in groupby(sorted(locks, key=key), key)]
    groups.sort(key=lambda group: -_waited(group))
    return groups


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


def _of_pauses(trace: Trace, most: int | None) -> Table:
    """Return who stopped the world, and what for, by line."""
    table = _table(
        "stopped the world in", "for", "pauses", "paused", "max", "to stand, max", "threads", "stood"
    )
    pauses = trace.pauses
    keys = distinct(pauses["frame"].astype(np.int64) << 32 | (pauses["reason"] + 1))
    rows = [
        pauses[(pauses["frame"] == key >> 32) & (pauses["reason"] + 1 == key & 0xFFFFFFFF)] for key in keys
    ]
    for mine in sorted(rows, key=lambda of: -int(of["duration"].sum()))[:most]:
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
