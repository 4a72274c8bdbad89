"""The strips under the lanes: who owns each GIL, and how many threads wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba_array
from matplotlib.patches import Rectangle

from analysis.arrays import Table
from analysis.model import State

from ..style import FAINT, INK, MUTED, OTHERS, WAIT, luminance
from ..text import width
from .coverage import Times
from .lanes import Floats, _clipped, _steps, rectangles
from .rows import Row

_LABEL_SIZE = 11.0


def draw_ground(axes: Axes, row: Row, begin: int, end: int) -> None:
    """Draw what the strip is drawn on: where it is seen, the process lived and nobody had the GIL."""
    top, bottom = row.bar
    axes.add_patch(
        Rectangle(
            (begin, top), end - begin, bottom - top, facecolor=FAINT, linewidth=0, zorder=1, label="free"
        )
    )


def draw_owners(
    axes: Axes,
    strips: Sequence[tuple[Row, Table]],
    colours: Mapping[int, str],
    names: Mapping[int, str],
    origin: int,
    start: int,
    end: int,
    points: float,
) -> None:
    """Draw each hold in its GIL's strip, in its thread's colour; with the thread's name where it fits.

    Parameters
    ----------
    axes : Axes
        Its x axis counts ns since `origin`.
    strips : sequence of (row, INTERVAL array)
        The holds of that GIL, in any order.
    colours, names : mapping from thread index
        Threads without a colour are `style.OTHERS`.
    start, end : int, ns
        Where to cut.
    points : float
        The width of the window in points.
    """
    corners, faces = [], []
    for row, holds in strips:
        left, right = _clipped(holds, origin, start, end)
        top, bottom = row.bar
        corners.append(rectangles(left, right, top, bottom))
        faces.append([colours.get(int(thread), OTHERS) for thread in holds["thread"]])
        if row.attached or (bottom - top) * 72 < 1.3 * _LABEL_SIZE:
            continue
        room = (right - left) * points / (end - start) - 6
        for i in np.flatnonzero(room > _LABEL_SIZE):
            name = names.get(int(holds["thread"][i]), "")
            if name and width(name, _LABEL_SIZE) <= room[i]:
                dark = luminance(faces[-1][i]) < 0.3
                axes.text(
                    (left[i] + right[i]) / 2,
                    row.middle,
                    name,
                    size=_LABEL_SIZE,
                    color="white" if dark else INK,
                    ha="center",
                    va="center_baseline",
                    zorder=3,
                )
    if sum(map(len, corners)):
        axes.add_collection(
            PolyCollection(
                np.concatenate(corners),  # type: ignore[arg-type]
                facecolors=to_rgba_array([c for part in faces for c in part]),
                linewidths=0,
                snap=False,
                label="owner",
                zorder=2,
            ),
            autolim=False,
        )


def draw_owner_shares(
    axes: Axes, row: Row, parts: Sequence[tuple[str, Times]], edges: Times, origin: int
) -> None:
    """Draw a strip as shares of pixel columns: a stack of each owner's time, in its colour.

    Parameters
    ----------
    parts : sequence of (colour, int64 array of shape (columns,))
        ns that each owner had the GIL in each column.
    """
    x = (edges - origin).astype(np.float64)
    widths = np.diff(edges)
    top, bottom = row.bar
    level = np.full(len(widths), bottom)
    shapes, faces = [], []
    for colour, times in parts:
        higher = level - times / widths * (bottom - top)
        shapes.append(_steps(x, higher, level))
        faces.append(colour)
        level = higher
    axes.add_collection(
        PolyCollection(shapes, facecolors=faces, linewidths=0, snap=False, label="owner", zorder=2),
        autolim=False,
    )


def waiters(waits: Table, start: int, end: int) -> tuple[Times, Times]:
    """Return how many threads wait, as steps: `counts[i]` of them from `times[i]` to `times[i + 1]`.

    Parameters
    ----------
    waits : INTERVAL array
        Waiting intervals, in any order.

    Returns
    -------
    times : int64 array, shape (n + 1,), ns
        Ascending, from `start` to `end`.
    counts : int64 array, shape (n,)
    """
    begin = np.clip(waits["start"], start, end)
    finish = np.clip(waits["start"] + waits["duration"], start, end)
    changes = np.concatenate([begin, finish])
    steps = np.concatenate([np.ones(len(begin), np.int64), np.full(len(finish), -1, np.int64)])
    times, which = np.unique(np.concatenate([[start, end], changes]), return_inverse=True)
    delta = np.zeros(len(times), np.int64)
    np.add.at(delta, which[2:], steps)
    return times, np.cumsum(delta)[:-1]


def draw_waiters(axes: Axes, times: Times, counts: Floats | Times, origin: int, colour: str = WAIT) -> None:
    """Draw the number of waiting threads over time, and label the y axis at its right with 0 and the most."""
    x = (times - origin).astype(np.float64)
    heights = counts.astype(np.float64)
    axes.add_collection(
        PolyCollection(
            [_steps(x, heights, np.zeros(len(heights)))],
            facecolors=colour,
            alpha=0.75,
            linewidths=0,
            snap=False,
            label="waiting",
            zorder=2,
        ),
        autolim=False,
    )
    most = int(np.ceil(heights.max(initial=0.0) - 1e-9))
    axes.set_ylim(0, max(most, 1) * 1.08)
    axes.set_yticks([0, most] if most else [])
    axes.yaxis.tick_right()
    if not most:
        axes.text(0.5, 0.5, "nobody waits", transform=axes.transAxes, ha="center", va="center", color=MUTED)


def held_by(rows: Table, gil: int) -> Table:
    """Return the holds of one GIL."""
    held: Table = rows[(rows["state"] == State.HOLDING) & (rows["gil"] == gil)]
    return held
