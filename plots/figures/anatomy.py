"""What waits were spent on: a bar a thread, cut into the parts that sum up to its waiting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

import analysis
from analysis.report.reservations import in_part
from analysis.states import STATES, State
from analysis.why.anatomy import Parts

from ..style import FAINT, INK, MUTED, WAIT, luminance, style
from ..text import elide, fit, percent, width
from ..timeaxis import duration
from ..timeline.folding import Folded, fold

if TYPE_CHECKING:
    from analysis.tables.trace import Trace


@dataclass(frozen=True)
class _Part:
    name: str
    label: str
    finding: str
    colour: str


_PARTS: Final = (
    _Part("politeness", "politeness: nobody asked yet", "passed before anybody asked for the GIL", "#FCDDC1"),
    _Part("response", "response: asked, still held", "was for holders that had been asked to let go", WAIT),
    _Part("overtaken", "overtaken: others got it first", "was while others got the GIL first", "#661100"),
    _Part("handoff", "handoff: free, waking up", "was for a GIL that was free: waking up", "#5DB5A4"),
    _Part("unknown", "unknown", "can't be explained: who held the GIL was not seen", "#E9E9E9"),
)
"""From light to dark and back: neighbours differ in greyscale too."""

_WITHOUT_CPU: Final = 0.3
"""Share of all waiting from which on the title is that holders did not run."""

_SEEN: Final = 0.001
"""Share of all waiting from which on a part is in the legend."""

_MOST: Final = 12
_HOLDERS: Final = (
    ("stalled", "the holder had no CPU", STATES[State.STALLED].look.hatch),
    ("asleep", "the holder slept", STATES[State.HOLDING_ASLEEP].look.hatch),
)


def wait_anatomy(trace: Trace, *, ax: Axes | None = None, max_threads: int = _MOST) -> Axes:
    """Draw what each thread's waiting was spent on.

    How to read it: a bar is the time that a thread waited for the GIL, all its waits together. Much
    politeness is ordinary sharing: a waiter waits a switch interval before it asks. Much response is code
    that does not let go when asked. Where it has diagonal lines, the holder wanted a CPU; where it has dots,
    it slept with the GIL. See analysis.tables.gil.anatomy for what the parts are.

    Parameters
    ----------
    trace : Trace
    ax : matplotlib Axes, optional
        By default a figure of its own is made.
    max_threads : int
        Threads that waited longest have a bar each, the longest on top; of all others the mean is drawn.

    Returns
    -------
    Axes
        x is ns of waiting; bar i is at y = i, from the top.
    """
    if ax is None:
        with style():
            figure = Figure()
            FigureCanvasAgg(figure)
            return _draw(trace, figure.add_axes((0.17, 0.11, 0.68, 0.67)), max_threads, -0.14 / 0.68)
    return _draw(trace, ax, max_threads, 0.0)


def _draw(trace: Trace, ax: Axes, max_threads: int, left: float) -> Axes:
    """Draw it into axes; the title begins at `left`, a share of their width."""
    found = analysis.wait_anatomy(trace)
    rows = fold(trace, np.array([p.total for p in found.threads], np.int64), max_threads, heaviest_first=True)
    bars = _bars(found.threads, rows)
    _frame(ax, rows, max((bar.total for bar in bars), default=0))
    for y, bar in enumerate(bars):
        _draw_bar(ax, y, bar)
        each = " each" if y == len(rows.shown) else ""
        count = f"{bar.waits:,} wait{'s' * (bar.waits != 1)}"
        ax.annotate(
            f"{duration(bar.total)}{each}{chr(10) if len(bars) <= 8 else ', '}{count}",
            (bar.total, y),
            (8, 0),
            textcoords="offset points",
            va="center",
            color=MUTED,
            size=12,
            annotation_clip=False,
        )
    _legend(ax, found.whole)
    room = 72 * (1.16 - left) * ax.get_window_extent().width / ax.figure.dpi
    title, points = fit(in_part(trace) + _title(found.whole), room, (24, 21, 18, 15, 12), "bold")
    ax.set_title(title, pad=74, size=points, x=left)
    return ax


def _bars(threads: tuple[Parts, ...], rows: Folded) -> list[Parts]:
    """Return what to draw: the threads with a row, and the mean of the rest."""
    bars = [threads[t] for t in rows.shown]
    rest = [parts for t, parts in enumerate(threads) if t not in rows.shown and parts.total]
    if rest:
        mean = {name: round(sum(vars(p)[name] for p in rest) / len(rest)) for name in vars(rest[0])}
        bars.append(Parts(**mean))
    return bars


def _frame(ax: Axes, rows: Folded, longest: int) -> None:
    names = [elide(name, 14, 150) for name in rows.names]
    ax.set_yticks(range(rows.size), names)
    if rows.rest:
        ax.get_yticklabels()[-1].set_color(MUTED)
    # Few threads don't make thick bars.
    ax.set_ylim(max(rows.size, 4) - 0.4, -0.6)
    ax.set_xlim(0, max(longest, 1))
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 2.5, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda ns, _: duration(ns) if ns else "0"))
    ax.set_xlabel("time waited for the GIL", loc="right")
    ax.grid(axis="x", color=FAINT)
    if not rows.size:
        ax.set_xticks([])


def _draw_bar(ax: Axes, y: int, bar: Parts) -> None:
    left = 0
    points = 72 * ax.get_window_extent().width / ax.figure.dpi / ax.get_xlim()[1]
    for part in _PARTS:
        length = getattr(bar, part.name)
        if not length:
            continue
        ax.barh(y, length, 0.7, left, color=part.colour, edgecolor="white", linewidth=0.8, label=part.name)
        left += length
        dark = luminance(part.colour) < 0.3
        clear = length
        for name, _, hatch in _HOLDERS:
            time = getattr(bar, f"{name}_{part.name}", 0)
            if time:
                ax.barh(
                    y,
                    time,
                    0.7,
                    left - length + clear - time,
                    facecolor="none",
                    edgecolor="white" if dark else INK,
                    hatch=hatch,
                    linewidth=0,
                    label=name,
                )
            clear -= time
        share = percent(length / bar.total)
        if points * clear > width(share, 12) + 10:
            middle = left - length + clear / 2
            ax.text(middle, y, share, ha="center", va="center", size=12, color="white" if dark else INK)


def _legend(ax: Axes, whole: Parts) -> None:
    keys = [
        Patch(facecolor=part.colour, label=part.label)
        for part in _PARTS
        if getattr(whole, part.name) >= _SEEN * whole.total > 0
    ]
    keys += [
        Patch(facecolor="white", edgecolor=INK, hatch=hatch, label=label)
        for name, label, hatch in _HOLDERS
        if getattr(whole, name) >= _SEEN * whole.total > 0
    ]
    if keys:
        ax.legend(
            handles=keys,
            loc="lower left",
            bbox_to_anchor=(-0.02, 1.0),
            ncols=3,
            borderaxespad=0.3,
            columnspacing=1.6,
            handlelength=1.4,
        )


def _title(whole: Parts) -> str:
    if not whole.total:
        return "Nobody waited for the GIL"
    for name, label, _ in _HOLDERS:
        if getattr(whole, name) >= _WITHOUT_CPU * whole.total:
            part = percent(getattr(whole, name) / whole.total)
            return f"For {part} of {duration(whole.total)} of waiting, {label}"
    worst = max(_PARTS, key=lambda part: getattr(whole, part.name))
    part = percent(getattr(whole, worst.name) / whole.total)
    return f"{part} of {duration(whole.total)} of waiting {worst.finding}"
