"""`python -m analysis show TRACE`: the lanes in the terminal, with keys to zoom and to pan."""

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

EPILOG: Final = "keys: w s zoom, a d go left and right, j k the lanes below and above, f all of it, q ends"

_NAME: Final = 18
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
        console.print(view.drawn(console.width, len(trace.threads) + 4), end="")
        return 0
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        with console.screen(hide_cursor=True):
            while True:
                size = shutil.get_terminal_size()
                console.control()
                console.print("\x1b[H", end="")
                console.print(view.drawn(size.columns, size.lines - 1), end="")
                key = _key()
                if key in ("q", "\x04", ""):
                    return 0
                view.press(key, size.lines - 5)
    except KeyboardInterrupt:
        return 0
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _key() -> str:
    """Wait for a key; an arrow is the letter that does the same. Half a second without one: draw again."""
    fd = sys.stdin.fileno()
    if not select.select([fd], [], [], 0.5)[0]:
        return "none"
    read = os.read(fd, 8).decode(errors="replace")
    return _ESCAPES.get(read, read[:1])


class View:
    """What is seen: a stretch of time, and the lanes from `top` on."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.length = max(trace.end - trace.begin, 1)
        self.start, self.end = 0, self.length
        self.top = 0

    def press(self, key: str, lanes: int) -> None:
        """Do what a key is for; `lanes` is how many are seen at once."""
        width = self.end - self.start
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
        elif key == "j":
            self.top = max(min(self.top + 1, len(self.trace.threads) - lanes), 0)
        elif key == "k":
            self.top = max(self.top - 1, 0)

    def _show(self, start: int, width: int) -> None:
        width = min(max(width, 1), self.length)
        self.start = min(max(start, 0), self.length - width)
        self.end = self.start + width

    def drawn(self, columns: int, lines: int) -> Text:
        """Return what is seen, in so many lines."""
        cells = max(columns - _NAME - 1, 10)
        edges = self.trace.begin + self.start + (self.end - self.start) * np.arange(cells + 1) // cells
        span = f"{duration(self.start)} – {duration(self.end)} ({duration(self.end - self.start)})"
        text = Text(no_wrap=True, overflow="crop")
        text.append(f"{visible(self.trace.path.name)}  {span}\n", style="bold")
        shown = self.trace.threads[self.top : self.top + max(lines - 4, 1)]
        for thread in shown:
            text.append(f"{visible(thread.name)[:_NAME]:{_NAME}} ")
            text.append_text(self._lane(thread.index, edges))
            text.append("\n")
        text.append_text(self._legend())
        text.append(f"\n{EPILOG}\n", style="dim")
        return text

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
