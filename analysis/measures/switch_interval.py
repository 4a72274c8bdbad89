"""The switch interval that threads waited for: a program may set it while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model import DEFAULT_INTERVAL as DEFAULT_INTERVAL

if TYPE_CHECKING:
    from ..tables.trace import Trace


def interval_of_process(trace: Trace, process: int) -> int:
    """Return the longest switch interval of a process's GILs, ns; without one what it began with."""
    mine = [trace.switch_intervals[gil.index] for gil in trace.gils if gil.process == process]
    return max(mine, default=trace.processes[process].switch_interval)


def intervals_in(trace: Trace) -> list[int]:
    """Return the switch intervals in a trace, ns: each once, ascending, without those that are not known."""
    without = {process.index for process in trace.processes} - {gil.process for gil in trace.gils}
    stated = {trace.processes[process].switch_interval for process in without}
    return sorted({*trace.switch_intervals, *stated} - {0})
