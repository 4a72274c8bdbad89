"""A countdown in one thread, then split over two and four: on one CPU and on two."""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import Final

import numpy as np
from matplotlib.axes import Axes

from ...style import INK, MARKERS, MUTED, SERIES
from ...timeaxis import duration
from .. import published
from ..charts import draw_runs, ratio_of_medians, write_keys
from ..experiment import Shape, Values, shape_of
from ..lab import Lab
from ..lanes import Group, draw_groups, draw_keys, states_in, threads_named
from ..slide import Slide

NAME: Final = "countdown"
ABOUT: Final = "A countdown split over 2 and 4 threads, on 1 CPU and on 2: is it faster?"
SECONDS: Final = 35.0
COLUMN: Final = False
_OLD: Final = published.OLD_GIL_SECONDS
PUBLISHED: Final = (
    f"new GIL: {published.NEW_GIL_RATIO[0]}–{published.NEW_GIL_RATIO[1]} × sequential, blocks of one"
    " interval;"
    f" old GIL, quad core: {_OLD['sequential']} s sequential, {_OLD['2 threads']} s two threads,"
    f" {_OLD['4 threads']} s four. {published.BEAZLEY}"
)

THREADS: Final = (1, 2, 4)
WHERE: Final = ("1 CPU", "2 CPUs")

_LOW, _HIGH = 0.85, 1.25
_WINDOW: Final = 120_000_000  # ns of lanes


def needs(lab: Lab) -> list[str]:
    """What needs one CPU and two can't be told apart on one."""
    return lab.lacks(cpus=2)


def run(lab: Lab) -> Values:
    """Time all in turn; record two threads on one CPU and on two."""
    steps = lab.pick(10_000_000, 1_000_000)
    found = timed(lab, steps, lab.pick(9, 1))
    waits = {}
    for where in WHERE:
        lab.say(f"recording on {where}")
        places = placed(lab, where)
        lab.record(where, "countdown", 2, steps, ",".join(map(str, places)), cpus=places)
        table = lab.trace(where).waits
        outlasting = table["duration"][table["timeouts"] > 0]
        waits[where] = float(np.median(outlasting)) / 1e9 if len(outlasting) else 0.0
    return {
        "steps": steps,
        "seconds": found,
        "wait": waits,
        "interval": lab.trace(WHERE[0]).processes[0].switch_interval / 1e9,
    }


def placed(lab: Lab, where: str) -> tuple[int, ...]:
    """Return the CPUs for "1 CPU" or "2 CPUs"."""
    return lab.cpus[: 1 if where == "1 CPU" else 2]


def timed(lab: Lab, steps: int, repeats: int, python: str = "") -> dict[str, list[float]]:
    """Return the seconds of each run, by "1 threads, 1 CPU" and so on; one thread runs on one CPU only."""

    def measure(threads: int, where: str) -> float:
        places = placed(lab, where)
        arguments = (threads, steps, ",".join(map(str, places)))
        return lab.run("countdown", *arguments, python=python, cpus=places)["countdown"]

    runs = {
        f"{threads} threads, {where}": partial(measure, threads, where)
        for threads in THREADS
        for where in (WHERE if threads > 1 else WHERE[:1])
    }
    return lab.interleaved(runs, repeats)


def ratio(values: Values, threads: int, where: str) -> float:
    """Return the median time of so many threads, in sequential times."""
    seconds = values["seconds"]
    return ratio_of_medians(seconds[f"{threads} threads, {where}"], seconds["1 threads, 1 CPU"])


def ratios(values: Values) -> dict[str, float]:
    """Return all of them, by their keys."""
    return {
        f"{threads} threads on {where}": ratio(values, threads, where)
        for threads in THREADS[1:]
        for where in WHERE
    }


def title(values: Values) -> str:
    """Return the finding."""
    return f"Two threads on two CPUs take {ratio(values, 2, '2 CPUs'):.2f} × the time of one"


def caption(values: Values) -> str:
    """Return the measured figures."""
    parts = [f"{name} {value:.2f} ×" for name, value in ratios(values).items()]
    waits = " and ".join(f"{duration(1e9 * wait)} on {where}" for where, wait in values["wait"].items())
    return (
        f"{values['steps']:,} steps take {median(values['seconds']['1 threads, 1 CPU']):.3g} s in one thread;"
        f" split, they take in sequential times: {', '.join(parts)}. The switch interval is"
        f" {duration(1e9 * values['interval'])}; a wait that outlasts it takes {waits} (median)."
    )


def shape(values: Values) -> Shape:
    """No faster with threads: about the sequential time; turns of about an interval."""
    waits = [wait / values["interval"] for wait in values["wait"].values()]
    return shape_of(
        {
            f"all times from {_LOW} to {_HIGH} × sequential": all(
                _LOW <= each <= _HIGH for each in ratios(values).values()
            ),
            "median wait from 0.9 to 2 switch intervals": all(0.9 <= each <= 2 for each in waits),
        }
    )


def draw(slide: Slide, values: Values, lab: Lab) -> None:
    """At the left each run's time; at the right the lanes of two threads, on one CPU and on two."""
    slide.head(
        title(values),
        f"{values['steps']:,} steps of Python, split over threads; each dot is a run, a line a median",
    )
    groups = [middle_of(lab, where) for where in WHERE]
    draw_keys(slide, states_in(groups))
    bottom, top = 0.95, slide.top - 0.55
    draw_times(slide.axes(1.15, bottom, 4.5, top - bottom), values)
    right = slide.axes(7.0, bottom, slide.width - 7.5, top - bottom + 0.3)
    draw_groups(right, groups, min(group.end - group.start for group in groups), gap=0.45)


def middle_of(lab: Lab, where: str, window: int = _WINDOW) -> Group:
    """Return the countdown's threads around the middle of their lives."""
    trace = lab.trace(where)
    threads = threads_named(trace, "countdown")
    begin, end = max(thread.begin for thread in threads), min(thread.end for thread in threads)
    start = max(begin, (begin + end - window) // 2)
    names = tuple(f"thread {number + 1}" for number in range(len(threads)))
    chosen = tuple(thread.index for thread in threads)
    return Group(f"Two threads on {where}", trace, chosen, start, min(end, start + window), names)


def draw_times(axes: Axes, values: Values) -> None:
    """Draw each run in sequential times."""
    one = median(values["seconds"]["1 threads, 1 CPU"])
    keys = {}
    highest = 1.3
    for x, threads in enumerate(THREADS):
        for place, where in enumerate(WHERE):
            runs = values["seconds"].get(f"{threads} threads, {where}")
            if runs is None:
                continue
            relative = [seconds / one for seconds in runs]
            highest = max(highest, *relative)
            offset = 0.4 * place - 0.2 if threads > 1 else 0.0
            draw_runs(axes, x + offset, relative, SERIES[place], MARKERS[place])
            keys[where] = axes.plot(
                [], [], MARKERS[place], color=SERIES[place], markersize=9, label=f"on {where}"
            )[0]
    axes.axhline(0.5, color=MUTED, linewidth=1.4, linestyle=(0, (4, 3)), zorder=1)
    axes.text(2.5, 0.47, "two CPUs could do this", color=MUTED, ha="right", va="top")
    axes.set_xlim(-0.5, 2.5)
    axes.set_ylim(0, 1.2 * highest)
    axes.set_xticks(range(len(THREADS)), ["1 thread", "2 threads", "4 threads"])
    axes.tick_params(axis="x", length=0, labelcolor=INK)
    axes.set_ylabel("time (1 thread = 1)")
    axes.grid(axis="y", color="#EBEBEB", zorder=0)
    write_keys(axes, list(keys.values()), loc="upper left", ncols=2, borderaxespad=0, handletextpad=0.2)
