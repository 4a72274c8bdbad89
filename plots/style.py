"""How a state looks: one table for every figure, and the style that figures are made in.

A state is told by its height and its texture as well as by its colour, so that a figure reads in greyscale
and without a legend: full has the GIL, half waits for it, a thread of a line has nothing to do with it;
diagonal lines want a CPU, dots sleep. See `analysis.states`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import matplotlib.style
import numpy as np
from matplotlib.collections import Collection
from matplotlib.colors import to_hex, to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

from analysis import states
from analysis.states import Kind, State

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analysis.tables.trace import Trace

HOLD: Final = states.HOLD
WAIT: Final = states.WAIT
NATIVE: Final = states.NATIVE
STALL: Final = states.STALL
RELEASED: Final = states.RELEASED
DROP_REQUEST: Final = "#E69F00"
MARKED: Final = "#882255"
UNKNOWN: Final = "#BDBDBD"
INK: Final = "#222222"
MUTED: Final = "#666666"
FAINT: Final = "#EBEBEB"
ALARM: Final = "#B00020"

OTHERS: Final = "#9A9A9A"
"""A GIL's owner that has no lane in the figure."""

OWNERS: Final = (
    "#332288",
    "#44AA99",
    "#882255",
    "#DDCC77",
    "#117733",
    "#88CCEE",
    "#AA4499",
    "#999933",
    "#661100",
    "#CC9FB8",
    "#225555",
    "#B5BD61",
)
"""Threads, where they are told by colour: after Paul Tol's "muted" scheme, without what is near to the
states' blue and orange; dark and light take turns, so that neighbours differ in greyscale too."""


SERIES: Final = (HOLD, WAIT, NATIVE, "#882255")
"""Kinds of things, in charts; with `MARKERS` they are told apart in greyscale too."""

MARKERS: Final = ("o", "s", "^", "D")

RAMP: Final = ("#8FC1E3", "#4292C6", "#08519C", "#06213F")
"""More and more of one thing, in charts: lighter to darker, so that they keep their order in greyscale."""

DARK_GROUND: Final = "#14181D"

DARK: Final = {
    "#FFFFFF": DARK_GROUND,
    "#000000": "#F2F2F2",
    INK: "#F2F2F2",
    MUTED: "#B4BAC1",
    FAINT: "#2C333B",
    "#888888": "#8A9199",
    HOLD: "#2F9BE0",
    WAIT: "#F07C22",
    NATIVE: "#1DBE93",
    STALL: "#17405E",
    states.STALL_INK: "#6DB8EE",
    states.STALL_TEXT: "#6DB8EE",
    states.SLEEP: "#33285C",
    states.SLEEP_INK: "#B7A3F2",
    states.READY: "#14483B",
    states.READY_INK: "#4FD0AC",
    states.READY_TEXT: "#4FD0AC",
    DROP_REQUEST: "#FFC24A",
    RELEASED: "#5D646C",
    UNKNOWN: "#70777F",
    ALARM: "#FF5C6C",
    "#7FA9C9": "#6B8CA6",
    "#E2E2E2": "#3E454D",
    "#332288": "#8F85E8",
    "#882255": "#D873A6",
    "#117733": "#55B878",
    "#661100": "#C9694B",
    "#225555": "#62A3A3",
    "#8FC1E3": "#2A6FA8",
    "#4292C6": "#4E9BD6",
    "#08519C": "#90C9F4",
    "#06213F": "#EAF5FF",
}
"""What each colour of the light theme is in the dark one; any other stays."""


@dataclass(frozen=True)
class StateStyle:
    """One state's look in a lane; `height` is the share of the lane's height that it fills.

    `hatch` is a pattern in `ink` over `colour`. Of a `rare` one the legend tells where it is drawn.
    """

    state: State
    label: str
    colour: str
    height: float
    hatch: str = ""
    ink: str = ""
    rare: bool = False


STATES: Final = (
    StateStyle(State.HOLDING, "holds the GIL", HOLD, 1.0),
    StateStyle(State.WAITING, "waits for it", WAIT, 0.5),
    StateStyle(State.RELEASED, "without it", RELEASED, 0.1),
)
"""States drawn as areas, the most important first. UNKNOWN is a dotted line: `lanes.draw_unknown`."""


def _styled(kind: Kind, label: str) -> StateStyle:
    look = kind.look
    return StateStyle(kind.state, label, look.colour, look.height, look.hatch, look.ink, kind.rare)


CPU_STATES: Final = tuple(
    _styled(kind, kind.label) for kind in states.STATES.values() if kind.state != State.UNKNOWN
)
"""The same with the OS scheduler: `analysis.states`."""

WITHOUT_GIL: Final = tuple(
    _styled(kind, kind.without_gil) for kind in states.STATES.values() if kind.without_gil
)
"""What is left of them where no GIL was seen: any program, any interpreter."""

_STYLE_FILE: Final = Path(__file__).with_name("gil.mplstyle")


@contextmanager
def style() -> Iterator[None]:
    """Make figures in the style of `gil.mplstyle` inside the block; after it rcParams are as before."""
    with matplotlib.style.context(["default", str(_STYLE_FILE)]):
        yield


def states_of(trace: Trace) -> tuple[StateStyle, ...]:
    """Return the states that a trace's lanes are drawn in: three, or all with their CPUs."""
    if trace.scheduling is None:
        return STATES
    return CPU_STATES if trace.gils else WITHOUT_GIL


def owner_colours(count: int) -> list[str]:
    """Return `count` colours for threads; they come again after `len(OWNERS)`."""
    return [OWNERS[i % len(OWNERS)] for i in range(count)]


def darken(figure: Figure) -> None:
    """Turn a figure that is complete into the dark theme: each colour into what `DARK` says."""
    figure.draw_without_rendering()  # what is made late, as tick labels are, is there then
    figure.set_facecolor(DARK_GROUND)
    for artist in figure.findobj():
        if artist is figure.patch:
            continue
        if isinstance(artist, Line2D):
            artist.set_color(_dark(artist.get_color()))
            artist.set_markerfacecolor(_dark(artist.get_markerfacecolor()))
            artist.set_markeredgecolor(_dark(artist.get_markeredgecolor()))
        elif isinstance(artist, Text):
            artist.set_color(_dark(artist.get_color()))
        elif isinstance(artist, Patch):
            face, edge = artist.get_facecolor(), artist.get_edgecolor()
            artist.set_facecolor(_dark(face))
            artist.set_edgecolor(_dark(edge))
        elif isinstance(artist, Collection):
            faces, edges = artist.get_facecolor(), artist.get_edgecolor()
            artist.set_facecolor([_dark(colour) for colour in np.atleast_2d(faces)])
            if len(edges):
                artist.set_edgecolor([_dark(colour) for colour in np.atleast_2d(edges)])


def _dark(colour: Any) -> Any:
    if isinstance(colour, str) and colour in ("none", "auto"):
        return colour
    red, green, blue, alpha = to_rgba(colour)
    other = DARK.get(to_hex((red, green, blue)).upper())
    return colour if other is None else to_rgba(other, alpha)


def luminance(colour: str) -> float:
    """Return the relative luminance (0 black … 1 white) of a colour "#RRGGBB", as in WCAG 2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
