"""The same countdown with the old GIL of Python 2.7: the battle for it, failed wake-ups in red."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from ...style import ALARM, MUTED
from ...timeline.lanes import bar
from .. import published
from ..experiment import Shape, Values, shape_of
from ..lab import Lab
from ..lanes import Group, draw_groups, draw_keys, states_in, threads_named
from ..slide import Slide
from .countdown import WHERE, draw_times, middle_of, placed, ratio, ratios, timed

NAME: Final = "old-gil"
ABOUT: Final = "The same with Python 2.7's old GIL: failed wake-ups in red, and how bad it is below"
SECONDS: Final = 35.0
COLUMN: Final = False
PYTHON: Final = "python2.7"
_OLD: Final = published.OLD_GIL_SECONDS
PUBLISHED: Final = (
    "one CPU: large alternating blocks; two: far faster switching and failed acquires, and slower:"
    f" {_OLD['sequential']} s sequential, {_OLD['2 threads']} s two threads,"
    f" {_OLD['4 threads']} s four, with fewer CPUs {' and '.join(map(str, published.OLD_GIL_FEWER_CPUS))} s."
    f" {published.BEAZLEY}"
)

_WINDOW: Final = 16_000_000  # ns of lanes
_BIN: Final = 250_000  # ns of the strip of badness


def needs(lab: Lab) -> list[str]:
    """Python 2.7, two CPUs, and the scheduler's records: a wake-up is nothing that the GIL knows of."""
    return lab.lacks(PYTHON, cpus=2, scheduling=True)


def run(lab: Lab) -> Values:
    """Time all in turn; record two threads on one CPU and on two."""
    steps = lab.pick(10_000_000, 1_000_000)
    seconds = timed(lab, steps, lab.pick(7, 1), PYTHON)
    battle = {}
    for where in WHERE:
        lab.say(f"recording on {where}")
        places = placed(lab, where)
        lab.record(where, "countdown", 2, steps, ",".join(map(str, places)), python=PYTHON, cpus=places)
        trace = lab.trace(where)
        threads = threads_named(trace, "countdown") or list(trace.threads[1:])
        life = max(thread.end for thread in threads) - min(thread.begin for thread in threads)
        holds = trace.gil_intervals
        switches = trace.handoffs
        battle[where] = {
            "failed": len(trace.retries) / (life / 1e9),
            "waits": len(trace.waits) / (life / 1e9),
            "switches": int(np.count_nonzero(switches["from_thread"] != switches["to_thread"]))
            / (life / 1e9),
            "takes": int(np.count_nonzero(holds["state"] == 3)),
        }
    return {"steps": steps, "seconds": seconds, "battle": battle, "version": lab.interpreters[PYTHON].version}


def title(values: Values) -> str:
    """Return the finding."""
    failed = values["battle"]["2 CPUs"]["failed"]
    return (
        f"The old GIL: two threads on two CPUs take {ratio(values, 2, '2 CPUs'):.2f} × the time of one,"
        f" with {failed:,.0f} failed wake-ups a second"
    )


def caption(values: Values) -> str:
    """Return the measured figures."""
    parts = [f"{name} {value:.2f} ×" for name, value in ratios(values).items()]
    battle = "; ".join(
        f"on {where} {each['failed']:,.0f} failed wake-ups, {each['switches']:,.0f} switches from thread to"
        f" thread and {each['waits']:,.0f} waits a second"
        for where, each in values["battle"].items()
    )
    return (
        f"Python {values['version']}, {values['steps']:,} steps; in sequential times: {', '.join(parts)}."
        f" Two threads: {battle}. A failed wake-up: a thread that waits is put on a CPU, and falls asleep"
        " again without the GIL."
    )


def shape(values: Values) -> Shape:
    """Slower on two CPUs than on one; and there are the failed wake-ups."""
    one, two = values["battle"]["1 CPU"], values["battle"]["2 CPUs"]
    return shape_of(
        {
            "two threads take at least 1.2 × sequential on two CPUs": ratio(values, 2, "2 CPUs") >= 1.2,
            "and longer than on one": ratio(values, 2, "2 CPUs") > ratio(values, 2, "1 CPU"),
            "at least 3 × as many failed wake-ups on two CPUs as on one": two["failed"]
            >= 3 * one["failed"]
            > -1
            and two["failed"] > 0,
            "more switches a second on two CPUs than on one": two["switches"] > one["switches"],
        }
    )


def draw(slide: Slide, values: Values, lab: Lab) -> None:
    """At the left each run's time; at the right lanes with failed wake-ups, and how many there are."""
    slide.head(
        title(values),
        f"Python {values['version']}, {values['steps']:,} steps split over threads;"
        " red ticks: a waiting thread wakes up and does not get the GIL",
    )
    groups = [middle_of(lab, where, _WINDOW) for where in WHERE]
    draw_keys(slide, states_in(groups))
    bottom, top = 0.95, slide.top - 0.55
    draw_times(slide.axes(1.15, bottom, 4.3, top - bottom), values)
    left, width = 7.0, slide.width - 7.5
    span = min(group.end - group.start for group in groups)
    half, strip = (top + 0.3 - bottom - 0.3) / 2, 0.55
    highest = max(_badness(group, span).max() for group in groups)
    for number, group in enumerate(groups):
        y = bottom + (1 - number) * (half + 0.3)
        lanes = slide.axes(left, y + strip + 0.06, width, half - strip - 0.06)
        (rows,) = draw_groups(lanes, [group], span)
        lanes_label = lanes.get_xlabel()
        lanes.set_xlabel("")
        lanes.tick_params(axis="x", labelbottom=False, length=0)
        lanes.spines["bottom"].set_visible(False)
        retries = group.trace.retries
        ticks = [
            [(float(at - group.start), row.top), (float(at - group.start), bar(row, 0.5)[0])]
            for row in rows
            for at in retries["start"][retries["thread"] == row.thread]
            if 0 <= at - group.start < span
        ]
        lanes.add_collection(LineCollection(ticks, colors=ALARM, linewidths=1.0, zorder=4), autolim=False)
        _draw_badness(
            slide.axes(left, y, width, strip), group, span, highest, lanes, lanes_label if number == 1 else ""
        )


def _badness(group: Group, span: int) -> np.ndarray:
    at = group.trace.retries["start"] - group.start
    return np.histogram(at, bins=np.arange(0, span + _BIN, _BIN))[0]


def _draw_badness(axes: Axes, group: Group, span: int, highest: int, lanes: Axes, lanes_label: str) -> None:
    counts = _badness(group, span)
    edges = np.arange(0, span + _BIN, _BIN)[: len(counts) + 1]
    axes.stairs(counts, edges, fill=True, color=ALARM, alpha=0.8)
    axes.set_xlim(lanes.get_xlim())
    axes.set_ylim(0, max(highest, 1) * 1.1)
    axes.set_yticks([0, int(max(highest, 1))], ["0", f"{max(highest, 1) * 1_000_000 / _BIN:.0f}"])
    axes.set_ylabel("failed\nper ms", rotation=0, ha="right", va="center", color=MUTED)
    axes.yaxis.set_label_coords(-0.08, 0.5)
    if not counts.any():
        axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", va="center", color=MUTED)
    axes.xaxis.set_major_locator(lanes.xaxis.get_major_locator())
    axes.xaxis.set_major_formatter(lanes.xaxis.get_major_formatter())
    axes.tick_params(axis="x", labelbottom=bool(lanes_label), length=4 if lanes_label else 0)
    if lanes_label:
        axes.set_xlabel(lanes_label, loc="right")
