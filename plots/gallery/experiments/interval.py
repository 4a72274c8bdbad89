"""The switch interval: throughput against latency."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from math import log10
from statistics import median
from typing import Final

from matplotlib.ticker import FuncFormatter

from ...style import FAINT, HOLD, INK, MUTED
from ...timeaxis import duration
from ..charts import time_scale
from ..experiment import Shape, Values, shape_of
from ..lab import Lab
from ..slide import Slide

NAME: Final = "interval"
ABOUT: Final = "The switch interval, from 100 ms to 1 µs: what is won in latency, what is lost in throughput?"
SECONDS: Final = 35.0
COLUMN: Final = True
PUBLISHED: Final = "a trade-off curve: shorter intervals, shorter latencies, less throughput"

_DEFAULT: Final = 0.005


def needs(lab: Lab) -> list[str]:
    """Nothing."""
    return []


def run(lab: Lab) -> Values:
    """Every interval in turn."""
    intervals = lab.pick([0.1, 0.02, 0.005, 1e-3, 1e-4, 1e-5, 1e-6], [0.005, 1e-4])
    seconds = lab.pick(0.8, 0.2)
    late: dict[float, list[float]] = {interval: [] for interval in intervals}

    def measure(interval: float) -> float:
        output = lab.run("tradeoff", interval, max(seconds, 20 * interval))
        late[interval].append(output["median"] / 1e3)
        return output["steps"]

    runs = {f"{interval:g} s": partial(measure, interval) for interval in intervals}
    steps = lab.interleaved(runs, lab.pick(5, 1))
    return {
        "points": [
            {"interval": interval, "steps": steps[f"{interval:g} s"], "late": late[interval]}
            for interval in intervals
        ]
    }


def throughput(values: Values) -> dict[float, float]:
    """Return the median steps/s by interval, as shares of the most."""
    steps = {point["interval"]: median(point["steps"]) for point in values["points"]}
    return {interval: each / max(steps.values()) for interval, each in steps.items()}


def latency(values: Values) -> dict[float, float]:
    """Return the median lateness by interval, s."""
    return {point["interval"]: median(point["late"]) for point in values["points"]}


def title(values: Values) -> str:
    """Return the finding."""
    late, steps = latency(values), throughput(values)
    short = min(late)
    return (
        f"A switch interval of {duration(1e9 * short)} instead of {duration(1e9 * _DEFAULT)}: latency"
        f" {duration(1e9 * late[short])} instead of {duration(1e9 * late[_DEFAULT])},"
        f" throughput {_change(steps[short] / steps[_DEFAULT] - 1)}"
    )


def _change(share: float) -> str:
    return f"{100 * share:+.0f}\N{NO-BREAK SPACE}%".replace("-", "−")


def caption(values: Values) -> str:
    """Return the measured figures."""
    late, steps = latency(values), throughput(values)
    parts = [
        f"{duration(1e9 * interval)}: {duration(1e9 * late[interval])} late,"
        f" {100 * steps[interval]:.0f} % of the steps"
        for interval in late
    ]
    return (
        "Two threads compute, a third wants the GIL every 2 ms; how late it gets it (median), and how many"
        f" steps the two make, by switch interval. {'; '.join(parts)}."
    )


def shape(values: Values) -> Shape:
    """Latency falls with the interval; throughput does not rise."""
    late, steps = latency(values), throughput(values)
    ordered = sorted(late, reverse=True)
    return shape_of(
        {
            "latency at the shortest interval below a tenth of that at 5 ms": late[ordered[-1]]
            < late[_DEFAULT] / 10,
            "latency falls with the interval, down to 0.1 ms": all(
                late[one] > late[next_] for one, next_ in pairwise(ordered) if next_ >= 1e-4
            ),
            "less throughput at the shortest interval than at 5 ms": steps[ordered[-1]] < steps[_DEFAULT],
        }
    )


def _neighbours(late: Mapping[float, float], apart: float) -> list[list[float]]:
    """Group intervals whose latencies are so near, in powers of ten, that there is no room for two labels."""
    groups: list[list[float]] = []
    for interval in sorted(late, reverse=True):
        if groups and abs(log10(late[groups[-1][-1]] / late[interval])) < apart:
            groups[-1].append(interval)
        else:
            groups.append([interval])
    return groups


def draw(slide: Slide, values: Values, lab: Lab) -> None:
    """Throughput over latency: each dot a run, the line through the medians."""
    slide.head(title(values), "Two threads compute, a third wakes up every 2 ms; each small dot is a run")
    (axes,) = slide.panels(left=1.35)
    best = max(median(point["steps"]) for point in values["points"])
    late, steps = latency(values), throughput(values)
    for point in values["points"]:
        axes.plot(
            point["late"],
            [each / best for each in point["steps"]],
            "o",
            color=HOLD,
            alpha=0.35,
            markersize=6,
            markeredgewidth=0,
        )
    axes.plot(
        list(late.values()), list(steps.values()), "o-", color=HOLD, linewidth=2.4, markersize=11, zorder=4
    )
    for number, group in enumerate(_neighbours(late, 0.2)):
        name = ", ".join(duration(1e9 * interval) for interval in group)
        default = _DEFAULT in group
        above = number % 2 == 0 and len(group) == 1
        at = min(group, key=lambda interval: steps[interval])  # below all of them
        axes.annotate(
            f"{name} (default)" if default and not slide.narrow else name,
            (late[at], steps[at]),
            xytext=(0, 20 if above else -20),
            textcoords="offset points",
            ha="center",
            va="bottom" if above else "top",
            color=INK,
            weight="bold" if default else "normal",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5},
            zorder=5,
        )
    time_scale(axes, [10.0**power for power in range(-6, 1)])
    runs = [each for point in values["points"] for each in point["late"]]
    axes.set_xlim(min(runs) / 2.5, 2.5 * max(runs))
    axes.set_ylim(0, 1.25 * max(1.0, *(max(point["steps"]) / best for point in values["points"])))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f} %"))
    axes.set_xlabel(
        "latency: how late the third thread gets the GIL (median)" if not slide.narrow else "latency (median)"
    )
    axes.set_ylabel("throughput of the other two" if not slide.narrow else "throughput")
    axes.grid(color=FAINT, zorder=0)
    axes.text(0.01, 0.02, "labels: switch interval", transform=axes.transAxes, color=MUTED)
