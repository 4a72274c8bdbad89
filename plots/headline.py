"""The title of a figure: what it shows, in one short sentence with its figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .coverage import Times
from .text import percent
from .timeaxis import NBSP, duration
from .window import Window

if TYPE_CHECKING:
    from analysis.trace import Trace


@dataclass(frozen=True)
class Measures:
    """What is known of the window: times in ns, shares of the window's length.

    `times` is `coverage.totals` over `rows.COUNTED`; `held` each used GIL's share; `waited` the share of the
    time in which at least one thread waited, None where that was not computed; `holds` how many holds.
    """

    times: Times
    held: dict[int, float]
    waited: float | None
    holds: int


def headline(trace: Trace, window: Window, measures: Measures) -> str:
    """Return the finding for a window, some ten words."""
    if window.finding:
        return window.finding
    holding = measures.times[:, 0] / window.span
    waiting = measures.times[:, 1] / window.span
    used = [share for share in measures.held.values() if share >= 0.02]
    total, waits = float(holding.sum()), float(waiting.sum())
    if not total and not waits:
        return "Nobody used the GIL"
    if waits >= 0.05 * (total + waits):
        if len(used) > 1:
            return f"{len(used)} GILs, {extent(used)} held: on average {_number(waits)} threads wait"
        rivals = [t for t in range(len(holding)) if holding[t] + waiting[t] >= 0.1 and waiting[t] >= 0.02]
        crowd = f"{len(rivals)} threads share one GIL"
        shares = sorted((holding[t] for t in rivals), reverse=True)
        if 2 <= len(rivals) <= 3:
            parts = " + ".join(percent(float(share)) for share in shares)
            return f"{len(rivals)} threads share one core's worth of Python: {parts}"
        if len(rivals) > 3:
            return f"{crowd}: on average {_number(waits)} of them wait"
        if measures.waited is not None:
            return f"Somebody waits for the GIL {percent(measures.waited)} of the time"
        return f"On average {_number(waits)} threads wait for the GIL"
    nobody = "nobody waits" if not waits else "hardly anybody waits"
    if len(used) > 1:
        owners = "process" if len({trace.gils[g].process for g in measures.held}) > 1 else "interpreter"
        return f"{len(used)} GILs, one for each {owners}: {nobody}"
    if total < 0.5:
        return f"The GIL is free {percent(1 - total)} of the time: {nobody}"
    workers = int((holding >= 0.02).sum())
    who = "One thread holds" if workers == 1 else f"{workers} threads hold"
    return f"{who} the GIL {percent(total)} of the time: {nobody}"


def _number(value: float) -> str:
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def extent(shares: list[float]) -> str:
    """Return the least and the greatest of some shares: "31 – 98 %"."""
    low, high = percent(min(shares)), percent(max(shares))
    return high if low == high else f"{low.split(NBSP)[0]} – {high}"


def subtitle(trace: Trace, window: Window, measures: Measures) -> str:
    """Return the figures under the title."""
    length = duration(trace.end - trace.begin)
    if window.whole:
        shown = length
    else:
        shown = f"{duration(window.span)}, from {duration(window.start - trace.begin)} of {length}"
    used = [share for share in measures.held.values() if share > 0]
    if len(used) > 1:
        held = f"{len(used)} GILs held {extent(used)} of {shown}"
    else:
        held = f"GIL held {percent(sum(used))} of {shown}"
    parts = [held, f"{measures.holds:,} hold{'' if measures.holds == 1 else 's'}"]
    if trace.processes:
        process = trace.processes[0]
        intervals = sorted({p.switch_interval for p in trace.processes if p.switch_interval})
        if intervals:
            parts.append("switch interval " + ", ".join(map(duration, intervals)))
        versions = sorted({f"{p.python_implementation} {p.python_version}" for p in trace.processes})
        parts.append(", ".join(versions))
        cpus = process.environment.get("cpus")
        if cpus:
            parts.append(f"{cpus} CPU{'' if cpus == 1 else 's'}")
    return " · ".join(parts)


def warnings(trace: Trace) -> list[str]:
    """Return what a reader must know before believing the figure: losses and early ends."""
    found = []
    lost = sum(process.discarded for process in trace.processes)
    if lost:
        found.append(f"{lost:,} event{'' if lost == 1 else 's'} lost")
    for process in trace.processes:
        which = f"process {process.pid} " if len(trace.processes) > 1 else ""
        if process.ended == "killed":
            found.append(f"{which}killed at {duration(process.end - trace.begin)}")
        elif process.ended == "failed":
            found.append(f"{which}recording failed at {duration(process.end - trace.begin)}")
    return found if len(found) <= 3 else [*found[:2], f"{len(found) - 2} processes more cut off"]
