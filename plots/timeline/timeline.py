"""The timeline: one lane a thread, the owner of each GIL, and how many threads wait.

How to read it: time runs to the right. In a lane, a full bar holds the GIL, a half bar waits for it, a thin
line lives without it, and a dotted line is not known. With the OS scheduler, a full bar has diagonal lines
where the thread has the GIL and wants a CPU, dots where it sleeps with the GIL; one of less than full height
computes without the GIL, or with diagonal lines wants a CPU for it, and a thin line is blocked. Under
the lanes of a process a strip shows which thread owns the GIL, in the colour of the square beside that
thread's name; the last strip counts who waits, or who has a CPU where no GIL was seen at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from matplotlib.axes import Axes

from ..drawing import draw_lanes
from ..style import style
from ..text import printable
from ..timeaxis import set_time_axis
from .covered import view_of
from .page import Page
from .rows import plan
from .window import PlotError, Window, window

if TYPE_CHECKING:
    from analysis.tables.trace import Trace
    from analysis.why.detectors.finding import Pattern

SUFFIXES: Final = (".png", ".svg", ".pdf")


def timeline(
    trace: Trace,
    *,
    ax: Axes | None = None,
    start: int | None = None,
    end: int | None = None,
    around: str | None = None,
    max_lanes: int | None = None,
    exact: bool | None = None,
    title: str | None = None,
    patterns: Sequence[Pattern] = (),
) -> Axes:
    """Draw what every thread did about the GIL, and whether it had a CPU if that was recorded.

    Parameters
    ----------
    trace : Trace
    ax : matplotlib Axes, optional
        Draw only the lanes, into these; x counts ns since the trace's begin. By default a figure of its own
        is made, 13.3 x 7.5 inches, with strips for the GILs' owners and the number of waiting threads,
        shares, title and legend; its style is that of `gil.mplstyle`, whatever the rcParams are.
    start, end : int, optional
        The window, ns since the trace's begin.
    around : str, optional
        "largest-wait", "largest-hold" or "largest-stall", or a time such as "12ms": what to zoom in on.
    max_lanes : int, optional
        Give up to so many threads a lane, and the figure the height for it. By default as many as fit.
    exact : bool, optional
        Draw polygons for every lane (True, up to 100,000 intervals) or for none (False). By default a lane is
        drawn as polygons unless many of its pixel columns have several intervals; then as exact shares of
        each column.
    title : str, optional
        Instead of the finding.
    patterns : sequence of Pattern, optional
        Those of `analysis.patterns` to mark above the lanes: a few, the best first, of those in the window.
        Not into axes of one's own.

    Returns
    -------
    Axes
        With the lanes; `.figure` is the figure. Nothing is shown, or registered with pyplot.

    Raises
    ------
    PlotError
        If there is nothing in the window.
    """
    view = window(trace, start, end, around)
    if ax is not None:
        _draw_into(ax, trace, view, max_lanes, exact)
        return ax
    with style():
        return Page(trace, view, max_lanes, exact, patterns).draw(title)


def save_timeline(
    trace: Trace,
    path: str | Path,
    *,
    start: int | None = None,
    end: int | None = None,
    around: str | None = None,
    max_lanes: int | None = None,
    exact: bool | None = None,
    title: str | None = None,
    patterns: Sequence[Pattern] = (),
) -> Path:
    """Draw the timeline into a .png, .svg or .pdf file (which it is, its suffix says); see `timeline`.

    A vector figure has polygons for every lane up to 100,000 intervals: it may be looked at enlarged.

    Raises
    ------
    PlotError
        If the suffix is none of these, or there is nothing in the window.
    OSError
        If the file can't be written.
    """
    target = Path(path)
    suffix = suffix_of(target)
    if exact is None and suffix != ".png":
        exact = True
    axes = timeline(
        trace,
        start=start,
        end=end,
        around=around,
        max_lanes=max_lanes,
        exact=exact,
        title=title,
        patterns=patterns,
    )
    return save(axes, target)


def save(axes: Axes, target: Path) -> Path:
    """Write the figure of some axes into a .png, .svg or .pdf file; return its path."""
    suffix = suffix_of(target)
    figure = axes.figure
    # No time stamps: the same trace makes the same file.
    metadata = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}[suffix]
    with style():
        figure.savefig(target, format=suffix[1:], metadata=metadata)  # type: ignore[union-attr]
    return target


def suffix_of(path: Path) -> str:
    """Return the file's suffix; PlotError if it is not one of `SUFFIXES`."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise PlotError(
            f"{path}: a figure's name ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, a page's in .html"
        )
    return suffix


def _draw_into(axes: Axes, trace: Trace, window: Window, max_lanes: int | None, exact: bool | None) -> None:
    """Draw the lanes into axes of someone else's figure, in its fonts."""
    figure = axes.figure
    box = axes.get_window_extent()
    view = view_of(trace, window, max(1, round(box.width)), exact)
    rows = plan(
        trace,
        view.seen,
        view.times,
        box.height / figure.dpi,
        max_lanes=max_lanes,
        strips=False,
        native=view.native,
    )
    view.show(rows.shown)
    draw_lanes(axes, view, rows)
    axes.set_ylim(rows.height, 0)
    axes.set_yticks([row.middle for row in rows.rows], [printable(row.label) for row in rows.rows])
    axes.tick_params(axis="y", length=0)
    set_time_axis(axes, window.start - trace.begin, window.end - trace.begin)
