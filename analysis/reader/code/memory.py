"""What code each process had in memory, and where: mapped files, as the kernel told of them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from ...arrays import Int64s, UInt64s
from ..format import Name
from ..names import Names
from ..records import NameRecord
from ..tasks import Task

_TEXT: Final = re.compile(r"([0-9a-f]{1,16}) ([0-9a-f]{1,16}) ([0-9a-f]{1,15}) (.*)", re.DOTALL)
_FOREBEARS: Final = 64


class Mapping(NamedTuple):
    """Code in memory from `begin` to `end`, since a time; `offset` is of its first byte, in its file."""

    since: int
    begin: int
    end: int
    offset: int
    path: str


class Memory:
    """The mappings of all processes."""

    def __init__(self, tasks: Sequence[Task], names: Names) -> None:
        self._mains: dict[int, list[Task]] = {}
        for task in tasks:
            if task.main:
                self._mains.setdefault(task.tid, []).append(task)
        self._known: dict[tuple[int, int], list[list[Mapping]]] = {}
        self._told: dict[int, list[NameRecord]] = {}
        for record in names.records.of(Name.TASK_MAP):
            self._told.setdefault(record.ref, []).append(record)

    def process_of(self, task: Task) -> Task | None:
        """Return the main task of the process that a task is of."""
        return self._main(task.pid, task.begin)

    def mappings(self, main: Task) -> list[list[Mapping]]:
        """Return a process's mappings, in order: those from its beginning, and from each exec on."""
        return self._mappings(main, _FOREBEARS)

    def _mappings(self, main: Task, generations: int) -> list[list[Mapping]]:
        key = main.tid, main.begin
        if key not in self._known:
            lives = [self._inherited(main, generations), *([] for _ in main.execs)]
            for record in self._told.get(main.tid, ()):
                found = _TEXT.fullmatch(record.text)
                if found is not None and main.begin <= record.time <= main.end:
                    begin, end, offset = (int(found[number], 16) for number in (1, 2, 3))
                    mapping = Mapping(record.time, begin, end, offset, found[4])
                    lives[bisect_right(main.execs, record.time)].append(mapping)
            self._known[key] = lives
        return self._known[key]

    def _inherited(self, main: Task, generations: int) -> list[Mapping]:
        """A process begins with a copy of its parent's memory."""
        parent = self._main(main.ppid, main.begin) if generations else None
        if parent is None or parent is main:
            return []
        lives = self._mappings(parent, generations - 1)
        of_parent = lives[bisect_right(parent.execs, main.begin)]
        return [each._replace(since=main.begin) for each in of_parent if each.since <= main.begin]

    def _main(self, pid: int, time: int) -> Task | None:
        return next(
            (task for task in reversed(self._mains.get(pid, ())) if task.begin <= time <= task.end), None
        )


def find(mappings: Sequence[Mapping], time: Int64s, address: UInt64s) -> Int64s:
    """Return for each address which mapping it is in at its time: the last that was made there; -1: none."""
    which = np.full(len(address), -1, np.int64)
    order = np.argsort(address, kind="stable")
    ordered = address[order]
    for number, mapping in enumerate(mappings):
        bounds = np.searchsorted(ordered, np.array([mapping.begin, mapping.end], np.uint64))
        inside = order[bounds[0] : bounds[1]]
        which[inside[time[inside] >= mapping.since]] = number
    return which
