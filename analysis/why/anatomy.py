"""The anatomy of waits summed up: of a thread, of a process, of all. Its parts: `tables.gil.anatomy`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..shown import Shown
from ..tables.cpu.states import sums_of
from ..tables.gil.anatomy import ASLEEP, PARTS, STALLED
from ..tables.trace import Trace


@dataclass(frozen=True)
class Parts:
    """The parts of `waits` waits, summed up, in ns; see this module for what they are."""

    waits: int
    politeness: int
    response: int
    overtaken: int
    handoff: int
    unknown: int
    stalled_politeness: int
    stalled_response: int
    stalled_overtaken: int
    asleep_politeness: int
    asleep_response: int
    asleep_overtaken: int

    @property
    def total(self) -> int:
        """How long the waits took: the sum of the parts."""
        return self.politeness + self.response + self.overtaken + self.handoff + self.unknown

    @property
    def stalled(self) -> int:
        """For how long of it the holder could go on, and had no CPU."""
        return self.stalled_politeness + self.stalled_response + self.stalled_overtaken

    @property
    def asleep(self) -> int:
        """For how long of it the holder slept with the GIL."""
        return self.asleep_politeness + self.asleep_response + self.asleep_overtaken


@dataclass(frozen=True)
class WaitAnatomy(Shown):
    """The anatomy of all waits of a trace.

    `threads` and `processes` are in the order of the trace's. `scheduled`: the scheduler was recorded, so
    that 0 stalled and 0 asleep ns mean that the holders ran.
    """

    whole: Parts
    processes: tuple[Parts, ...]
    threads: tuple[Parts, ...]
    scheduled: bool


def wait_anatomy(trace: Trace) -> WaitAnatomy:
    """Return the totals of a trace's ANATOMY table: of each thread, of each process, and of all."""
    if trace.folded is not None:
        of_thread = trace.folded.parts
    else:
        waits = np.searchsorted(trace.waits["thread"], np.arange(len(trace.threads) + 1))
        names = (*PARTS, *STALLED, *ASLEEP)
        of_thread = np.stack(
            [np.diff(waits), *(sums_of(trace.anatomy[name], waits) for name in names)], axis=1
        )
    of_process = [of_thread[trace.threads_of(process)].sum(axis=0) for process in trace.processes]
    return WaitAnatomy(
        whole=Parts(*of_thread.sum(axis=0).tolist()),
        processes=tuple(Parts(*sums.tolist()) for sums in of_process),
        threads=tuple(Parts(*sums) for sums in of_thread.tolist()),
        scheduled=trace.scheduling is not None,
    )
