"""When a thread was ready but had no CPU: the kernel took it away, and gave one back later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.arrays import Int64s
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

    def within(self, begin: int, end: int) -> int:
        """Return how much of them lies between two times, ns."""
        first, last = self.before(np.array([begin, end], np.int64)).tolist()
        return int(last - first)


def ready_spans(trace: Trace, thread: int) -> Spans:
    """Return when a thread was ready without a CPU; nothing where the scheduler was not recorded.

    That is after it was preempted. One that has been woken up and has no CPU yet still counts as asleep.
    """
    on = trace.on_cpu[trace.on_cpu["thread"] == thread]
    begin = (on["start"] + on["duration"])[:-1]
    end = on["start"][1:]
    preempted = on["preempted"][:-1].astype(bool) & (end > begin)
    begin, end = begin[preempted], end[preempted]
    return Spans(begin, end, np.concatenate([[0], np.cumsum(end - begin)]).astype(np.int64))
