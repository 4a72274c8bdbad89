"""Two values of a dimension side by side, as two releases: what each group's rate was, over the hosts."""

from __future__ import annotations

import statistics as of_numbers
from collections.abc import Sequence
from dataclasses import dataclass, field

from .answer import Fleet, Group
from .merge import OF_CODE


@dataclass(frozen=True)
class Shift:
    """A group of both sides.

    `before` and `after` are `Group.rate` of each host that has the side's value, and the group's service (and
    whatever else is told apart, but for code): ns waited in an hour of one process.
    """

    values: tuple[str, ...]
    before: tuple[float, ...] = field(default=())
    after: tuple[float, ...] = field(default=())

    @property
    def medians(self) -> tuple[float, float]:
        """Of each side's hosts; 0 where a side has nothing of this group."""
        first, second = (of_numbers.median(side) if side else 0.0 for side in (self.before, self.after))
        return first, second

    @property
    def change(self) -> float:
        """After less before, ns an hour of one process."""
        before, after = self.medians
        return after - before

    @property
    def beyond_spread(self) -> bool:
        """Whether the hosts' ranges don't overlap: with one host a side nobody can tell."""
        if len(self.before) < 2 or len(self.after) < 2:
            return False
        return max(self.before) < min(self.after) or max(self.after) < min(self.before)


def difference(fleet: Fleet, dimension: str, before: str, after: str) -> list[Shift]:
    """Return the groups of a fleet, which has this dimension, side by side: the greatest change first."""
    at = fleet.by.index(dimension)
    # A host on which a service does not run says nothing of it.
    outer = [place for place, name in enumerate(_without(fleet.by, at)) if name not in OF_CODE]
    sides = [_rates(fleet.groups, at, value) for value in (before, after)]
    hosts = [_hosts(side, outer) for side in sides]
    shifts = [
        Shift(
            values,
            *(
                _of_hosts(side.get(values), of.get(tuple(values[place] for place in outer), set()))
                for side, of in zip(sides, hosts, strict=True)
            ),
        )
        for values in dict.fromkeys([*sides[0], *sides[1]])
    ]
    return sorted(shifts, key=lambda shift: (-abs(shift.change), shift.values))


def _without(values: tuple[str, ...], at: int) -> tuple[str, ...]:
    return values[:at] + values[at + 1 :]


def _rates(groups: Sequence[Group], at: int, value: str) -> dict[tuple[str, ...], dict[str, float]]:
    return {_without(group.values, at): dict(group.per_host) for group in groups if group.values[at] == value}


def _hosts(
    side: dict[tuple[str, ...], dict[str, float]], outer: Sequence[int]
) -> dict[tuple[str, ...], set[str]]:
    """Return the hosts of a side that have each value of the dimensions which are not of code."""
    hosts: dict[tuple[str, ...], set[str]] = {}
    for values, rates in side.items():
        hosts.setdefault(tuple(values[place] for place in outer), set()).update(rates)
    return hosts


def _of_hosts(rates: dict[str, float] | None, hosts: set[str]) -> tuple[float, ...]:
    """Return a rate for each of these hosts: 0 where it has nothing of the group."""
    return tuple((rates or {}).get(host, 0.0) for host in sorted(hosts))
