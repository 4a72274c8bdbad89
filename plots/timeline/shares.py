"""The table at the right of the lanes: which share of its life each thread spent in which states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from analysis.states import HELD, STATES, State

from ..style import INK, MUTED
from ..text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from analysis.tables.trace import Trace

    from .rows import Plan
    from .view import View

FONT: Final = 14.0
"""Points: of the table, and of the rows' names at the left."""

_TWO_COLUMNS: Final = 1.75  # inches
_WIDTHS: Final = {1: 0.76, 2: 0.76, 4: 0.83, 5: 0.81, 6: 0.79}  # one more, of so many
_FIRST: Final = 0.82  # from the lanes to the first column's right

Column = tuple[str, str, tuple[State, ...]]
"""Title, colour and states."""


@dataclass(frozen=True)
class Share:
    """A column of the table at the right: the share of its life that a thread spent in some states."""

    x: float  # inches from the page's left to the column's right
    title: str
    colour: str
    states: tuple[State, ...]


_WORTH_A_COLUMN: Final = 0.005
"""Share of its life that a thread must spend in a rare state for it to have a column."""

_SHARE_COLUMNS: Final = (("holds", State.HOLDING, HELD), ("waits", State.WAITING, (State.WAITING,)))
_SHARE_COLUMNS_WITH_CPUS: Final = (
    ("runs", State.RUNNING, (State.RUNNING, State.HOLDING)),
    ("stalls", State.STALLED, (State.STALLED,)),
    ("asleep", State.HOLDING_ASLEEP, (State.HOLDING_ASLEEP,)),
    ("waits", State.WAITING, (State.WAITING,)),
    ("native", State.NATIVE, (State.NATIVE,)),
    ("ready", State.READY, (State.READY,)),
)
_SHARE_COLUMNS_WITHOUT_GIL: Final = (
    ("CPU", State.NATIVE, (State.NATIVE,)),
    ("ready", State.READY, (State.READY,)),
)


def share_columns(trace: Trace, view: View) -> list[Column]:
    """Return title, colour and states of the table's columns: of rare states those that somebody was in."""
    columns: Sequence[tuple[str, State, tuple[State, ...]]] = _SHARE_COLUMNS
    if trace.scheduling is not None:
        columns = _SHARE_COLUMNS_WITH_CPUS if trace.gils else _SHARE_COLUMNS_WITHOUT_GIL

    def is_there(state: State) -> bool:
        return not STATES[state].rare or any(
            view.part(int(thread), state) >= _WORTH_A_COLUMN for thread in view.alive
        )

    return [
        (title, STATES[state].look.text or STATES[state].look.colour, states)
        for title, state, states in columns
        if columns is _SHARE_COLUMNS or is_there(state)
    ]


def width_of(columns: Sequence[Column]) -> float:
    """Return how wide the table is, inches."""
    return _TWO_COLUMNS + _WIDTHS[len(columns)] * (len(columns) - 2)


def shares_from(left: float, columns: Sequence[Column]) -> list[Share]:
    """Return the columns in their places, right of `left`."""
    wide = _WIDTHS[len(columns)]
    return [Share(left + _FIRST + wide * number, *column) for number, column in enumerate(columns)]


def draw_shares(
    axes: Axes, shares: Sequence[Share], plan: Plan, view: View, lanes_left: float, lanes_width: float
) -> None:
    """Write the table beside the lanes, which are so many inches from the page's left, and wide."""

    def cell(share: Share, y: float, text: str, colour: str) -> None:
        axes.text(
            (share.x - lanes_left) / lanes_width,
            y,
            text,
            transform=axes.get_yaxis_transform(),
            ha="right",
            va="center_baseline",
            color=colour,
            size=FONT,
        )

    for row in plan.rows:
        if row.kind == "lane":
            for share in shares:
                cell(share, row.middle, percent(_part(view, row.thread, share)), INK)
        elif row.kind == "strip" and not row.attached:
            held = percent(view.gil_shares[row.gil])
            if view.cpus:  # run and stalled together
                cell(shares[1], row.middle, f"held {held}", MUTED)
            else:
                cell(shares[0], row.middle, held, MUTED)
        elif row.kind == "rest":
            for share in shares:
                mean = float(np.mean([_part(view, thread, share) for thread in plan.hidden]))
                cell(share, row.middle, f"ø {percent(mean)}", MUTED)


def _part(view: View, thread: int, share: Share) -> float:
    if view.cpus:
        return view.part(thread, *share.states)
    hold, wait = view.share(thread)
    return hold if State.HOLDING in share.states else wait
