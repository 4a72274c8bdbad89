"""The lanes: what each thread did, as exact polygons or as exact shares of pixel columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection

from analysis.arrays import Table
from analysis.model import HELD, State

from ..style import STATES, UNKNOWN, StateStyle
from .coverage import Times
from .rows import Row

Floats = npt.NDArray[np.float64]

_ALONE: Final = 3
"""Pixels. A hold too short to be seen fills a pixel column if no other is so near.

It is what the figure is about. Where they are denser that would look like one long hold.
"""

_CLUSTER: Final = 2
"""Pixels. Holds within so much count as one."""

_NEVER_LOST: Final = (*HELD, State.NATIVE)

_UNKNOWN_DOTS: Final = (0, (1.0, 3.0))


def rectangles(left: Floats, right: Floats, top: Floats | float, bottom: Floats | float) -> Floats:
    """Return corners for a PolyCollection: `(n, 4, 2)`."""
    corners = np.empty((len(left), 4, 2))
    corners[:, 0, 0] = corners[:, 1, 0] = left
    corners[:, 2, 0] = corners[:, 3, 0] = right
    corners[:, 0, 1] = corners[:, 3, 1] = top
    corners[:, 1, 1] = corners[:, 2, 1] = bottom
    return corners


def draw_exact(
    axes: Axes,
    lanes: Sequence[tuple[Row, Table]],
    origin: int,
    start: int,
    end: int,
    pixel: float,
    styles: Sequence[StateStyle] = STATES,
) -> None:
    """Draw each interval of these lanes as a polygon: one collection a state.

    Parameters
    ----------
    axes : Axes
        Its x axis counts ns since `origin`.
    lanes : sequence of (row, INTERVAL array)
    start, end : int, ns
        Where to cut.
    pixel : float, ns
        The width of a pixel column.
    styles : sequence of StateStyle
        The states to draw, the most important first.
    """
    for style in reversed(styles):
        corners = []
        for row, intervals in lanes:
            chosen = intervals[intervals["state"] == style.state]
            left, right = _clipped(chosen, origin, start, end)
            if style.state in _NEVER_LOST:
                left, right = _hairlines(left, right, start - origin, pixel)
            top, bottom = bar(row, style.height)
            corners.append(rectangles(left, right, top, bottom))
        if sum(map(len, corners)):
            axes.add_collection(
                PolyCollection(
                    np.concatenate(corners),  # type: ignore[arg-type]  # an array is the fast way in
                    facecolors=style.colour,
                    **_hatch(style),
                    snap=False,  # snapping to pixels swallows thin ones
                    label=style.label,
                    zorder=2,
                ),
                autolim=False,
            )


def _hairlines(left: Floats, right: Floats, start: int, pixel: float) -> tuple[Floats, Floats]:
    """Move the edges of short lonely ones among ordered holds to those of a pixel column; return all."""
    if not len(left):
        return left, right
    first = np.flatnonzero(np.concatenate([[True], left[1:] - right[:-1] >= _ALONE * pixel]))
    last = np.concatenate([first[1:], [len(left)]]) - 1
    first = first[right[last] - left[first] < _CLUSTER * pixel]
    first = first[right[first] - left[first] < pixel]
    column = start + np.floor((left[first] - start) / pixel) * pixel
    left[first], right[first] = column, column + pixel
    return left, right


def draw_unknown(axes: Axes, lanes: Sequence[tuple[Row, Table]], origin: int, start: int, end: int) -> int:
    """Draw a faint dotted line where a thread lived but nothing is known of it; return how many there are."""
    lines = []
    for row, intervals in lanes:
        chosen = intervals[intervals["state"] == State.UNKNOWN]
        left, right = _clipped(chosen, origin, start, end)
        y = np.full(len(left), row.middle)
        lines.append(np.stack([np.stack([left, y], 1), np.stack([right, y], 1)], 1))
    if sum(map(len, lines)):
        axes.add_collection(
            LineCollection(
                np.concatenate(lines),  # type: ignore[arg-type]
                colors=UNKNOWN,
                linewidths=1.6,
                linestyles=[_UNKNOWN_DOTS],
                label="unknown",
                zorder=1.9,
            ),
            autolim=False,
        )
    return sum(map(len, lines))


def draw_shares(
    axes: Axes,
    lanes: Sequence[tuple[Row, Times]],
    edges: Times,
    origin: int,
    styles: Sequence[StateStyle] = STATES,
) -> None:
    """Draw each lane as shares of pixel columns: one collection a state.

    In a column, the height of a colour is the share of the column's time in that state, times the state's
    own height; so a column that is all one state looks as its polygon would, and ink is proportional to time
    whatever is shorter than a pixel. Holds lie in the middle, waits around them, then the rest.

    Parameters
    ----------
    axes : Axes
        Its x axis counts ns since `origin`.
    lanes : sequence of (row, int64 array of shape (len(styles), columns))
        ns in each state in each column.
    edges : int64 array, shape (columns + 1,)
    styles : sequence of StateStyle
    """
    x = (edges - origin).astype(np.float64)
    widths = np.diff(edges)
    outlines: list[list[Floats]] = [[] for _ in styles]
    drawn = [i for i, style in enumerate(styles) if not style.rare or any(t[i].any() for _, t in lanes)]
    for row, times in lanes:
        top, bottom = row.bar
        heights = np.zeros(len(widths))
        for i in drawn:
            style = styles[i]
            heights = heights + style.height * times[i] / widths * (bottom - top)
            outlines[i].append(_steps(x, row.middle - heights / 2, row.middle + heights / 2))
    for style, shapes in reversed(list(zip(styles, outlines, strict=True))):
        if shapes:
            axes.add_collection(
                PolyCollection(
                    shapes,
                    facecolors=style.colour,
                    **_hatch(style),
                    snap=False,
                    label=style.label,
                    zorder=2,
                ),
                autolim=False,
            )


def _hatch(style: StateStyle) -> dict[str, Any]:
    """Return what draws the texture of a style, if it has one; without an outline."""
    if not style.hatch:
        return {"linewidths": 0}
    return {"linewidths": 0, "hatch": style.hatch, "edgecolors": style.ink}


def draw_crowd(
    axes: Axes,
    row: Row,
    times: Times,
    edges: Times,
    origin: int,
    styles: Sequence[StateStyle] = STATES,
) -> None:
    """Draw what many threads did, as a stack: how many of them hold, wait and do without at each time."""
    x = (edges - origin).astype(np.float64)
    counts = times / np.diff(edges)
    most = max(float(counts.sum(axis=0).max()), 1.0)
    top, bottom = row.bar
    level = np.full(counts.shape[1], bottom)
    for i, style in enumerate(styles):
        higher = level - counts[i] / most * (bottom - top)
        axes.add_collection(
            PolyCollection(
                [_steps(x, higher, level)],
                facecolors=style.colour,
                **_hatch(style),
                snap=False,
                label=style.label,
                zorder=2,
            ),
            autolim=False,
        )
        level = higher


def bar(row: Row, share: float) -> tuple[float, float]:
    """Return top and bottom of a bar of this share of the row's height, around its middle."""
    top, bottom = row.bar
    half = (bottom - top) * share / 2
    return row.middle - half, row.middle + half


def _clipped(intervals: Table, origin: int, start: int, end: int) -> tuple[Floats, Floats]:
    left = np.clip(intervals["start"], start, end) - origin
    right = np.clip(intervals["start"] + intervals["duration"], start, end) - origin
    return left.astype(np.float64), right.astype(np.float64)


def _steps(x: Floats, upper: Floats, lower: Floats) -> Floats:
    """Return the outline of a row of columns between two heights each: `(4 * columns, 2)`."""
    across = np.repeat(x, 2)[1:-1]
    return np.concatenate(
        [
            np.stack([across, np.repeat(upper, 2)], axis=1),
            np.stack([across, np.repeat(lower, 2)], axis=1)[::-1],
        ]
    )
