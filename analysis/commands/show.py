"""`python -m analysis show TRACE`: lanes in the terminal, keys to zoom, to pan, to ask for a span."""

from __future__ import annotations

import argparse
import os
import select
import shutil
import sys
import termios
import tty
from typing import Final

import numpy as np
from rich.console import Console
from rich.text import Text

from ..arrays import Int64s
from ..destinations import visible
from ..model import State
from ..states import STATES
from ..tables.trace import Trace
from ..units import duration
from .show_span import report

EPILOG: Final = (
    "keys: w s zoom, a d go left and right, j k the lanes below and above, f all of it;"
    " h l H L move the cursor, m one end of a span, Enter what it says (without one: of all that is seen),"
    " z zooms into it, q ends"
)
_IN_A_LINE: Final = (
    "w s zoom  a d pan  j k lanes  f all  h l H L cursor  m mark  Enter statistics  z zoom in  q ends"
)
_OF_A_REPORT: Final = "j k scroll, any other key goes back to the lanes, q ends"

_NAME: Final = 18
_FAR: Final = 10
"""Cells that the cursor moves at once by H and L."""

_ESCAPES: Final = {"\x1b[D": "a", "\x1b[C": "d", "\x1b[A": "k", "\x1b[B": "j"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options; the trace's are added by whoever loads it."""
    parser.add_argument("--once", action="store_true", help="print what is seen at first, and end")


def check(options: argparse.Namespace) -> None:
    """Nothing of the options can be wrong by itself."""


def run(trace: Trace, options: argparse.Namespace) -> int:
    """Draw, and follow the keys until q."""
    view = View(trace)
    console = Console(highlight=False)
    if options.once or not (sys.stdin.isatty() and sys.stdout.isatty()):
        console.print(view.drawn(console.width, len(trace.threads) + 5), end="")
        return 0
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        with console.screen(hide_cursor=True):
            while True:
                size = shutil.get_terminal_size()
                console.control()
                console.print("\x1b[H\x1b[J", end="")
                console.print(view.drawn(size.columns, size.lines - 1), end="")
                key = _key()
                if key in ("q", "\x04", ""):
                    return 0
                view.press(key, size.lines - 6)
    except KeyboardInterrupt:
        return 0
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _key() -> str:
    """Wait for a key; an arrow is the letter that does the same. Half a second without one: draw again."""
    fd = sys.stdin.fileno()
    if not select.select([fd], [], [], 0.5)[0]:
        return "none"
    read = os.read(fd, 1).decode(errors="replace")
    if read == "\x1b" and select.select([fd], [], [], 0.05)[0]:
        read += os.read(fd, 2).decode(errors="replace")
    return _ESCAPES.get(read, read[:1])


class View:
    """What is seen: a stretch of time, and the lanes from `top` on."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.length = max(trace.end - trace.begin, 1)
        self.start, self.end = 0, self.length
        self.top = 0
        self.cursor = self.length // 2
        self.mark: int | None = None
        self.cells = 1
        self.report: list[Text] = []
        self.top_of_report = 0

    @property
    def span(self) -> tuple[int, int]:
        """What is selected, or all that is seen; ns since the trace's begin."""
        if self.mark is None or self.mark == self.cursor:
            return self.start, self.end
        return min(self.mark, self.cursor), max(self.mark, self.cursor)

    def press(self, key: str, lanes: int) -> None:
        """Do what a key is for; `lanes` is how many are seen at once."""
        if self.report:
            self._press_in_report(key, lanes)
            return
        width = self.end - self.start
        cell = max(width // max(self.cells, 1), 1)
        moves = {"h": -cell, "l": cell, "H": -_FAR * cell, "L": _FAR * cell}
        middle = (self.start + self.end) // 2
        if key in ("w", "+"):
            self._show(middle - width // 4, max(width // 2, 100))
        elif key in ("s", "-"):
            self._show(middle - width, 2 * width)
        elif key == "a":
            self._show(self.start - width // 4, width)
        elif key == "d":
            self._show(self.start + width // 4, width)
        elif key == "f":
            self._show(0, self.length)
        elif key in moves:
            self.cursor = min(max(self.cursor + moves[key], self.start), self.end)
        elif key == "m":
            self.mark = None if self.mark is not None else self.cursor
        elif key == "z":
            begin, end = self.span
            self._show(begin, end - begin)
            self.mark = None
        elif key in ("\n", "\r"):
            self.report = report(self.trace, *self.span, self.cells + _NAME + 1)
            self.top_of_report = 0
        elif key == "j":
            self.top = max(min(self.top + 1, len(self.trace.threads) - lanes), 0)
        elif key == "k":
            self.top = max(self.top - 1, 0)

    def _press_in_report(self, key: str, lines: int) -> None:
        if key in ("j", "k"):
            last = max(len(self.report) - lines, 0)
            self.top_of_report = min(max(self.top_of_report + (1 if key == "j" else -1), 0), last)
        elif key != "none":
            self.report = []

    def _show(self, start: int, width: int) -> None:
        width = min(max(width, 1), self.length)
        self.start = min(max(start, 0), self.length - width)
        self.end = self.start + width
        self.cursor = min(max(self.cursor, self.start), self.end)

    def drawn(self, columns: int, lines: int) -> Text:
        """Return what is seen, in so many lines."""
        self.cells = cells = max(columns - _NAME - 1, 10)
        if self.report:
            return self._drawn_report(lines)
        edges = self.trace.begin + self.start + (self.end - self.start) * np.arange(cells + 1) // cells
        span = f"{duration(self.start)} – {duration(self.end)} ({duration(self.end - self.start)})"
        text = Text(no_wrap=True, overflow="crop")
        text.append(f"{visible(self.trace.path.name)}  {span}\n", style="bold")
        shown = self.trace.threads[self.top : self.top + max(lines - 5, 1)]
        for thread in shown:
            text.append(f"{visible(thread.name)[:_NAME]:{_NAME}} ")
            text.append_text(self._lane(thread.index, edges))
            text.append("\n")
        text.append_text(self._ruler())
        text.append_text(self._legend())
        text.append(f"\n{_IN_A_LINE}\n", style="dim")
        return text

    def _ruler(self) -> Text:
        """Return the line under the lanes: the cursor, with its time, and what is selected."""
        width = max(self.end - self.start, 1)

        def cell(time: int) -> int:
            return min(max((time - self.start) * self.cells // width, 0), self.cells - 1)

        signs = [" "] * self.cells
        begin, end = self.span
        if self.mark is not None:
            signs[cell(begin) : cell(end) + 1] = "━" * (cell(end) - cell(begin) + 1)
        signs[cell(self.cursor)] = "▲"
        what = duration(end - begin) if self.mark is not None else duration(self.cursor)
        return Text(f"{what:>{_NAME}} {''.join(signs)}\n", style="bold")

    def _drawn_report(self, lines: int) -> Text:
        shown = self.report[self.top_of_report : self.top_of_report + max(lines - 1, 1)]
        text = Text(no_wrap=True, overflow="crop")
        for line in shown:
            text.append_text(line).append("\n")
        text.append("\n" * max(lines - 1 - len(shown), 0))
        return text.append(f"{_OF_A_REPORT}\n", style="dim")

    def _lane(self, thread: int, edges: Int64s) -> Text:
        """Return a lane: in each cell the state that has most of its time."""
        states = self.trace.states_by_column
        first, last = int(states.first[thread]), int(states.first[thread + 1])
        start, state = states.start[first:last], states.state[first:last]
        end = start + states.duration[first:last]
        most = np.zeros(len(edges) - 1, np.int64)
        found = np.full(len(edges) - 1, -1)
        for each in np.unique(state):
            mine = state == each
            time = np.diff(_before(start[mine], end[mine], edges))
            found = np.where(time > most, int(each), found)
            most = np.maximum(most, time)
        text = Text()
        for number in found.tolist():
            kind = STATES[State(number)] if number >= 0 else None
            sign = (kind.look.sign or "·") if kind else " "
            text.append(sign, style=(kind.look.text or kind.look.colour) if kind else "")
        return text

    def _legend(self) -> Text:
        there = set(np.unique(self.trace.states_by_column.state).tolist())
        text = Text()
        for kind in STATES.values():
            if int(kind.state) in there:
                style = kind.look.text or kind.look.colour
                text.append(f"{kind.look.sign or '·'} {kind.label}   ", style=style)
        return text


def _before(start: Int64s, end: Int64s, edges: Int64s) -> Int64s:
    """Return how much of some intervals, in order and apart from each other, is before each edge."""
    lengths = np.concatenate([[0], np.cumsum(end - start)])
    begun = np.searchsorted(start, edges, side="right")
    over = np.where(begun > 0, end[np.maximum(begun - 1, 0)] - edges, 0)
    time: Int64s = lengths[begun] - np.maximum(over, 0)
    return time
