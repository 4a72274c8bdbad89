"""One program, every way that a Python has: the main slide."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter

from ...style import INK, MUTED
from ..charts import ratio_of_medians
from ..experiment import Shape, Values, shape_of
from ..lab import Lab, no_scheduling
from ..lanes import Group, busiest, draw_groups, draw_keys, states_in, threads_named
from ..slide import Slide

if TYPE_CHECKING:
    from analysis.tables.trace import Trace

NAME: Final = "every-way"
ABOUT: Final = "One program, every way: threads, processes, nogil, interpreters, no GIL at all, PyPy, Jython"
SECONDS: Final = 90.0
COLUMN: Final = False
PUBLISHED: Final = (
    "threads that share a GIL gain nothing from a second CPU (CPython, PyPy); processes, nogil, interpreters"
    " with a GIL each, free-threaded CPython and Jython run side by side"
)

_SHARED: Final = 1.2
_PARALLEL: Final = 1.4
_TYPICAL: Final = 1.15


@dataclass(frozen=True)
class Way:
    """`way` is the argument of `examples/ways.py`; `python` the kind of interpreter, "": this one."""

    name: str
    way: str
    python: str = ""
    parallel: bool = True
    by_scheduler: bool = False

    @property
    def key(self) -> str:
        """Its name in the values, and its trace's."""
        return f"{self.way}-{self.python or 'python'}"

    @property
    def alone(self) -> str:
        """The argument that does the same in one worker."""
        return "nogil-one" if self.way == "nogil" else "one"


WAYS: Final = (
    Way("threads", "threads", parallel=False),
    Way("threads", "threads", "pypy3", parallel=False, by_scheduler=True),
    Way("processes", "processes"),
    Way("nogil (Cython)", "nogil"),
    Way("interpreters", "interpreters", "python3.14"),
    Way("threads, no GIL", "threads", "python3.13t", by_scheduler=True),
    Way("threads, no GIL", "threads", "jython", by_scheduler=True),
)


def needs(lab: Lab) -> list[str]:
    """Two CPUs; ways that can't be had or seen here are left out of the figure."""
    return lab.lacks(cpus=2)


def run(lab: Lab) -> Values:
    """Give each interpreter as many steps as one worker does in a while; time and record all ways."""
    there = [way for way in WAYS if not way.python or way.python in lab.interpreters]
    if lab.quick:  # Jython takes seconds to start
        there = [way for way in there if way.python != "jython"]
    blind = no_scheduling()
    if blind:
        there = [way for way in there if not way.by_scheduler]
    left_out = []
    for way in WAYS:
        if way not in there:
            seen = way.python in lab.interpreters and blind
            left_out.append(f"{way.python}: {'no leave to record its CPUs' if seen else 'not here'}")
    return {"ways": {way.key: _measure(lab, way) for way in there}, "left_out": left_out}


def _measure(lab: Lab, way: Way) -> Values:
    cpus = lab.cpus[:2]
    steps = _calibrated(lab, way)

    def time(argument: str) -> float:
        return lab.run("ways", argument, steps, python=way.python, cpus=cpus)["took"]

    runs = {
        f"{way.name}, {number} worker": partial(time, each) for number, each in ((1, way.alone), (2, way.way))
    }
    one, two = lab.interleaved(runs, lab.pick(3 if way.python == "jython" else 5, 1)).values()
    for _ in range(lab.pick(3, 1)):  # the slide shows one that took about as long as the others
        lab.say(f"recording {way.name}, {_label(lab, way)}")
        output = lab.record(
            way.key, "ways", way.way, steps, python=way.python, command=way.by_scheduler, cpus=cpus
        )
        if output["took"] <= _TYPICAL * median(two):
            break
    began, ended = round(output["began"] * 1e9), round(output["ended"] * 1e9)
    rows = lab.trace(way.key).cpu_intervals
    length = np.minimum(rows["start"] + rows["duration"], ended) - np.maximum(rows["start"], began)
    return {
        "python": _label(lab, way),
        "steps": steps,
        "one": one,
        "two": two,
        "began": began,
        "ended": ended,
        "threads": _workers(lab.trace(way.key), began, ended),
        "cpus": float(length[length > 0].sum() / max(ended - began, 1)),
    }


def _workers(trace: Trace, began: int, ended: int) -> list[int]:
    halves = [thread.index for thread in threads_named(trace, "half")]
    return halves if len(halves) == 2 else busiest(trace, 2, began, ended)


def _label(lab: Lab, way: Way) -> str:
    if way.python:
        return lab.interpreters[way.python].label
    return f"CPython {platform.python_version()}"


def _calibrated(lab: Lab, way: Way) -> int:
    """Return how many steps one worker does in a while; what a JIT needs to begin with counts."""
    target = lab.pick(1.0 if way.python == "jython" else 0.5, 0.05)  # a JVM warms up for long
    steps = 200_000
    while True:
        lab.say(f"how fast is {way.name}, {_label(lab, way)}?")
        took = lab.run("ways", way.alone, steps, python=way.python)["took"]
        if took > 0.6 * target or steps > 10**11:
            return max(1, round(steps * target / took / 1e5)) * 100_000
        steps = round(steps * min(50.0, max(1.5, 0.9 * target / max(took, 1e-9))))


def speed_up(values: Values, way: Way) -> float:
    """Return the median of one worker's time over that of two."""
    entry = values["ways"][way.key]
    return ratio_of_medians(entry["one"], entry["two"])


def _measured(values: Values) -> list[Way]:
    return [way for way in WAYS if way.key in values["ways"]]


def title(values: Values) -> str:
    """Return the finding."""
    shared = [speed_up(values, way) for way in _measured(values) if not way.parallel]
    own = [speed_up(values, way) for way in _measured(values) if way.parallel]
    return f"Two workers are {_extent(shared)} × as fast with a shared GIL, {_extent(own)} × without"


def _extent(ratios: Sequence[float]) -> str:
    """Return the least and the greatest of some ratios, once if they are written alike."""
    ends = [f"{each:.1f}" for each in (min(ratios), max(ratios))]
    return "–".join(dict.fromkeys(ends))


def caption(values: Values) -> str:
    """Return the measured figures."""
    parts = [
        f"{way.name} ({entry['python']}): {speed_up(values, way):.2f} ×,{_busy(entry)}"
        f" {entry['steps']:,} steps in {median(entry['one']):.2f} s"
        for way in _measured(values)
        for entry in [values["ways"][way.key]]
    ]
    missing = f" Left out: {'; '.join(values['left_out'])}." if values["left_out"] else ""
    return (
        "The same countdown, halved between two workers on two CPUs; each interpreter has as many steps"
        " as one worker does in about the same time. How many times as fast as one worker:"
        f" {'; '.join(parts)}.{missing}"
    )


def _in_units(unit: float, x: float, position: int | None) -> str:
    del position
    return f"{x / unit:g}"


def _busy(entry: Values) -> str:
    return f" {entry['cpus']:.1f} CPUs busy," if entry["cpus"] else ""


def shape(values: Values) -> Shape:
    """A shared GIL: up to 1.2 times as fast; else at least 1.4 times, which leaves room for noise."""
    criteria = {}
    for way in _measured(values):
        value, name = speed_up(values, way), f"{way.name} ({values['ways'][way.key]['python']})"
        if way.parallel:
            criteria[f"{name} at least {_PARALLEL} × as fast"] = value >= _PARALLEL
        else:
            criteria[f"{name} at most {_SHARED} × as fast"] = value <= _SHARED
    return shape_of(criteria)


def draw(slide: Slide, values: Values, lab: Lab) -> None:
    """A pair of lanes a way, from the moment at which the work began, in units of one worker's time."""
    ways = _measured(values)
    slide.head(
        title(values), f"One countdown, halved between two workers on two CPUs: {len(ways)} ways to have them"
    )
    groups = []
    for way in ways:
        entry = values["ways"][way.key]
        groups.append(
            Group("", lab.trace(way.key), tuple(entry["threads"]), entry["began"], entry["ended"], ("", ""))
        )
    draw_keys(slide, states_in(groups))
    ones = [median(values["ways"][way.key]["one"]) * 1e9 for way in ways]
    span = max(1.08, 1.02 * max((g.end - g.start) / one for g, one in zip(groups, ones, strict=True)))
    step = 0.25 if span <= 2 else 0.5 if span <= 4 else 1.0
    left, right, bottom = 3.15, 1.5, 0.95
    each = (slide.top - 0.5 - bottom) / len(ways)
    for number, (way, group, one) in enumerate(zip(ways, groups, ones, strict=True)):
        y = bottom + (len(ways) - 1 - number) * each
        axes = slide.axes(left, y, slide.width - left - right, each - 0.12)
        draw_groups(axes, [group], round(span * one), titled=False)
        axes.set_xlabel("")
        last = number == len(ways) - 1
        axes.spines["bottom"].set_visible(last)
        axes.xaxis.set_major_locator(FixedLocator(one * np.arange(0, span, step)))
        axes.xaxis.set_major_formatter(FuncFormatter(partial(_in_units, one)))
        axes.tick_params(axis="x", labelbottom=last, length=4 if last else 0)
        axes.axvline(one, color=INK, linewidth=1.6, linestyle=(0, (4, 3)), zorder=3)
        axes.axvline(one / 2, color=INK, linewidth=1.6, linestyle=(0, (1, 2)), zorder=3)
        middle = (y + each / 2 - 0.06) / slide.height
        slide.figure.text(0.45 / slide.width, middle, way.name, weight="bold", size=16, va="bottom")
        slide.figure.text(
            0.45 / slide.width, middle, values["ways"][way.key]["python"], size=14, color=MUTED, va="top"
        )
        slide.figure.text(
            1 - 0.45 / slide.width,
            middle,
            f"{speed_up(values, way):.2f} ×",
            weight="bold",
            size=20,
            ha="right",
            va="center",
        )
        if last:
            axes.set_xlabel("time (1: what one worker takes)", loc="right")
    slide.figure.text(
        1 - 0.45 / slide.width,
        (slide.top - 0.12) / slide.height,
        "times as fast",
        color=MUTED,
        ha="right",
        va="top",
        size=14,
    )
