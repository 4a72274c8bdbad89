"""numpy sums of arrays, small and large: when is letting go of the GIL worth it?"""

from __future__ import annotations

import importlib.util
from functools import partial
from statistics import median
from typing import Final

from ...style import FAINT, HOLD, INK, MARKERS, MUTED, NATIVE, WAIT
from ...text import percent
from .. import published
from ..charts import draw_series, percent_scale, ratio_of_medians, write_keys
from ..experiment import Shape, Values, shape_of
from ..lab import Lab
from ..lanes import threads_named
from ..shares import held, shares
from ..slide import Slide

NAME: Final = "small-arrays"
ABOUT: Final = "numpy sums arrays without the GIL; of small ones the take back costs more than the sum"
SECONDS: Final = 45.0
COLUMN: Final = False
PUBLISHED: Final = (
    f"numpy sums: about {100 * published.SUM_HOLDING:.0f} % holding,"
    f" {100 * published.SUM_WAITING[0]:.0f}–{100 * published.SUM_WAITING[1]:.0f} % waiting."
    f" {published.BREDDELS}"
)


def needs(lab: Lab) -> list[str]:
    """numpy, and something to win."""
    missing = lab.lacks(cpus=2)
    return missing if importlib.util.find_spec("numpy") else [*missing, "no numpy"]


def run(lab: Lab) -> Values:
    """Every size in one thread and two, in turn; then two recorded."""
    sizes = lab.pick([100, 1_000, 10_000, 100_000, 1_000_000], [1_000, 100_000])
    seconds, cpus = lab.pick(0.3, 0.1), lab.cpus[:2]

    def measure(size: int, threads: int) -> float:
        return lab.run("sums", size, threads, seconds, cpus=cpus)["rate"]

    runs = {f"{size}, {threads}": partial(measure, size, threads) for size in sizes for threads in (1, 2)}
    rates = lab.interleaved(runs, lab.pick(5, 1))
    points = []
    for size in sizes:
        lab.say(f"recording {size} elements")
        lab.record(f"{size}", "sums", size, 2, seconds, cpus=cpus)
        trace = lab.trace(f"{size}")
        of = shares(trace, [thread.index for thread in threads_named(trace, "sums")])
        points.append(
            {
                "size": size,
                "one": rates[f"{size}, 1"],
                "two": rates[f"{size}, 2"],
                "holding": held(of),
                "waiting": of["waiting"],
                "native": of["native"] + of["released"],  # one of them is nothing
            }
        )
    return {"points": points}


def speed_up(point: Values) -> float:
    """Return how many times as many sums two threads make."""
    return ratio_of_medians(point["two"], point["one"])


def title(values: Values) -> str:
    """Return the finding."""
    worst, last = min(values["points"], key=speed_up), values["points"][-1]
    return (
        f"Two threads sum {last['size']:,} numbers {speed_up(last):.1f} × as fast as one,"
        f" {worst['size']:,} numbers {speed_up(worst):.1f} ×"
    )


def caption(values: Values) -> str:
    """Return the measured figures."""
    parts = [
        f"{point['size']:,}: {speed_up(point):.2f} ×, holds {percent(point['holding'])}, waits"
        f" {percent(point['waiting'])}"
        for point in values["points"]
    ]
    return f"Two threads against one, and the shares of their time, by elements: {'; '.join(parts)}."


def _number(elements: int) -> str:
    nbsp = "\N{NO-BREAK SPACE}"
    if elements >= 1_000_000:
        return f"{elements // 1_000_000}{nbsp}M"
    return f"{elements // 1000}{nbsp}k" if elements >= 1000 else str(elements)


def shape(values: Values) -> Shape:
    """Large arrays: little held, some waiting, a gain; small ones: none."""
    last = values["points"][-1]
    return shape_of(
        {
            "largest arrays: held at most 5 % of the time": last["holding"] <= 0.05,
            "and waited for at most 20 %": last["waiting"] <= 0.20,
            "and at least 1.3 × as fast in two threads": speed_up(last) >= 1.3,
            "small arrays (up to 1,000): at most 1.2 × as fast": all(
                speed_up(point) <= 1.2 for point in values["points"] if point["size"] <= 1000
            ),
        }
    )


def draw(slide: Slide, values: Values, lab: Lab) -> None:
    """At the left what a second thread brings; at the right how the time is spent."""
    slide.head(
        title(values), "numpy.sum in two threads on two CPUs, by the number of elements; each dot is a run"
    )
    left, right = slide.panels((1, 1), gap=1.4, top=0.5)
    slide.note(left, "Sums a second, in those of one thread")
    points = values["points"]
    series = {point["size"]: [rate / median(point["one"]) for rate in point["two"]] for point in points}
    draw_series(left, series, HOLD, MARKERS[0], "two threads")
    left.axhline(1, color=MUTED, linewidth=1.4, linestyle=(0, (4, 3)))
    left.text(points[-1]["size"], 1.03, "one thread", color=MUTED, ha="right")
    left.set_ylim(0, 1.15 * max(2.0, *(max(runs) for runs in series.values())))
    slide.note(right, "Shares of the two threads’ time")
    names = (
        ("native", "sums, without the GIL", NATIVE),
        ("waiting", "waits for the GIL", WAIT),
        ("holding", "has the GIL", HOLD),
    )
    lines = [
        draw_series(right, {point["size"]: [point[name]] for point in points}, colour, MARKERS[number], label)
        for number, (name, label, colour) in enumerate(names)
    ]
    percent_scale(right)
    write_keys(right, lines, loc="upper left")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xticks([p["size"] for p in points], [_number(p["size"]) for p in points])
        axes.minorticks_off()
        axes.set_xlabel("elements")
        axes.tick_params(labelcolor=INK)
        axes.grid(color=FAINT, zorder=0)
