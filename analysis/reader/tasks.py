"""Tasks: the lives of tids, told apart by their exits."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from ..arrays import Bytes, Int64s, among
from .format import Name, Sched
from .names import Names
from .records import NameRecord

_OF_TASKS = (Name.TASK, Name.TASK_EXIT, Name.TASK_EXEC, Name.TASK_PYTHON, Name.TASK_INNER)
_REMEMBERED = 128
_INNER = re.compile(r"([0-9]{1,19}) ([0-9]{1,9})")
_TASK = re.compile(r"([0-9]{1,9}) ([0-9]{1,9}) (.*)", re.DOTALL)


@dataclass(frozen=True)
class Task:
    """One life of a tid, as the scheduler saw it; `begin` to `end` in ns."""

    tid: int
    pid: int
    ppid: int
    comm: str
    """Its last name in the OS; "" if none was recorded."""
    begin: int
    end: int
    exited: bool
    """Its exit was seen: `end` is that."""
    named: tuple[tuple[int, str], ...] = ()
    """When it was given which name: at its start, by itself, by an exec."""
    execs: tuple[int, ...] = ()
    """When it became another program."""
    python: tuple[int, ...] = ()
    """When its process, if it is the main thread, got an interpreter of Python; an exec ends that."""
    inner: int = 0
    """Its id in the pid namespace that it is in; 0: that is ours, or it was gone before it could be asked."""
    namespace: int = 0
    """The inode of that namespace; 0: ours, or not known."""

    @property
    def main(self) -> bool:
        """Whether it is its process's first thread."""
        return self.tid == self.pid

    @property
    def of_recorder(self) -> bool:
        """Whether it is one of the threads that the recorder itself has in a process (base/aside.h)."""
        return not self.main and (self.comm == "gilscope" or self.comm.startswith("gilscope "))


def find_tasks(
    tids: Sequence[int], first: Int64s, time: Int64s, kind: Bytes, names: Names, end: int
) -> tuple[tuple[Task, ...], Int64s]:
    """Return the tasks, sorted by (tid, begin), and where the events of each one begin.

    Parameters
    ----------
    tids : sequence of int
        Ascending.
    first : ndarray of int64, shape (len(tids) + 1,)
        tids[i] has the events first[i] to first[i + 1], in time order.
    end : int
        Where the lives end whose exit was not seen.
    """
    records: dict[int, list[NameRecord]] = {}
    for record in names.records.of(*_OF_TASKS):
        records.setdefault(record.ref, []).append(record)
    events = dict(zip(tids, zip(first[:-1].tolist(), first[1:].tolist(), strict=True), strict=True))
    tasks: list[Task] = []
    bounds: list[int] = [0]
    for tid in sorted({*events, *records}):
        at, stop = events.get(tid, (bounds[-1], bounds[-1]))
        for life in _lives(records.get(tid, [])):
            exited = bool(life) and life[-1].kind == Name.TASK_EXIT
            last = stop
            if exited:
                last = at + int(np.searchsorted(time[at:stop], life[-1].time, "right"))
                # It may be told that it exits just before it leaves its CPU for the last time.
                if last < stop and kind[last] != Sched.SCHED_IN:
                    last += 1
            if at == last and not life:
                continue
            tasks.append(_task(tid, life, time[at:last], end))
            bounds.append(last)
            at = last
    return tuple(tasks), np.array(bounds, np.int64)


def without_gone(names: Names, tids: Collection[int], begin: int) -> Names:
    """Return the names without those of threads that had exited before a time, and have no events.

    A process's first thread is kept: it says what became of the process.

    Parameters
    ----------
    tids : collection of int
        That have events.
    begin : int
        ns.
    """
    records = names.records
    exits = records.which(Name.TASK_EXIT)
    exits = exits[(records.time[exits] < begin) & ~among(records.ref[exits], tids)]
    gone = dict(zip(records.ref[exits].tolist(), exits.tolist(), strict=True))
    if not gone:
        return names
    starts = records.which(Name.TASK)
    for record in records.at(starts[among(records.ref[starts], gone)]):
        if _parsed(record.text)[0] in (0, record.ref):
            gone.pop(record.ref, None)
    refs = np.array(sorted(gone), np.int64)
    until = np.array([gone[ref] for ref in refs.tolist()], np.int64)
    of_tasks = np.flatnonzero(among(records.kind, _OF_TASKS) & among(records.ref, gone))
    kept = np.ones(len(records), bool)
    kept[of_tasks] = of_tasks > until[np.searchsorted(refs, records.ref[of_tasks])]
    return replace(names, records=records.only(kept))


def _lives(records: list[NameRecord]) -> list[list[NameRecord]]:
    """Split a tid's records behind each exit; what is after the last one may be a life without a record."""
    lives: list[list[NameRecord]] = [[]]
    for record in records:
        lives[-1].append(record)
        if record.kind == Name.TASK_EXIT:
            lives.append([])
    return lives


def _task(tid: int, life: list[NameRecord], time: Int64s, end: int) -> Task:
    exited = bool(life) and life[-1].kind == Name.TASK_EXIT
    begin = min(
        record_or_event for record_or_event in [*(record.time for record in life[:1]), *time[:1].tolist()]
    )
    if exited:
        end = max([life[-1].time, *time[-1:].tolist()])
    said = [(record.time, _parsed(record.text)) for record in life if record.kind == Name.TASK]
    pid, ppid, comm = said[-1][1] if said else (tid, 0, "")
    named = tuple((when, name) for when, (_, _, name) in said)
    times = {
        kind: tuple(record.time for record in life if record.kind == kind)
        for kind in (Name.TASK_EXEC, Name.TASK_PYTHON)
    }
    inside = [_INNER.fullmatch(record.text) for record in life if record.kind == Name.TASK_INNER]
    where = inside[-1] if inside else None
    return Task(
        tid=tid,
        pid=pid or tid,
        ppid=ppid,
        comm=comm,
        begin=begin,
        end=max(begin, end),
        exited=exited,
        named=named,
        execs=times[Name.TASK_EXEC],
        python=times[Name.TASK_PYTHON],
        inner=int(where[2]) if where else 0,
        namespace=int(where[1]) if where else 0,
    )


@lru_cache(_REMEMBERED)  # threads of a process have the same
def _parsed(text: str) -> tuple[int, int, str]:
    """Return pid, ppid and name of "<pid> <ppid> <name>"; a name alone is one too."""
    said = _TASK.fullmatch(text)
    return (int(said[1]), int(said[2]), said[3]) if said else (0, 0, text)
