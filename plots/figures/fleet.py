"""A fleet: when which host's threads waited, and the worst lines beside it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from analysis.arrays import Float64s
from analysis.fleet.merge import MINUTE
from analysis.units import long_duration

from ..style import HOLD, INK, MUTED, WAIT, style
from ..text import elide, fit, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from analysis.fleet.answer import Fleet

_SHADES: Final = LinearSegmentedColormap.from_list("fleet", ["#FFFFFF", WAIT])
_MOST_HOSTS: Final = 24
_MOST_COLUMNS: Final = 240
_MOST_LINES: Final = 8
_TICKS: Final = (1, 2, 5, 10, 20, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080, 20160, 40320)
"""Minutes between two ticks."""
_DAY: Final = 1440 * MINUTE


def fleet(found: Fleet) -> Axes:
    """Draw what many processes amount to.

    How to read it: left, a row is a host, a column a stretch of time, and the darker a cell, the longer
    threads waited for a GIL there and then. Right, the groups (by default lines of code) that made them wait,
    the worst first, each with its share of all waits.

    Parameters
    ----------
    found : Fleet
        As `analysis.fleet.fleet` returns.

    Returns
    -------
    Axes
        The left one; its image has ns waited for each ns of time, threads summed.
    """
    with style():
        figure = Figure()
        FigureCanvasAgg(figure)
        heat = figure.add_axes((0.135, 0.13, 0.435, 0.68))
        bars = figure.add_axes((0.625, 0.13, 0.35, 0.68))
        _draw_heat(found, heat)
        _draw_bars(found, bars)
        room = 72 * 0.94 * figure.get_size_inches()[0]
        title, points = fit(_title(found), room, (24, 21, 18, 15, 12), "bold")
        figure.text(0.03, 0.94, title, size=points, weight="bold", color=INK, va="center")
        figure.text(0.03, 0.885, _subtitle(found), size=14, color=MUTED, va="center")
    return heat


def _draw_heat(found: Fleet, ax: Axes) -> None:
    hosts, begin, step, cells = _cells(found)
    if not cells.size:
        ax.set_axis_off()
        return
    end = begin + step * cells.shape[1]
    ax.imshow(
        cells,
        cmap=_SHADES,
        vmin=0,
        vmax=float(cells.max()) or 1.0,
        aspect="auto",
        interpolation="nearest",
        extent=(0, cells.shape[1], len(hosts), 0),
    )
    ax.set_yticks(np.arange(len(hosts)) + 0.5, [elide(host, 12, 130) for host in hosts], size=12)
    ax.tick_params(length=0, axis="y")
    _date_axis(ax, begin, end, cells.shape[1])
    for edge in range(1, len(hosts)):
        ax.axhline(edge, color="white", linewidth=1)
    ax.spines[:].set_visible(False)
    ax.set_title(
        f"waited in each {long_duration(step)}; darkest: {cells.max():.2g} threads at a time",
        size=14,
        color=MUTED,
        loc="left",
        weight="normal",
    )


def _cells(found: Fleet) -> tuple[list[str], int, int, Float64s]:
    """Return the hosts that waited most, where time begins, the length of a column, and the heat."""
    of_host: dict[str, int] = {}
    for (host, _), waited in found.heat.items():
        of_host[host] = of_host.get(host, 0) + waited
    ranked = sorted(of_host, key=lambda host: (-of_host[host], host))
    if not ranked:
        return [], 0, 0, np.zeros((0, 0))
    shown = ranked if len(ranked) <= _MOST_HOSTS else ranked[: _MOST_HOSTS - 1]
    rest = len(ranked) - len(shown)
    minutes = [minute for _, minute in found.heat]
    first, last = min(minutes), max(minutes)
    wide = -(-(last - first + 1) // _MOST_COLUMNS)
    cells = np.zeros((len(shown) + (rest > 0), (last - first) // wide + 1))
    row = {host: at for at, host in enumerate(shown)}
    for (host, minute), waited in found.heat.items():
        cells[row.get(host, len(shown)), (minute - first) // wide] += waited
    if rest:
        cells[-1] /= rest  # of one of them, on average
    names = [*shown, *([f"{rest} more, each"] if rest else [])]
    return names, first * MINUTE, wide * MINUTE, cells / (wide * MINUTE)


def _date_axis(ax: Axes, begin: int, end: int, columns: int) -> None:
    """Name some round moments of UTC: the day too where there are several."""
    every = next((step for step in _TICKS if (end - begin) <= 6 * step * MINUTE), _TICKS[-1]) * MINUTE
    times = range(-(-begin // every) * every, end + 1, every)
    moments = [datetime.datetime.fromtimestamp(time / 1e9, datetime.UTC) for time in times]
    pattern = "%H:%M" if end - begin <= _DAY else "%d %b" if every >= _DAY else "%d %b\n%H:%M"
    places = [(time - begin) * columns / (end - begin) for time in times]
    ax.set_xticks(places, [moment.strftime(pattern) for moment in moments], size=12)
    first = datetime.datetime.fromtimestamp(begin / 1e9, datetime.UTC)
    ax.set_xlabel(f"UTC, from {first:%Y-%m-%d %H:%M}", color=MUTED, size=12)


def _draw_bars(found: Fleet, ax: Axes) -> None:
    shown = [group for group in found.groups if group.waited][:_MOST_LINES]
    ax.set_ylim(max(len(shown), 4), 0)
    ax.set_xlim(0, 1.0)
    ax.set_axis_off()
    longest = max((group.waited for group in shown), default=1)
    width = 72 * ax.get_window_extent().width / ax.figure.dpi
    for at, group in enumerate(shown):
        name = " · ".join(value or "(not known)" for value in group.values)
        ax.text(0, at + 0.30, elide(name, 13, width), size=13, color=INK, va="center_baseline")
        ax.barh(at + 0.64, 0.66 * group.waited / longest, height=0.30, left=0, color=HOLD)
        text = f"{long_duration(group.waited)}, {percent(group.share)}"
        ax.text(
            0.66 * group.waited / longest + 0.02, at + 0.64, text, size=12, color=MUTED, va="center_baseline"
        )
    if not shown:
        ax.text(0, 0.5, "nobody waited", size=14, color=MUTED)
    ax.set_title("made others wait", size=14, color=MUTED, loc="left", weight="normal")


def _title(found: Fleet) -> str:
    shown = [group for group in found.groups if group.waited]
    if not shown:
        return f"Nobody waited for a GIL in {_count(found.processes, 'process')}"
    worst = shown[0]
    name = " · ".join(value or "code not known" for value in worst.values)
    return f"{name} made others wait {long_duration(worst.waited)}, {percent(worst.share)} of all waits"


def _subtitle(found: Fleet) -> str:
    hours = found.life / 3.6e12
    time = f"{hours:,.1f} process-hours" if hours >= 1 else f"{long_duration(found.life)} of recordings"
    parts: Sequence[str] = (_count(found.processes, "process"), _count(found.hosts, "host"), time)
    return ", ".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 'es' if noun.endswith('s') else 's'}"
