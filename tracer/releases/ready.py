"""When a thread was ready but had no CPU: the kernel took it away, and gave one back later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.arrays import Bools, Int64s, Table
from analysis.tables.trace import Trace


@dataclass(frozen=True)
class Spans:
    """Stretches of time, in order and apart; `total[i]` is how long those before the i-th are together."""

    begin: Int64s
    end: Int64s
    total: Int64s

    def before(self, time: Int64s) -> Int64s:
        """Return how much of the stretches lies before each time, ns."""
        at = np.searchsorted(self.end, time)
        inside = np.maximum(time - np.append(self.begin, np.iinfo(np.int64).max)[at], 0)
        found: Int64s = self.total[at] + inside
        return found

    def count(self, begin: int, end: int) -> int:
        """Return how many of them end between two times."""
        first, last = np.searchsorted(self.end, [begin, end]).tolist()
        return int(last - first)

    def within(self, begin: int, end: int) -> int:
        """Return how much of them lies between two times, ns."""
        first, last = self.before(np.array([begin, end], np.int64)).tolist()
        return int(last - first)

    def longest(self, begin: int, end: int) -> int:
        """Return the longest of them that ends between two times, ns."""
        first, last = np.searchsorted(self.end, [begin, end]).tolist()
        return int((self.end[first:last] - self.begin[first:last]).max(initial=0))


def ready_spans(trace: Trace, thread: int) -> Spans:
    """Return when a thread was ready without a CPU; nothing where the scheduler was not recorded.

    That is after it was preempted. One that has been woken up and has no CPU yet still counts as asleep.
    """
    begin, end, preempted = _off_cpu(trace.on_cpu[trace.on_cpu["thread"] == thread])
    return _spans(begin[preempted], end[preempted])


def sleep_spans(trace: Trace, thread: int) -> Spans:
    """Return when a thread slept, until it had a CPU again; nothing where the scheduler was not recorded."""
    begin, end, preempted = _off_cpu(trace.on_cpu[trace.on_cpu["thread"] == thread])
    return _spans(begin[~preempted], end[~preempted])


@dataclass(frozen=True)
class Others:
    """Stretches in which other threads of a process were ready without a CPU; of several at once, too."""

    begin: Int64s
    end: Int64s

    def within(self, begin: int, end: int) -> int:
        """Return how much of them lies between two times, all together, ns."""
        inside = np.minimum(self.end, end) - np.maximum(self.begin, begin)
        return int(np.maximum(inside, 0).sum())

    def longest(self, begin: int, end: int) -> int:
        """Return the longest of them that ends between two times, ns."""
        there = (self.end >= begin) & (self.end < end)
        return int((self.end - self.begin)[there].max(initial=0))


def ready_others(trace: Trace, pid: int, tid: int) -> Others:
    """Return when threads of a process other than this one, Python's or not, were ready without a CPU."""
    tasks = trace.scheduling.tasks if trace.scheduling else ()
    tids = sorted({task.tid for task in tasks if task.pid == pid} - {tid})
    begin, end, preempted = _off_cpu(trace.on_cpu[np.isin(trace.on_cpu["tid"], tids)])
    return Others(begin[preempted], end[preempted])


def _spans(begin: Int64s, end: Int64s) -> Spans:
    return Spans(begin, end, np.concatenate([[0], np.cumsum(end - begin)]).astype(np.int64))


def _off_cpu(on: Table) -> tuple[Int64s, Int64s, Bools]:
    """Return begin and end of what is between rows of one tid, and whether it had been preempted."""
    begin = (on["start"] + on["duration"])[:-1]
    end = on["start"][1:]
    there = (on["tid"][:-1] == on["tid"][1:]) & (end > begin)
    return begin[there], end[there], on["preempted"][:-1].astype(bool)[there]
