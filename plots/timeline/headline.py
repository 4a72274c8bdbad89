"""The title of a figure: what it shows, in one short sentence with its figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from analysis.measures.switch_interval import intervals_in
from analysis.model import State
from analysis.report.pools import alike
from analysis.report.reservations import in_part

from ..text import percent
from ..timeaxis import NBSP, duration
from .view import View
from .window import Window

if TYPE_CHECKING:
    from analysis.tables.trace import Trace

Floats = npt.NDArray[np.float64]


_RIVAL: Final = 0.1
"""A thread is a rival for the GIL when it waits this share of its life; shorter lives count for less."""

_USED: Final = 0.02

_MOSTLY: Final = 0.4

_WANTED: Final = 0.3
"""CPUs that threads without the GIL wanted on average, from which on the title says so."""


@dataclass(frozen=True)
class Measures:
    """What is known of the window.

    `holding`, `waiting`: each thread's share of the window; `shares`: of its life in it. `held`: each GIL's
    share of its process's life. `waited`: the share of the window in which at least one thread waited, None
    where that was not computed. `holds`: how many there are. With CPUs, `stalled` and `asleep`: the share of
    the window in which a GIL's holder wanted one, and slept; `native`: each thread's share in which it
    computed without the GIL; `ready`: how many wanted a CPU for that, on average. `lives`: each thread's
    share of the window that it was there.
    """

    holding: Floats
    waiting: Floats
    shares: list[tuple[float, float]]
    held: dict[int, float]
    waited: float | None
    holds: int
    stalled: float = 0.0
    native: Floats | None = None
    asleep: float = 0.0
    ready: float = 0.0
    lives: Floats | None = None

    @property
    def rivals(self) -> list[tuple[float, float]]:
        """The shares of the threads that wait for the GIL for a good part of their lives."""
        return [
            share
            for thread, share in enumerate(self.shares)
            if share[1] >= _RIVAL and self.waiting[thread] >= _USED
        ]

    @classmethod
    def of(cls, view: View, waited: float | None) -> Measures:
        """Return the measures of a view."""
        times = view.times / view.window.span
        shares = [view.share(thread) for thread in range(len(times))]
        of_gil = (times[:, 0], times[:, 1], shares, view.gil_shares, waited, view.holds)
        lives = np.array([view.life(thread) for thread in range(len(times))]) / view.window.span
        if not view.cpus:
            return cls(*of_gil, lives=lives)
        native = view.state_times[:, State.NATIVE] / view.window.span
        together = view.state_times.sum(axis=0) / view.window.span
        stalled, asleep, ready = together[[State.STALLED, State.HOLDING_ASLEEP, State.READY]].tolist()
        return cls(*of_gil, stalled, native, asleep, ready, lives)


def headline(trace: Trace, window: Window, measures: Measures) -> str:
    """Return the finding for a window, some ten words."""
    finding = window.finding or _finding(trace, measures)
    return f"{in_part(trace)}{finding}"


def _finding(trace: Trace, measures: Measures) -> str:
    total, waits = float(measures.holding.sum()), float(measures.waiting.sum())
    native = float(measures.native.sum()) if measures.native is not None else 0.0
    if not total and not waits:
        if native:
            return _without_gil(measures, native)
        unknown = any("unrecorded" in process.environment for process in trace.processes)
        return "No GIL was recorded" if unknown else "Nobody used the GIL"
    if measures.stalled >= max(_RIVAL, _MOSTLY * total):
        part = percent(measures.stalled / total)
        return f"{part} of the time that the GIL is held, its holder has no CPU"
    if measures.asleep >= max(_RIVAL, _MOSTLY * total):
        part = percent(measures.asleep / total)
        return f"{part} of the time that the GIL is held, its holder sleeps"
    lost = waits >= max(0.05 * (total + waits), _USED)
    if native >= _MOSTLY and native > total and not (lost and measures.rivals):
        return _without_gil(measures, native)
    used = [share for share in measures.held.values() if share >= _USED]
    if lost:
        return _of_pool(trace, measures) or _contended(measures, used, waits)
    nobody = "nobody waits" if not waits else "hardly anybody waits"
    if len(used) > 1:
        owners = "process" if len({trace.gils[g].process for g in measures.held}) > 1 else "interpreter"
        return f"{len(used)} GILs, one for each {owners}: {nobody}"
    if total < 0.5:
        return f"The GIL is free {percent(1 - total)} of the time: {nobody}"
    workers = _workers(measures.holding)
    who = "One thread holds" if workers == 1 else f"{workers:,} threads hold"
    return f"{who} the GIL {percent(total)} of the time: {nobody}"


def _without_gil(measures: Measures, native: float) -> str:
    assert measures.native is not None
    workers = _workers(measures.native)
    who = "One thread computes" if workers == 1 else f"{workers:,} threads compute"
    without = " without the GIL" if measures.held else ""
    more = f", {_number(measures.ready)} more wanted" if measures.ready >= _WANTED else ""
    return f"{who}{without}: {_number(native)} CPUs busy{more or ' on average'}"


def _workers(shares: Floats) -> int:
    """Return how many threads have a share worth counting; of many with little each, all that have one."""
    return int((shares >= _USED).sum() or (shares > 0).sum())


def _contended(measures: Measures, used: list[float], waits: float) -> str:
    if len(used) > 1:
        return f"{len(used)} GILs, {extent(used)} held: on average {_number(waits)} threads wait"
    rivals = measures.rivals
    if len(rivals) == 2:
        return f"2 threads share one GIL: each holds it {extent([hold for hold, _ in rivals])} of its life"
    if len(rivals) > 2:
        return f"{len(rivals)} threads share one GIL: each waits {extent([w for _, w in rivals])} of its life"
    if measures.waited is not None:
        return f"Somebody waits for the GIL {percent(measures.waited)} of the time"
    return f"On average {_number(waits)} threads wait for the GIL"


def _of_pool(trace: Trace, measures: Measures) -> str:
    """Return what there is to say of short threads, if they are those that hold the GIL: "" if not."""
    if measures.lives is None or (len(trace.processes) > 1 and len(measures.held) > 1):
        return ""
    for name, members in alike(trace.threads, measures.lives.tolist(), 1.0):
        held, waited = float(measures.holding[members].sum()), float(measures.waiting[members].sum())
        life = float(measures.lives[members].sum())
        if held >= 0.5 * float(measures.holding.sum()) and life:
            many = f"{len(members):,} short threads ({name})"
            if waited >= _RIVAL * life:
                return f"{many} share one GIL: they wait {percent(waited / life)} of their lives"
            return f"{many} hold the GIL {percent(held)} of the time"
    return ""


def _number(value: float) -> str:
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def extent(shares: list[float]) -> str:
    """Return the least and the greatest of some shares: "31 – 98 %"."""
    low, high = round(100 * min(shares)), round(100 * max(shares))
    return f"{high}{NBSP}%" if low == high else f"{low} – {high}{NBSP}%"


def subtitle(trace: Trace, window: Window, measures: Measures) -> str:
    """Return the figures under the title."""
    length = duration(trace.end - trace.begin)
    if window.whole:
        shown = length
    else:
        shown = f"{duration(window.span)}, from {duration(window.start - trace.begin)} of {length}"
    used = [share for share in measures.held.values() if share > 0]
    if not trace.gils:
        held = shown
    elif len(used) > 1:
        held = f"{shown} · {len(used)} GILs held {extent(used)}"
    else:
        held = f"GIL held {percent(sum(used))} of {shown}"
    parts = [held]
    if trace.gils:
        parts.append(f"{measures.holds:,} hold{'' if measures.holds == 1 else 's'}")
    if trace.processes:
        process = trace.processes[0]
        intervals = intervals_in(trace)
        if intervals:
            parts.append("switch interval " + ", ".join(map(duration, intervals)))
        versions = {f"{p.python_implementation} {p.python_version}".strip() for p in trace.processes} - {""}
        if versions:
            parts.append(", ".join(sorted(versions)))
        cpus = process.environment.get("cpus")
        if cpus:
            parts.append(f"{cpus} CPU{'' if cpus == 1 else 's'}")
    return " · ".join(parts)


def warnings(trace: Trace) -> list[str]:
    """Return what a reader must know before believing the figure: losses and early ends."""
    found, unrecorded = [], 0
    lost = sum(process.discarded for process in trace.processes)
    if lost:
        found.append(f"{lost:,} event{'' if lost == 1 else 's'} lost")
    if trace.scheduling is not None and trace.scheduling.lost:
        lost = trace.scheduling.lost
        found.append(f"{lost:,} scheduler record{'' if lost == 1 else 's'} lost")
    for process in trace.processes:
        which = f"process {process.pid} " if len(trace.processes) > 1 else ""
        when = duration(process.end - trace.begin)
        if process.ended == "killed":
            found.append(f"{which}{'killed' if process.signal else 'no end recorded: last seen'} at {when}")
        elif process.ended == "failed":
            found.append(f"{which}recording ended early, at {when}: {process.failure}")
        elif "unrecorded" in process.environment:
            unrecorded += 1
    if unrecorded:
        found.append(f"{unrecorded} Python{'' if unrecorded == 1 else 's'} not recorded")
    return found if len(found) <= 3 else [*found[:2], f"{len(found) - 2} more like this"]
