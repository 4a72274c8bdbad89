"""The flame graph of blame: which code held the GIL while others waited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure

import analysis
from analysis.model import Code
from analysis.report.reservations import in_part
from analysis.why.code.flames import Flame

from ..style import INK, MUTED, WAIT, luminance, style
from ..text import elide, fit, percent, printable, width
from ..timeaxis import duration

if TYPE_CHECKING:
    from analysis.tables.trace import Trace

_SHADES: Final = LinearSegmentedColormap.from_list("own", ["#FBE9DD", WAIT])
_ROWS: Final = 16
"""Rows that are legible on a slide; what is called further in is summed up in the last one."""
_NARROWEST: Final = 0.0015
"""Share of the width below which a call is not drawn: less than two pixels of a slide."""
_SIZES: Final = (18, 16, 14, 12)


@dataclass(frozen=True)
class _Box:
    node: int
    left: int
    row: int


def flame(trace: Trace, *, ax: Axes | None = None) -> Axes:
    """Draw the flame graph of blame: for how long others waited while this code held the GIL.

    How to read it: a box is a function, as wide as the time that threads waited for holds that ended in it or
    in what it called, which stands on it. The darker, the more is its own: the box that is wide and dark
    is what to change. Calls that everything below a root has in common are left out.

    Parameters
    ----------
    trace : Trace
        With Python frames; without them the figure says so.
    ax : matplotlib Axes, optional
        By default a figure of its own is made.

    Returns
    -------
    Axes
        x is ns of waiting; row n is n to n + 1.
    """
    if ax is None:
        with style():
            figure = Figure()
            FigureCanvasAgg(figure)
            return flame(trace, ax=figure.add_axes((0.03, 0.13, 0.94, 0.72)))
    found = analysis.flame(trace)
    boxes = _layout(found)
    whole = int(found.own.sum()) + found.unknown
    rows = max((box.row for box in boxes), default=0) + 1
    ax.set_xlim(0, max(whole, 1))
    ax.set_ylim(0, max(rows, 3))
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.tick_params(bottom=False, labelbottom=False)
    _draw(ax, found, boxes, whole)
    if found.unknown >= _NARROWEST * whole and whole:
        _draw_unknown(ax, found, whole)
    title, below = _words(found, whole)
    room = 72 * ax.get_window_extent().width / ax.figure.dpi
    title, points = fit(in_part(trace) + title, room, (24, 21, 18, 15, 12), "bold")
    ax.set_title(title, pad=22, size=points)
    ax.text(0, -0.06, below, transform=ax.transAxes, color=MUTED, va="top", size=14)
    return ax


def _layout(found: Flame) -> list[_Box]:
    """Place the nodes: callees on their caller, the widest first."""
    children: dict[int, list[int]] = {}
    for node, parent in enumerate(found.parent.tolist()):
        if found.total[node]:
            children.setdefault(parent, []).append(node)
    for nodes in children.values():
        nodes.sort(key=lambda node: (-int(found.total[node]), node))
    least = _NARROWEST * max(int(found.own.sum()) + found.unknown, 1)
    boxes: list[_Box] = []
    todo = []
    left = 0
    for root in children.get(-1, []):
        todo.append((_first_of_interest(root, children, found), left, 0))
        left += int(found.total[root])
    while todo:
        node, left, row = todo.pop()
        if found.total[node] < least or row >= _ROWS:
            continue
        boxes.append(_Box(node, left, row))
        for child in children.get(node, []):
            todo.append((child, left, row + 1))
            left += int(found.total[child])
    return boxes


def _first_of_interest(node: int, children: dict[int, list[int]], found: Flame) -> int:
    """Return the first node, from a root on, that is charged itself or makes different calls."""
    while not found.own[node] and len(children.get(node, [])) == 1:
        node = children[node][0]
    return node


def _draw(ax: Axes, found: Flame, boxes: list[_Box], whole: int) -> None:
    if not boxes:
        return
    nodes = [box.node for box in boxes]
    left = np.array([box.left for box in boxes], float)
    right = left + found.total[nodes]
    low = np.array([box.row for box in boxes], float)
    corners = [
        [(x0, y + 0.02), (x1, y + 0.02), (x1, y + 0.98), (x0, y + 0.98)]
        for x0, x1, y in zip(left.tolist(), right.tolist(), low.tolist(), strict=True)
    ]
    colours = [to_hex(_SHADES(found.own[node] / found.total[node])) for node in nodes]
    ax.add_collection(PolyCollection(corners, facecolors=colours, edgecolors="white", linewidths=1.5))
    points = 72 * ax.get_window_extent().width / ax.figure.dpi / max(whole, 1)
    height = 72 * ax.get_window_extent().height / ax.figure.dpi / ax.get_ylim()[1]
    for box, colour in zip(boxes, colours, strict=True):
        room = points * int(found.total[box.node]) - 12
        _write(ax, found, box, room, height, INK if luminance(colour) > 0.3 else "white", whole)


def _write(ax: Axes, found: Flame, box: _Box, room: float, height: float, ink: str, whole: int) -> None:
    """Write a box's name, and below it where it is and how much, as far as there is room."""
    code = found.codes[found.code[box.node]]
    sizes = tuple(size for size in _SIZES if size <= 0.6 * height)
    if not sizes:
        return
    name, size = fit(printable(_short(code)), room, sizes, "bold")
    if len(name) < 3 or width(name, size, "bold") > room:
        return
    charged = int(found.total[box.node])
    left = box.left + 6 * found.total[box.node] / (room + 12)
    second = 0.4 * height >= 12
    ax.text(
        left, box.row + (0.62 if second else 0.48), name, size=size, weight="bold", color=ink, va="center"
    )
    if second:
        share = percent(charged / whole)
        texts = [f"{_place(code)} · {duration(charged)} · {share}", f"{duration(charged)} · {share}", share]
        text = next((text for text in texts if width(text, 12) <= room), None)
        if text is not None:
            ax.text(left, box.row + 0.26, text, size=12, color=ink, va="center")


def _draw_unknown(ax: Axes, found: Flame, whole: int) -> None:
    left = whole - found.unknown
    ax.barh(0.5, found.unknown, left=left, height=0.96, color="#EEEEEE", edgecolor="white")
    room = 72 * ax.get_window_extent().width / ax.figure.dpi * found.unknown / whole - 12
    text = elide("no Python frame recorded", 14, max(room, 0))
    if len(text) > 6:
        ax.text(left + found.unknown / 2, 0.5, text, ha="center", va="center", color=MUTED)


def _words(found: Flame, whole: int) -> tuple[str, str]:
    """Return the title, and the line below the figure."""
    if not whole:
        return "Nobody waited for the GIL", ""
    waited = f"{duration(whole)} in all"
    if not found.own.any():
        return "No Python frames were recorded", f"Threads waited for holds of the GIL, {waited}."
    own = np.zeros(len(found.codes), np.int64)
    np.add.at(own, found.code, found.own)
    worst = int(np.argmax(own))
    name = printable(_short(found.codes[worst]))
    title = (
        f"{name} made others wait {duration(int(own[worst]))}, {percent(own[worst] / whole)} of all waiting"
    )
    below = (
        f"Width: time that threads waited, {waited}, by the code that held the GIL."
        " Dark: held by the function itself."
    )
    return title, below


def _short(code: Code) -> str:
    """Return a name without what says nothing on a slide."""
    name = code.name.replace(".<locals>.", ".")
    return f"{name} of {_file(code)}" if name == "<module>" else f"{name}()"


def _file(code: Code) -> str:
    return printable(code.file.replace("\\", "/").rsplit("/", 1)[-1])


def _place(code: Code) -> str:
    return f"{_file(code)}:{code.first_line}"
