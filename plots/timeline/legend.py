"""The legend: what is in the figure, each looking as it does there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from matplotlib.artist import Artist
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.legend_handler import HandlerBase
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Polygon, Rectangle
from matplotlib.transforms import Transform

from ..style import ALARM, DROP_REQUEST, HOLD, INK, MARKED, MUTED, STATES, UNKNOWN, WAIT, StateStyle

_HANDLE: Final = 1.7
"""Width of a key in font sizes."""


class _Height(HandlerBase):
    """Draws the key of a state as high as the state is in a lane."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def create_artists(
        self,
        legend: Legend,
        orig_handle: Artist,
        xdescent: float,
        ydescent: float,
        width: float,
        height: float,
        fontsize: float,
        trans: Transform,
    ) -> Sequence[Artist]:
        assert isinstance(orig_handle, Patch)
        full = height * 1.5
        part = full * self.share
        return [
            Rectangle(
                (-xdescent, -ydescent + height / 2 - part / 2),
                width,
                part,
                facecolor=orig_handle.get_facecolor(),
                hatch=orig_handle.get_hatch(),
                edgecolor=orig_handle.get_edgecolor(),
                linewidth=0,
                transform=trans,
            )
        ]


class _Notched(HandlerBase):
    """Draws the key of the notches in a wait."""

    def create_artists(
        self,
        legend: Legend,
        orig_handle: Artist,
        xdescent: float,
        ydescent: float,
        width: float,
        height: float,
        fontsize: float,
        trans: Transform,
    ) -> Sequence[Artist]:
        part = height * 0.75
        low = -ydescent + (height - part) / 2
        notch = Line2D([-xdescent + width / 2] * 2, [low, low + part], color="white", linewidth=1.6)
        notch.set_transform(trans)
        return [Rectangle((-xdescent, low), width, part, facecolor=WAIT, transform=trans), notch]


class _Corner(HandlerBase):
    """Draws the key of a hold that ended on request."""

    def create_artists(
        self,
        legend: Legend,
        orig_handle: Artist,
        xdescent: float,
        ydescent: float,
        width: float,
        height: float,
        fontsize: float,
        trans: Transform,
    ) -> Sequence[Artist]:
        full = height * 1.5
        top, right = -ydescent + height / 2 + full / 2, -xdescent + width
        corner = [(right, top), (right - 0.7 * full, top), (right, top - 0.7 * full)]
        return [
            Rectangle((-xdescent, top - full), width, full, facecolor=HOLD, transform=trans),
            Polygon(corner, facecolor=DROP_REQUEST, transform=trans),
        ]


def draw_legend(
    figure: Figure,
    x: float,
    y: float,
    parts: set[str],
    limit: float,
    styles: Sequence[StateStyle] = STATES,
    smallest: float = 8.0,
) -> Legend:
    """Draw one legend, its upper left at `(x, y)` in figure coordinates: one line, or up to three.

    Letters become smaller before there are two lines, and again if these don't fit; where they may not become
    smaller, there are more lines, at most four.

    Parameters
    ----------
    parts : set of str
        Which keys besides the states there are: "unknown", "handoff", "drop request", "timeout", "span",
        "mark", "cut", and the labels of rare states.
    limit : float, points
        The width that it has to fit into.
    smallest : float, points
        The size of letters that they may not go below.
    """
    handles: list[Artist] = []
    handlers: dict[Artist | type, HandlerBase] = {}
    for style in styles:
        if style.rare and style.label not in parts:
            continue
        patch = Patch(facecolor=style.colour, label=style.label, linewidth=0)
        if style.hatch:
            patch.set_hatch(2 * style.hatch)
            patch.set_edgecolor(style.ink)
        handles.append(patch)
        handlers[patch] = _Height(style.height)
    if "unknown" in parts:
        handles.append(Line2D([], [], color=UNKNOWN, linewidth=1.6, linestyle=(0, (1, 3)), label="unknown"))
    if "timeout" in parts:
        timeout = LineCollection([], label="switch interval passed")
        handles.append(timeout)
        handlers[timeout] = _Notched()
    if "drop request" in parts:
        request = Polygon([(0, 0)], label="drop request")
        handles.append(request)
        handlers[request] = _Corner()
    if "handoff" in parts:
        handles.append(
            Line2D([], [], color=INK, linewidth=1.1, marker=">", markevery=[1], markersize=5, label="handoff")
        )
    if "span" in parts:
        handles.append(Line2D([], [], color=INK, linewidth=1.1, marker=3, markersize=6, label="span"))
    if "mark" in parts:
        handles.append(Line2D([], [], linestyle="none", marker="v", markersize=7, color=MARKED, label="mark"))
    if "cut" in parts:
        handles.append(
            Line2D(
                [],
                [],
                linestyle="none",
                marker="x",
                markersize=8,
                markeredgewidth=2.2,
                color=ALARM,
                label="cut off",
            )
        )
    size, lines = 14.0, 1
    while True:
        legend = figure.legend(
            handles=handles,
            handler_map=handlers,
            loc="upper left",
            bbox_to_anchor=(x, y),
            ncols=-(-len(handles) // lines),
            borderpad=0,
            borderaxespad=0,
            handlelength=_HANDLE,
            handleheight=0.7,
            handletextpad=0.45,
            columnspacing=1.25,
            labelspacing=0.5 if lines < 3 else 0.2,
            fontsize=size,
            labelcolor=MUTED,
        )
        box = legend.get_window_extent()
        if box.width * 72 / figure.dpi <= limit or (lines == 3 and size <= 8) or lines == 4:
            return legend
        legend.remove()
        if size - 0.5 * lines < smallest:
            lines += 1
        elif size <= 11 and lines == 1:
            lines = 2
        else:
            size -= 0.5 * lines
