"""An I/O thread beside threads that compute: requests a second, and how long each takes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from matplotlib.axes import Axes

from ...style import FAINT, INK, MARKERS, MUTED, RAMP
from ...timeaxis import duration
from .. import published
from ..charts import (
    draw_ecdf,
    draw_series,
    percent_scale,
    quantiles,
    ratio_of_medians,
    time_scale,
    write_keys,
)
from ..experiment import Shape, Values, shape_of
from ..lab import Lab
from ..slide import Slide

NAME: Final = "echo"
ABOUT: Final = "An I/O thread echoes UDP packets beside 0, 1, 2, 4 threads that compute, by switch interval"
SECONDS: Final = 75.0
COLUMN: Final = False
PUBLISHED: Final = (
    "requests/s are about 1/(2 × interval) beside one CPU thread: "
    + ", ".join(f"{rate:,} at {interval:g} s" for interval, rate in published.ECHO_RATE.items())
    + f"; {published.ECHO_ALONE:,} alone; beside two and four about ½ and ⅓ of that. {published.SKVORTSOV}"
)

CPU_THREADS: Final = (0, 1, 2, 4)
_DEFAULT: Final = 0.005


def needs(lab: Lab) -> list[str]:
    """The client computes beside the server: on one CPU that would be another experiment."""
    return lab.lacks(cpus=2)


def run(lab: Lab) -> Values:
    """Every number of threads at every interval, all of them in turn."""
    intervals = lab.pick([0.1, 0.005, 1e-3, 1e-4, 1e-5, 1e-6], [0.005, 1e-3])
    latencies: dict[int, list[float]] = {threads: [] for threads in CPU_THREADS}
    lab.directory.mkdir(parents=True, exist_ok=True)

    def measure(threads: int, interval: float) -> float:
        seconds = lab.pick(max(0.4, min(4.0, 8 * threads * interval)), 0.15)
        file = lab.directory / "requests.txt"
        rate = lab.run("echo", threads, interval, seconds, file)["rate"]
        if interval == _DEFAULT:
            latencies[threads] += [1e-9 * (answered - sent) for sent, answered in read_requests(file)]
        return rate

    points = [(threads, interval) for threads in CPU_THREADS for interval in intervals if threads]
    points.append((0, _DEFAULT))
    runs = {
        f"{threads} threads, {interval:g} s": partial(measure, threads, interval)
        for threads, interval in points
    }
    found = lab.interleaved(runs, lab.pick(3, 1))
    rates = [[threads, interval, found[f"{threads} threads, {interval:g} s"]] for threads, interval in points]
    return {
        "intervals": intervals,
        "rates": rates,
        "interval": _DEFAULT,
        "latency": {str(threads): quantiles(each) for threads, each in latencies.items()},
    }


def read_requests(file: Path) -> list[tuple[int, int]]:
    """Return when each request was sent and answered, ns."""
    return [(int(sent), int(answered)) for sent, answered in map(str.split, file.read_text().splitlines())]


def rates(values: Values, threads: int) -> dict[float, list[float]]:
    """Return the runs' requests/s beside so many threads, by switch interval in s."""
    return {interval: runs for number, interval, runs in values["rates"] if number == threads}


def title(values: Values) -> str:
    """Return the finding."""
    alone, beside = (rates(values, threads)[values["interval"]] for threads in (0, 1))
    return f"One thread that computes: {median(alone):,.0f} requests/s become {median(beside):,.0f}"


def caption(values: Values) -> str:
    """Return the measured figures."""
    alone = median(rates(values, 0)[values["interval"]])
    parts = []
    for threads in CPU_THREADS[1:]:
        figures = ", ".join(
            f"{median(runs):,.0f} at {duration(1e9 * interval)}"
            for interval, runs in rates(values, threads).items()
        )
        parts.append(f"beside {threads}: {figures}")
    tails = ", ".join(
        f"{duration(1e9 * each[len(each) // 2])} {_beside(threads)}"
        for threads, each in values["latency"].items()
    )
    return (
        f"Requests/s (medians): {alone:,.0f} alone; {'; '.join(parts)}. Median latency at"
        f" {duration(1e9 * values['interval'])}: {tails}."
    )


def _beside(threads: str) -> str:
    return "alone" if threads == "0" else f"beside {threads}"


def shape(values: Values) -> Shape:
    """1/(2 × interval) within a factor of 2 down to 1 ms; more threads, fewer requests."""
    one = rates(values, 1)
    slow = [interval for interval in one if interval >= 1e-3]
    default = values["interval"]
    fewer = [ratio_of_medians(rates(values, threads)[default], one[default]) for threads in (2, 4)]
    return shape_of(
        {
            "beside one thread at least 10 × as many at 1 ms as at the longest interval": median(one[1e-3])
            >= 10 * median(one[max(one)])
            or max(one) < 0.02,
            "beside one thread within a factor 2 of 1/(2 × interval), at 1 ms and more": all(
                0.5 <= median(one[interval]) * 2 * interval <= 2 for interval in slow
            ),
            "alone at least 20 × as many as beside one thread": median(rates(values, 0)[default])
            >= 20 * median(one[default]),
            "beside two threads 0.3 to 0.75, beside four 0.15 to 0.5 of that": 0.3 <= fewer[0] <= 0.75
            and 0.15 <= fewer[1] <= 0.5,
        }
    )


def draw(slide: Slide, values: Values, lab: Lab) -> None:
    """At the left requests/s by switch interval; at the right how long requests take at the default one."""
    slide.head(
        title(values), "UDP echo on loopback: an I/O thread beside threads that compute; each dot is a run"
    )
    left, right = slide.panels((1.25, 1), gap=1.5, top=0.55)
    _draw_rates(slide, left, values)
    slide.note(right, f"How long an answer takes ({duration(1e9 * values['interval'])})")
    for number, threads in enumerate(CPU_THREADS):
        curve = values["latency"][str(threads)]
        draw_ecdf(right, curve, RAMP[number], f"{threads}")
    shortest = min(each[0] for each in values["latency"].values())
    right.set_xlim(shortest / 2, 2 * max(each[-1] for each in values["latency"].values()))
    time_scale(right, [10.0**power for power in range(-5, 1)])
    right.set_xlim(shortest / 2, 2 * max(each[-1] for each in values["latency"].values()))
    percent_scale(right)
    right.set_ylabel("requests answered")
    right.grid(color=FAINT, zorder=0)


def _draw_rates(slide: Slide, axes: Axes, values: Values) -> None:
    slide.note(axes, "Requests a second, by switch interval")
    intervals = values["intervals"]
    alone = rates(values, 0)[values["interval"]]
    lines = []
    for number, threads in enumerate(CPU_THREADS):
        points = rates(values, threads) if threads else dict.fromkeys(intervals, alone)
        name = "alone" if not threads else f"{threads} CPU thread{'s' if threads > 1 else ''}"
        lines.append(draw_series(axes, points, RAMP[number], MARKERS[number], name))
    told = [interval for interval in published.ECHO_RATE if min(intervals) <= interval <= max(intervals)]
    lines += axes.plot(
        told,
        [published.ECHO_RATE[interval] for interval in told],
        linestyle="none",
        marker="o",
        markersize=14,
        markerfacecolor="none",
        markeredgecolor=MUTED,
        markeredgewidth=1.8,
        label="published, beside 1",
        zorder=5,
    )
    slow = [interval for interval in intervals if interval >= 1e-4]
    lines += axes.plot(
        slow,
        [1 / (2 * interval) for interval in slow],
        color=INK,
        linewidth=1.6,
        linestyle=(0, (4, 3)),
        label="1/(2 × interval)",
        zorder=2,
    )
    axes.set_yscale("log")
    time_scale(axes, intervals)
    axes.yaxis.set_major_formatter(lambda rate, _: f"{rate:,.0f}")
    axes.invert_xaxis()
    axes.set_xlabel("switch interval")
    axes.grid(color=FAINT, zorder=0)
    write_keys(axes, lines, loc="lower right", borderaxespad=0.2, labelspacing=0.25)
