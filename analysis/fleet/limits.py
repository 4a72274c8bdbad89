"""Limits of a fleet's groups: "rate > 60s" fails for each group that makes others wait longer in an hour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from ..destinations import visible
from ..report.limits.gate import Failure, Figure, Limit, broken, parse
from .answer import Fleet, Group

_KEYS: Final = {"p50": "median", "p90": "90th percentile", "p99": "99th percentile", "max": "longest"}


def _of(name: str, key: str) -> Any:
    def value(group: Group) -> float | None:
        of = getattr(group, name)
        return getattr(of, key) if of.count else None

    return value


def _distributions() -> Iterator[Figure]:
    for name, what in (("wait", "waits"), ("hold", "holds"), ("lock_wait", "waits for other locks")):
        for key, meaning in _KEYS.items():
            figure = f"{name.replace('_', '.')}.{key}"
            yield Figure(figure, "time", f"{meaning} of the group's {what}", _of(name, key))


FIGURES: Final = {
    figure.name: figure
    for figure in (
        Figure("waited", "time", "that a group made others wait", lambda of: of.waited),
        Figure("rate", "time", "the same, in an hour of one process", lambda of: of.rate),
        Figure("share", "share", "of all waits", lambda of: of.share),
        Figure("longest", "time", "that one hold of it was contended", lambda of: of.longest),
        *_distributions(),
    )
}
"""The figures, by name."""


def limit(expression: str) -> Limit:
    """Return the limit that an expression is; LimitError if it is none."""
    return parse(expression, FIGURES)


def check(fleet: Fleet, limits: Sequence[Limit]) -> list[Failure]:
    """Return the limits that are not kept, each for every group that breaks it."""
    return [
        Failure(limit, f"{visible(' · '.join(group.values))}: ", value)
        for limit in limits
        for group in fleet.groups
        for value in [limit.figure.of(group)]
        if value is not None and broken(limit, value)
    ]
