"""Which part of a trace a figure shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from analysis.errors import GilscopeError
from analysis.measures.switch_interval import interval_of_process, intervals_in
from analysis.states import WITH_CPUS, State

from ..timeaxis import duration, parse_time

if TYPE_CHECKING:
    from analysis.tables.trace import Trace

_LONGEST: Final = {
    "largest-wait": (State.WAITING, "The longest wait", "waited {} for the GIL", "wait for the GIL"),
    "largest-hold": (State.HOLDING, "The longest hold", "held the GIL for {}", "hold of the GIL"),
    "largest-stall": (
        State.STALLED,
        "The longest stall",
        "had the GIL and no CPU for {}",
        "hold of the GIL known to want a CPU",
    ),
    "largest-sleep": (
        State.HOLDING_ASLEEP,
        "The longest sleep with the GIL",
        "slept for {}",
        "hold of the GIL known to sleep",
    ),
}

AROUND: Final = tuple(_LONGEST)

_MARGIN: Final = 0.35
"""What is shown before and after, as a share of what the figure is around."""

_INTERVALS: Final = 4
"""A figure around something shows at least so many switch intervals: what led to it."""


class PlotError(GilscopeError):
    """A figure can't be drawn as asked; the message is one line for people."""


@dataclass(frozen=True)
class Window:
    """From `start` to `end`, ns of CLOCK_MONOTONIC.

    `whole`: all of the trace. `finding`: what a window that was looked for shows, for the title; `focus`:
    the interval that it is, as (thread, start, end).
    """

    start: int
    end: int
    whole: bool
    finding: str | None = None
    focus: tuple[int, int, int] | None = None

    @property
    def span(self) -> int:
        """The window's length in ns, at least 1."""
        return self.end - self.start


def window(trace: Trace, start: int | None, end: int | None, around: str | None = None) -> Window:
    """Return the window between two times (ns since the trace's begin), or around something.

    Raises
    ------
    PlotError
        If nothing of the trace is in it, or there is nothing of what it should be around.
    """
    if around is not None:
        if start is not None or end is not None:
            raise PlotError("--around chooses the window: leave out --start and --end")
        return _around(trace, around)
    length = trace.end - trace.begin
    first = 0 if start is None else start
    last = length if end is None else min(end, length)
    if start is None and end is None:
        return Window(trace.begin, max(trace.end, trace.begin + 1), whole=True)
    if first >= length:
        raise PlotError(f"the trace is {duration(length)} long: nothing to draw from {duration(first)} on")
    if last <= first:
        raise PlotError(
            f"nothing to draw from {duration(first)} to {duration(max(0, last))}: the end must be later"
        )
    return Window(trace.begin + first, trace.begin + last, whole=first <= 0 and last >= length)


def _around(trace: Trace, around: str) -> Window:
    if around in AROUND:
        state, name, verb, missing = _LONGEST[around]
        intervals = trace.states_by_column if state in WITH_CPUS else trace.intervals_by_column
        found = np.flatnonzero(intervals.state == state)
        if not len(found):
            raise PlotError(f"no window {around}: there is no {missing} in this trace")
        longest = found[int(intervals.duration[found].argmax())]
        begin, length = int(intervals.start[longest]), int(intervals.duration[longest])
        thread = trace.threads[int(np.searchsorted(intervals.first, longest, side="right")) - 1]
        finding = f"{name}: {thread.name} {verb.format(duration(length))}"
        focus: tuple[int, int, int] | None = (thread.index, begin, begin + length)
        interval = interval_of_process(trace, thread.process)
    else:
        try:
            begin = trace.begin + parse_time(around)
        except ValueError:
            raise PlotError(
                f"around what? {around!r} is none of {', '.join(AROUND)}, nor a time (12ms)"
            ) from None
        if begin >= trace.end:
            raise PlotError(
                f"the trace is {duration(trace.end - trace.begin)} long: {around} is after its end"
            )
        length, finding, focus = 0, None, None
        interval = max(intervals_in(trace), default=0)
    span = max(int(length * (1 + 2 * _MARGIN)), _INTERVALS * interval, 1000)
    start = max(trace.begin, begin + length // 2 - span // 2)
    end = min(max(trace.end, trace.begin + 1), start + span)
    start = max(trace.begin, end - span)
    return Window(start, end, start <= trace.begin and end >= trace.end, finding, focus)
