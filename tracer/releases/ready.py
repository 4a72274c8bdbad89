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

    def common(self, other: Spans) -> int:
        """Return how much of the stretches lies in another's, ns."""
        return int((other.before(self.end) - other.before(self.begin)).sum())

    def total_of(self, most: int) -> int:
        """Return how long they are together where each counts as `most` at most, ns."""
        return int(np.minimum(self.end - self.begin, most).sum())

    def within(self, begin: int, end: int) -> int:
        """Return how much of them lies between two times, ns."""
        first, last = self.before(np.array([begin, end], np.int64)).tolist()
        return int(last - first)

    def longest(self, begin: int, end: int) -> int:
        """Return the longest of them that ends between two times, ns."""
        first, last = np.searchsorted(self.end, [begin, end]).tolist()
        return int((self.end[first:last] - self.begin[first:last]).max(initial=0))


def of_thread(trace: Trace, thread: int) -> tuple[Spans, Spans, Spans]:
    """Return when a thread had a CPU, was ready without one, and slept; nothing where that was not recorded.

    It is ready after it was preempted. One that has been woken up and has no CPU yet still counts as asleep.
    """
    rows = trace.on_cpu[trace.on_cpu["thread"] == thread]
    begin, end, preempted = _off_cpu(rows)
    on = spans(rows["start"], rows["start"] + rows["duration"])
    return on, spans(begin[preempted], end[preempted]), spans(begin[~preempted], end[~preempted])


@dataclass(frozen=True)
class Others:
    """What the scheduler did with the other threads of a process, Python's or not.

    Attributes
    ----------
    thread, begin, end : ndarray of int64, shape (stretches,)
        When each had a CPU, and which of them it was, from 0 on.
    kept_off : Spans
        When one of them, or the one that they are beside, was ready without a CPU though the process did not
        have all CPUs: somebody else had it. Where its own threads have them all they wait for each other, as
        they would on a machine of their own.
    cpus : int
        How many CPUs the process may use.
    """

    thread: Int64s
    begin: Int64s
    end: Int64s
    kept_off: Spans
    cpus: int

    def least(self, within: Spans) -> int:
        """Return how long their work in some stretches takes at least, on all CPUs, ns.

        No thread's work is done by two CPUs at once.
        """
        if not len(within.begin):
            return 0
        there = (self.end > within.begin[0]) & (self.begin < within.end[-1])
        work = within.before(self.end[there]) - within.before(self.begin[there])
        of_each = np.bincount(self.thread[there], work)
        return int(max(of_each.max(initial=0), of_each.sum() / self.cpus))


def others(trace: Trace, pid: int, tid: int, cpus: int) -> Others:
    """Return what the threads of a process other than this one did; nothing where that was not recorded."""
    tasks = trace.scheduling.tasks if trace.scheduling else ()
    rows = trace.on_cpu[np.isin(trace.on_cpu["tid"], [task.tid for task in tasks if task.pid == pid])]
    begin, end, preempted = _off_cpu(rows)
    running = rows["start"], rows["start"] + rows["duration"]
    beside = rows["tid"] != tid
    return Others(
        thread=np.unique(rows["tid"][beside], return_inverse=True)[1].astype(np.int64),
        begin=running[0][beside],
        end=running[1][beside],
        kept_off=_kept_off((begin[preempted], end[preempted]), running, cpus),
        cpus=cpus,
    )


def _kept_off(ready: tuple[Int64s, Int64s], running: tuple[Int64s, Int64s], cpus: int) -> Spans:
    """Return when a thread was ready and fewer of the process ran than there are CPUs."""
    few, many = len(ready[0]), len(running[0])
    time = np.concatenate([*ready, *running])
    steps = np.zeros((2, len(time)), np.int64)
    steps[0, : 2 * few] = np.repeat([1, -1], few)
    steps[1, 2 * few :] = np.repeat([1, -1], many)
    order = np.argsort(time, kind="stable")
    waits, runs = np.cumsum(steps[:, order], axis=1)
    return _joined(time[order], (waits > 0) & (runs < cpus))


def _joined(time: Int64s, there: Bools) -> Spans:
    """Return the stretches, from time to next time, where it is so; one where it goes on being so."""
    last = np.append(time[1:] > time[:-1], True)[: len(time)]
    time, there = time[last], there[last]
    edges = np.diff(there.astype(np.int8), prepend=0)
    return spans(time[edges > 0], time[edges < 0])


def both(a: Spans, b: Spans) -> Spans:
    """Return the stretches that two have in common."""
    a, b = _near(a, b), _near(b, a)
    edges = np.unique(np.concatenate([a.begin, a.end, b.begin, b.end]))
    middle = edges[:-1]
    common = _covers(a, middle) & _covers(b, middle)
    return spans(edges[:-1][common], edges[1:][common])


def _near(of: Spans, other: Spans) -> Spans:
    """Return the stretches that have something in common with the other's."""
    near = other.before(of.end) > other.before(of.begin)
    return spans(of.begin[near], of.end[near])


def _covers(spans: Spans, time: Int64s) -> Bools:
    """Whether the stretches have each time, or begin there."""
    at = np.searchsorted(spans.end, time, "right")
    found: Bools = np.append(spans.begin, np.iinfo(np.int64).max)[at] <= time
    return found


def spans(begin: Int64s, end: Int64s) -> Spans:
    """Return the stretches between times that are in order."""
    return Spans(begin, end, np.concatenate([[0], np.cumsum(end - begin)]).astype(np.int64))


def _off_cpu(on: Table) -> tuple[Int64s, Int64s, Bools]:
    """Return begin and end of what is between rows of one tid, and whether it had been preempted."""
    begin = (on["start"] + on["duration"])[:-1]
    end = on["start"][1:]
    there = (on["tid"][:-1] == on["tid"][1:]) & (end > begin)
    return begin[there], end[there], on["preempted"][:-1].astype(bool)[there]
