"""The locks that were waited for, as tables for a terminal: those that cost most, and the world's stops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

import numpy as np
from rich import box
from rich.cells import cell_len
from rich.table import Table

from ...arrays import distinct
from ...destinations import terminal
from ...measures.distribution import Distribution
from ...measures.lock_names import place_of
from ...measures.locks import LockFigures, LockStatistics
from ...measures.stop_reasons import reason_of
from ...tables.trace import Trace
from ...units import count, duration

MOST_LOCKS: Final = 8
_WORTH_A_LINE: Final = 0.001
"""Share of the trace's time that waits for a lock must have taken to be told."""

_BESIDE_OTHERS: Final = 0.01
"""The same of all waits for locks."""


_WORDS: Final = {"lock": 36, "stopped the world in": 36, "waits in": 44, "let go in": 44, "for": 44}
"""Columns of words, which may be cut, and how wide they are at most."""

_GAP: Final = "  "
_NARROWEST: Final = 14
"""Characters that words need to say something."""


def lock_tables(trace: Trace, figures: LockFigures, most: int | None, width: int) -> Iterator[Table]:
    """Yield the tables that have something to say: `most` rows of each, or None, all that were waited for.

    width: characters that a line may have.
    """
    groups = _alike(figures.locks)
    if most is not None:
        waited = sum(map(_waited, groups))
        worth = max(_WORTH_A_LINE * max(trace.end - trace.begin, 1), _BESIDE_OTHERS * waited)
        groups = [group for group in groups if _waited(group) >= worth][:most]
    if groups:
        yield _of_locks(groups, width)
    if figures.pause.count:
        yield _of_pauses(trace, most, width)


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


def _table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], width: int, given_up: Sequence[str]
) -> Table:
    """Return the table in so many characters: of words what there is room for, of figures all or nothing.

    given_up: columns to leave out where words would have less than _NARROWEST characters, the first first.
    """
    natural = {
        column: max(map(cell_len, [column, *(row[at] for row in rows)])) for at, column in enumerate(columns)
    }
    for leave in range(len(given_up) + 1):
        kept = [column for column in columns if column not in given_up[:leave]]
        words = [column for column in kept if column in _WORDS]
        left = (
            width
            - len(_GAP) * (len(kept) - 1)
            - sum(natural[column] for column in kept if column not in _WORDS)
        )
        shares = _shares({column: min(natural[column], _WORDS[column]) for column in words}, left)
        if all(shares[column] >= min(natural[column], _NARROWEST) for column in words):
            break
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        collapse_padding=True,
        header_style="dim",
        show_edge=False,
    )
    for column in kept:
        table.add_column(
            column,
            justify="left" if column in _WORDS else "right",
            no_wrap=True,
            max_width=shares.get(column),
            overflow="ellipsis",
        )
    for row in rows:
        table.add_row(*(terminal(cell) for cell, column in zip(row, columns, strict=True) if column in kept))
    return table


def _shares(wanted: Mapping[str, int], room: int) -> dict[str, int]:
    """Return what each has of the room: what it wants, or as much as the others that want more."""
    shares: dict[str, int] = {}
    for done, column in enumerate(sorted(wanted, key=wanted.__getitem__)):
        shares[column] = max(min(wanted[column], room // (len(wanted) - done)), 1)
        room -= shares[column]
    return shares


def _of_locks(groups: Sequence[Sequence[LockStatistics]], width: int) -> Table:
    columns = ("lock", "waits", "waited", "p50", "p99", "max", "threads", "waits in", "let go in")
    lines = []
    for group in groups:
        worst = max(group, key=lambda of: of.wait.total)
        name = worst.name + (f" ({len(group):,} of them)" if len(group) > 1 else "")
        lines.append(
            (
                name,
                count(sum(of.wait.count for of in group)),
                duration(sum(of.wait.total for of in group)),
                *(_percentiles(worst.wait) if len(group) == 1 else ("–", "–")),
                duration(max(of.wait.max for of in group)),
                count(max(of.threads for of in group)),
                worst.where,
                worst.let_go,
            )
        )
    return _table(columns, lines, width, ("p50", "threads", "p99", "let go in"))


def _percentiles(wait: Distribution) -> tuple[str, str]:
    return duration(wait.p50), duration(wait.p99)


def _of_pauses(trace: Trace, most: int | None, width: int) -> Table:
    """Return who stopped the world, and what for, by line."""
    columns = ("stopped the world in", "for", "pauses", "paused", "max", "to stand, max", "threads", "stood")
    lines = []
    pauses = trace.pauses
    keys = distinct(pauses["frame"].astype(np.int64) << 32 | (pauses["reason"] + 1))
    rows = [
        pauses[(pauses["frame"] == key >> 32) & (pauses["reason"] + 1 == key & 0xFFFFFFFF)] for key in keys
    ]
    for mine in sorted(rows, key=lambda of: -int(of["duration"].sum()))[:most]:
        ready = mine["stopped"] - mine["asked"]
        lines.append(
            (
                place_of(trace, int(mine["frame"][0])) or "code not recorded",
                reason_of(trace, int(mine["reason"][0])) or "not known",
                count(len(mine)),
                duration(int(mine["duration"].sum())),
                duration(int(mine["duration"].max())),
                duration(int(ready.max())),
                count(int(mine["threads"].max())),
                duration(int(mine["stood"].sum())),
            )
        )
    return _table(columns, lines, width, ("threads", "to stand, max", "stood"))
