"""Two recordings, or two sets of them: what changed, figure by figure.

Things of both sides are the same if they have the same name: processes by their command line, threads within
their process by their name (names with numbers that Python gives, "Thread-3 (work)", by order), code by
function and file, locks by what they are called, several of one name together. Lines are not compared, as
they move. Several threads or processes of one name are matched by order.

Of several runs of a side a figure is their median, with the least and the greatest beside it. It has changed
(`Change.beyond_spread`) if the ranges of the two sides don't overlap; with one run a side nobody can tell.
"""

from __future__ import annotations

import re
import statistics as of_numbers
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from ..errors import GilscopeError
from ..measures.statistics import statistics
from ..states import STATES, WITH_CPUS
from ..tables.trace import Trace
from ..why.code.charges import code_blame
from .limits.gate import FIGURES, Subject

OF_THREADS: Final = ("wall", "hold.total", "wait.total", "wait.count", "wait.p99", "wait.max")
OF_ALL: Final = (*OF_THREADS, "switches", "requested")
OF_LOCKS: Final = ("lock.wait.total", "lock.wait.count", "lock.wait.p99", "lock.wait.max")
OF_PAUSES: Final = ("pause.count", "pause.total", "pause.max")
CPU_STATES: Final = tuple(STATES[state] for state in WITH_CPUS)

_GIVEN: Final = re.compile(r"(Thread|ThreadPoolExecutor|Dummy|Process|asyncio|thread)[-_ ]\d+(_\d+)?")

Key = tuple[str, str, str]
"""(kind, process, name): ("all", "", ""), ("process", "a.py", ""), ("thread", "a.py", "worker"), …"""


@dataclass(frozen=True)
class Change:
    """One figure of one thing, in both sides: None where a run has no such thing, or no value of it.

    `unit` is "time" (ns), "share" (of 1) or "count".
    """

    kind: str
    """"all", "process", "thread", "lock" or "code"."""
    process: str
    name: str
    figure: str
    unit: str
    before: tuple[float | None, ...]
    after: tuple[float | None, ...]

    @property
    def medians(self) -> tuple[float | None, float | None]:
        """Of each side; None: no run has a value."""
        return _median(self.before), _median(self.after)

    @property
    def relative(self) -> float | None:
        """(after - before) / before, of the medians; None where there is nothing to divide by."""
        before, after = self.medians
        return None if before is None or after is None or not before else (after - before) / before

    @property
    def beyond_spread(self) -> bool | None:
        """Whether every run of one side is above every run of the other; None with one run a side."""
        before, after = _values(self.before), _values(self.after)
        if len(self.before) + len(self.after) < 3:
            return None
        if not before or not after:
            return bool(before or after)
        return max(before) < min(after) or max(after) < min(before)


def diff(before: Trace | Sequence[Trace], after: Trace | Sequence[Trace]) -> list[Change]:
    """Return what two recordings, or sets of them, have for each figure: all first, then by process, code.

    Parameters
    ----------
    before, after : Trace or sequence of Trace
        Runs of the same program, in whatever versions.
    """
    sides = [[side] if isinstance(side, Trace) else list(side) for side in (before, after)]
    if not all(sides):
        raise GilscopeError("a comparison needs a recording on each side")
    runs = [[_figures(trace) for trace in side] for side in sides]
    keys: dict[tuple[Key, str], str] = {}
    for run in (run for side in runs for run in side):
        for key, figures in run.items():
            for figure, (unit, _) in figures.items():
                keys.setdefault((key, figure), unit)
    order = {"all": 0, "process": 1, "thread": 2, "lock": 3, "code": 4}
    things = dict.fromkeys(key for key, _ in keys)
    place = {key: at for at, key in enumerate(sorted(things, key=lambda key: order[key[0]]))}
    return [
        Change(*key, figure, unit, *(tuple(_value(run, key, figure) for run in side) for side in runs))
        for (key, figure), unit in sorted(keys.items(), key=lambda item: place[item[0][0]])
    ]


_Figures = dict[Key, dict[str, tuple[str, float | None]]]


def _figures(trace: Trace) -> _Figures:
    """Return the figures of a run, with their units."""
    found = statistics(trace)
    figures: _Figures = {("all", "", ""): _of(found, OF_ALL)}
    labels = _numbered([each.process.command or "process" for each in found.processes])
    for label, process in zip(labels, found.processes, strict=True):
        if len(found.processes) > 1:
            figures["process", label, ""] = _of(process, OF_ALL)
        names = _thread_names([each.thread.name for each in process.threads])
        for name, thread in zip(names, process.threads, strict=True):
            figures["thread", label, name] = _of(thread, OF_THREADS)
    if len(trace.lock_waits):
        figures["all", "", ""] |= _of(found, (*OF_LOCKS, *OF_PAUSES))
    for lock in found.locks.locks:
        _add(figures, ("lock", "", lock.name), (("waited for it", "time", lock.wait.total),
                                                ("waits", "count", lock.wait.count)))  # fmt: skip
    _add_code(trace, figures)
    return figures


def _of(subject: Subject, names: Sequence[str]) -> dict[str, tuple[str, float | None]]:
    found = {name: (FIGURES[name].unit, FIGURES[name].of(subject)) for name in names}
    if subject.cpu is not None:
        for kind in CPU_STATES:
            found[kind.word] = "time", subject.time[kind.state]
    return found


def _add_code(trace: Trace, figures: _Figures) -> None:
    """Add what functions are charged with: the waits of others while they held the GIL."""
    if not trace.codes:
        return
    blame = code_blame(trace)
    for row in blame.lines:
        if row["code"] < 0:
            continue
        code = trace.codes[int(row["code"])]
        where = "/".join(PurePath(code.file).parts[-2:])
        amounts = ("made others wait", "time", int(row["waited"])), ("holds", "count", int(row["holds"]))
        _add(figures, ("code", "", f"{code.name} ({where})"), amounts)


def _add(figures: _Figures, key: Key, amounts: Sequence[tuple[str, str, int]]) -> None:
    """Add amounts, (figure, unit, value), to what several things of one name have."""
    of_key = figures.setdefault(key, {})
    for name, unit, value in amounts:
        of_key[name] = unit, (of_key.get(name, (unit, 0))[1] or 0) + value


def _thread_names(names: Sequence[str]) -> list[str]:
    return _numbered([_GIVEN.sub(lambda found: f"{found[1]}-N", name) for name in names])


def _numbered(names: Sequence[str]) -> list[str]:
    """Return the names, with their order where several are the same."""
    times, seen = Counter(names), Counter[str]()
    result = []
    for name in names:
        seen[name] += 1
        result.append(f"{name} #{seen[name]}" if times[name] > 1 else name)
    return result


def _value(run: _Figures, key: Key, figure: str) -> float | None:
    value = run.get(key, {}).get(figure)
    if value is None and key[0] in ("code", "lock"):
        return 0  # nobody waited for it, or it is not there any more: that makes no difference
    return None if value is None else value[1]


def _values(side: Sequence[float | None]) -> list[float]:
    return [value for value in side if value is not None]


def _median(side: Sequence[float | None]) -> float | None:
    values = _values(side)
    return of_numbers.median(values) if values else None
