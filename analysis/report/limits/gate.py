"""Limits for figures of a trace: "wait.p99 > 2ms" fails.

    figure op value      op is one of > >= < <= == !=

A figure is one of `FIGURES`, of the whole trace, or of one thread or process: `thread[NAME].wait.p99`,
`process[PID].wait.p99`. NAME may have * and ?; a limit for several threads holds for each of them. A figure
of no waits (holds, stalls) but their count and total is none, and none keeps every limit. A thread that
isn't there, and a figure that was not recorded, are errors: a limit that nothing can break protects nobody.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from ...errors import GilscopeError, there
from ...measures.distribution import Distribution
from ...measures.statistics import GilStatistics, ProcessStatistics, Statistics, ThreadStatistics, statistics
from ...tables.trace import Trace
from ...units import duration, share
from . import quantities

Subject = Statistics | ProcessStatistics | ThreadStatistics


class LimitError(GilscopeError):
    """This is no limit, or one for what is not in the trace."""


@dataclass(frozen=True)
class Figure:
    """One figure that may have a limit."""

    name: str
    unit: str
    """"time" (ns), "share" (of 1) or "count"."""
    meaning: str
    of: Callable[[Any], float | None]
    threads: bool = True
    """It is one of threads too."""


_MEANING: Final = {
    "min": "shortest",
    "mean": "mean",
    "p50": "median",
    "p90": "90th percentile",
    "p99": "99th percentile",
    "max": "longest",
}


def _of_distribution(
    name: str, what: str, get: Callable[[Subject], Distribution | None], *, threads: bool = True
) -> Iterator[Figure]:
    def figure(key: str) -> Callable[[Subject], float | None]:
        def value(of: Subject) -> float | None:
            found = get(of)
            if found is None:
                raise LimitError(f"{name}.{key}: the scheduler was not recorded")
            return getattr(found, key) if found.count or key in ("count", "total") else None

        return value

    yield Figure(f"{name}.count", "count", f"number of {what}", figure("count"), threads)
    yield Figure(f"{name}.total", "time", f"sum of {what}", figure("total"), threads)
    for key, meaning in _MEANING.items():
        yield Figure(f"{name}.{key}", "time", f"{meaning} of {what}", figure(key), threads)


def _of_cpu(name: str) -> Callable[[Subject], Distribution | None]:
    return lambda of: getattr(of.cpu, name) if of.cpu is not None else None


def _of_locks(name: str) -> Callable[[Subject], Distribution | None]:
    def get(of: Subject) -> Distribution | None:
        if isinstance(of, ThreadStatistics):
            found: Distribution = getattr(of, "lock" if name == "wait" else "stop")
            return found
        of_many: Distribution = getattr(of.locks, name)
        return of_many

    return get


def _pause(of: Subject) -> Distribution:
    assert not isinstance(of, ThreadStatistics)
    return of.locks.pause


def _lock_share(of: Subject, name: str) -> float:
    found = _of_locks(name)(of)
    return _of_life(of, found.total if found is not None else 0)


def _gils(of: Subject) -> tuple[GilStatistics, ...]:
    assert not isinstance(of, ThreadStatistics)
    return of.gils


def _contention(of: Subject) -> float:
    return max((gil.contention for gil in _gils(of)), default=0.0)


def _utilisation(of: Subject) -> float:
    return max((gil.utilisation for gil in _gils(of)), default=0.0)


def _requested(of: Subject) -> float:
    return _sum(of, "requested") / max(_sum(of, "handoffs"), 1)


def _sum(of: Subject, value: str) -> int:
    return sum(int(getattr(gil, value)) for gil in _gils(of))


def _life(of: Subject) -> int:
    return of.lifetime if isinstance(of, ThreadStatistics) else of.duration


def _of_life(of: Subject, time: int) -> float:
    life = _life(of)
    return time / life if life else 0.0


def _spins(of: Subject) -> int:
    assert not isinstance(of, ThreadStatistics)
    return of.locks.spun


def _discarded(of: Subject) -> int:
    if isinstance(of, Statistics):
        return sum(process.process.discarded for process in of.processes)
    assert isinstance(of, ProcessStatistics)
    return of.process.discarded


_FIGURES: Final = (
    Figure("wall", "time", "how long it was recorded; of a thread, how long it lived", _life),
    *_of_distribution("wait", "waits for a GIL", lambda of: of.wait),
    *_of_distribution("hold", "holds of a GIL", lambda of: of.hold),
    *_of_distribution("stalled", "stretches in holds that want a CPU", _of_cpu("stalled")),
    *_of_distribution("asleep", "stretches in holds that sleep", _of_cpu("asleep")),
    *_of_distribution("ready", "stretches without the GIL that want a CPU", _of_cpu("ready")),
    *_of_distribution("lock.wait", "waits for a lock other than a GIL", _of_locks("wait")),
    *_of_distribution("lock.stop", "times that a thread stood: stop-the-world", _of_locks("stop")),
    *_of_distribution("pause", "stop-the-world pauses", _pause, threads=False),
    Figure("lock.wait.share", "share", "waits for locks, of `wall`", lambda of: _lock_share(of, "wait")),
    Figure("lock.stop.share", "share", "of threads standing, of `wall`", lambda of: _lock_share(of, "stop")),
    Figure("pause.share", "share", "pauses, of `wall`", lambda of: _of_life(of, _pause(of).total), False),
    Figure("lock.spins", "count", "times that threads tried for a lock again and again", _spins, False),
    Figure("wait.share", "share", "waits, of `wall`", lambda of: _of_life(of, of.wait.total)),
    Figure("hold.share", "share", "holds, of `wall`", lambda of: _of_life(of, of.hold.total)),
    Figure("contention", "share", "time with somebody waiting; of the worst GIL", _contention, False),
    Figure("utilisation", "share", "time that the GIL was held; of the busiest GIL", _utilisation, False),
    Figure("handoffs", "count", "release to next acquire", lambda of: _sum(of, "handoffs"), False),
    Figure("switches", "count", "handoffs to another thread", lambda of: _sum(of, "switches"), False),
    Figure("requested", "share", "handoffs that answered a drop request", _requested, False),
    Figure("acquires", "count", "times that a GIL was taken", lambda of: of.counts.acquires),
    Figure("timeouts", "count", "switch intervals that passed in waits", lambda of: of.counts.timeouts),
    Figure("discarded", "count", "events lost", _discarded, False),
)
FIGURES: Final = {figure.name: figure for figure in _FIGURES}
"""The figures, by name."""

_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
_READ: Final[dict[str, Callable[[str], float]]] = {
    "time": quantities.nanoseconds,
    "share": quantities.share,
    "count": quantities.number,
}
_EXPRESSION: Final = re.compile(
    r"\s*(?:(?P<scope>thread|process)\[(?P<name>.*)\]\.)?(?P<figure>[\w.]+)\s*(?P<op>>=|<=|==|!=|>|<)\s*(?P<value>.+)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Limit:
    """What must not be so."""

    figure: Figure
    op: str
    value: float
    text: str
    """The value as it was written."""
    scope: str = ""
    """"thread", "process", or "" for the whole trace."""
    name: str = ""


@dataclass(frozen=True)
class Failure:
    """A limit that was not kept; as text, a line that says so."""

    limit: Limit
    subject: str
    value: float

    def __str__(self) -> str:
        shown = _shown(self.limit.figure, self.value)
        return f"{self.subject}{self.limit.figure.name} is {shown}; {self.limit.op} {self.limit.text} fails"


def parse(expression: str, figures: Mapping[str, Figure] = FIGURES) -> Limit:
    """Return the limit that an expression is, for one of these figures.

    Raises
    ------
    LimitError
        It is none: says what is wrong with it, and which figures are near.
    """
    found = _EXPRESSION.fullmatch(expression)
    if found is None:
        raise LimitError(f"{expression!r} is no limit: it should be like 'wait.p99 > 2ms', a figure, one of"
                         f" {' '.join(_OPERATORS)}, a value")  # fmt: skip
    name, scope = found["figure"], found["scope"] or ""
    if name not in figures:
        prefix = [each for each in figures if each.partition(".")[0] == name.partition(".")[0]]
        from difflib import get_close_matches

        near = get_close_matches(name, figures, 5, 0.5) or prefix or list(figures)
        raise LimitError(f"no figure {name!r}; there {'is' if len(near) == 1 else 'are'} {', '.join(near)}")
    figure = figures[name]
    if scope and figures is not FIGURES:
        raise LimitError(f"{expression.strip()!r}: no figure of one {scope}")
    if scope == "thread" and not figure.threads:
        raise LimitError(f"{name!r} is no figure of a thread: it is one of a process, or of the whole trace")
    text = found["value"].strip()
    try:
        value = _READ[figure.unit](text)
    except quantities.QuantityError as error:
        raise LimitError(f"{expression.strip()!r}: {error}") from None
    return Limit(figure, found["op"], value, text, scope, found["name"] or "")


def broken(limit: Limit, value: float) -> bool:
    """Whether a value is what must not be."""
    return _OPERATORS[limit.op](value, limit.value)


def check(trace: Trace, limits: Sequence[Limit | str], figures: Statistics | None = None) -> list[Failure]:
    """Return the limits that the trace doesn't keep, each for every thread or process that breaks it.

    Parameters
    ----------
    limits : sequence of Limit or str
        What must not be so: "wait.p99 > 2ms".
    figures : Statistics, optional
        Those of the trace, if they are there already.

    Raises
    ------
    LimitError
        One is no limit, or is for what the trace doesn't have.
    """
    parsed = [parse(limit) if isinstance(limit, str) else limit for limit in limits]
    if not parsed:
        return []
    figures = figures or statistics(trace)
    failures = []
    for limit in parsed:
        for subject, of in _subjects(limit, figures):
            value = limit.figure.of(of)
            if value is not None and broken(limit, value):
                failures.append(Failure(limit, subject, value))
    return failures


def _subjects(limit: Limit, figures: Statistics) -> list[tuple[str, Subject]]:
    found: list[tuple[str, Subject]]
    if not limit.scope:
        return [("", figures)]
    if limit.scope == "process":
        found = [
            (f"process[{each.process.pid}].", each)
            for each in figures.processes
            if str(each.process.pid) == limit.name.strip()
        ]
        names = [str(each.process.pid) for each in figures.processes]
    else:
        found = [
            (f"thread[{each.thread.name}].", each)
            for each in figures.threads
            if limit.name == each.thread.name or fnmatchcase(each.thread.name, limit.name)
        ]
        names = [each.thread.name for each in figures.threads]
    if not found:
        raise LimitError(f"no {limit.scope} {limit.name!r} in the trace; {there(limit.name, names)}")
    return found


def _shown(figure: Figure, value: float) -> str:
    if figure.unit == "time":
        return duration(value)
    return share(value) if figure.unit == "share" else f"{value:,.0f}"


def described() -> str:
    """Return the figures as a text for --help."""
    width = max(map(len, FIGURES)) + 2
    lines = [f"  {figure.name:{width}}{figure.unit:7}{figure.meaning}" for figure in FIGURES.values()]
    return "\n".join(
        [
            "figures for --fail-if; of a thread: thread[NAME].wait.max (with * and ?), or process[PID].…",
            *lines,
            "",
            "A time has a unit (ns, us, ms, s), a share is 0.3 or 30%. What has no value (the longest of no",
            "waits) keeps every limit. Status 1: a limit was not kept; 2: it can't be told.",
        ]
    )
