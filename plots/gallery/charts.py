"""Charts of repeated measurements: every run is seen, and the median."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ..style import FAINT, MUTED
from ..timeaxis import duration

_SIDEWAYS: Final = 0.05
"""How far apart runs of one kind are drawn, in units of the axis."""


def ratio_of_medians(above: Sequence[float], below: Sequence[float]) -> float:
    """Return the ratio of the medians of two lists of runs."""
    return float(median(above) / median(below))


def draw_runs(axes: Axes, x: float, runs: Sequence[float], colour: str, marker: str) -> None:
    """Draw each run as a dot, beside each other, and their median as a line across them."""
    for number, value in enumerate(runs):
        axes.plot(
            x + (number % 3 - 1) * _SIDEWAYS * (len(runs) > 1),
            value,
            marker=marker,
            markersize=9,
            color=colour,
            alpha=0.7,
            markeredgewidth=0,
            zorder=3,
        )
    middle = median(runs)
    axes.plot([x - 3 * _SIDEWAYS, x + 3 * _SIDEWAYS], [middle, middle], color=colour, linewidth=3, zorder=4)


def draw_series(
    axes: Axes,
    points: Mapping[float, Sequence[float]],
    colour: str,
    marker: str,
    label: str,
) -> Line2D:
    """Draw the runs at each x as dots, and a line through the medians; return the line."""
    for x, runs in points.items():
        axes.plot(
            [x] * len(runs),
            runs,
            linestyle="none",
            marker=marker,
            markersize=6,
            color=colour,
            alpha=0.45,
            markeredgewidth=0,
            zorder=3,
        )
    (line,) = axes.plot(
        list(points),
        [median(runs) for runs in points.values()],
        color=colour,
        marker=marker,
        markersize=9,
        markeredgewidth=0,
        linewidth=2.4,
        label=label,
        zorder=4,
    )
    return line


def draw_ecdf(axes: Axes, quantiles: Sequence[float], colour: str, label: str) -> Line2D:
    """Draw a distribution from its quantiles, equally spaced from 0 to 1."""
    count = len(quantiles) - 1
    (line,) = axes.plot(
        quantiles,
        [number / count for number in range(count + 1)],
        color=colour,
        linewidth=2.8,
        label=label,
        zorder=3,
    )
    return line


def time_scale(axes: Axes, places: Sequence[float], *, x: bool = True) -> None:
    """Make an axis of seconds logarithmic, with ticks at these places."""
    axis = axes.xaxis if x else axes.yaxis
    (axes.set_xscale if x else axes.set_yscale)("log")
    axis.set_major_locator(FixedLocator(list(places)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda seconds, _: duration(1e9 * seconds)))
    axes.grid(axis="x" if x else "y", color=FAINT, zorder=0)


def percent_scale(axes: Axes) -> None:
    """Label the y axis, from 0 to 1, in per cent."""
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f}\N{NO-BREAK SPACE}%"))


def quantiles(values: Sequence[float], count: int = 200) -> list[float]:
    """Return so many and one quantiles, from the least to the greatest."""
    ordered = sorted(values)
    return [ordered[round(number * (len(ordered) - 1) / count)] for number in range(count + 1)]


def write_keys(axes: Axes, lines: Sequence[Line2D], **options: Any) -> None:
    """Write a legend into axes."""
    axes.legend(handles=list(lines), labelcolor=MUTED, **options)
