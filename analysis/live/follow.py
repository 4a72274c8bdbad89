"""Looking at a recording that goes on, once a second."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..memory import give_back
from .recording import is_over
from .second import Second, look, now

SECOND: Final = 1_000_000_000
_LEAST: Final = 0.01
"""Share of a window that is looked at, whatever it costs."""

_FOR_EVENTS: Final = 1 / 3
"""Of what looking may take, at least this much is for events, whatever it costs without them."""

_MOST: Final = 0.045
"""Share of a CPU that looking may take where what it costs does not shrink with the window: then it waits."""

_TYPICAL: Final = 5
"""Looks whose median is what one costs."""

_LONGEST: Final = 5
"""Windows from one look to the next, at most."""

_NOTHING: Final = 1_000
"""Part of a window that has next to nothing in it."""

_GIVES_BACK_EVERY: Final = 60
"""Looks: each needs about what the last one did, and would take it from the system anew."""

_LEARNS_EVERY: Final = 60
"""Looks; not before the second, as the first one has modules to load."""


class Pace:
    """How much of each window to look at, so that looking takes no more than a share of a CPU.

    What looking costs grows with the events. Where there are very many the newest part of each window says
    enough, and `Second.begin` says which it is. A part of the cost is the same however short the window is: a
    shorter one saves nothing of that. Where that part alone is too much, looks are further apart.
    """

    def __init__(self, every: int, budget: float) -> None:
        self.every = every
        self.budget = budget
        self.length = every
        self.pause = every
        self._before = 0
        self._fixed = 0
        self._costs: list[int] = []

    def begin(self) -> None:
        """A look begins."""
        self._before = time.process_time_ns()

    def end(self) -> None:
        """It is over: decide how long the next one is, and when."""
        whole = time.process_time_ns() - self._before
        cost = max(whole - self._fixed, 1)
        may = self.budget * self.every
        fits = self.length * max(may - self._fixed, may * _FOR_EVENTS) / cost
        # Half of the way: what one look cost is a guess at what the next one will.
        self.length = int(min(max((self.length + fits) / 2, self.every * _LEAST), self.every))
        self._costs = [*self._costs[-_TYPICAL + 1 :], whole]
        if len(self._costs) == _TYPICAL:  # the first ones have modules to load
            usual = sorted(self._costs)[_TYPICAL // 2]
            self.pause = int(min(max(usual / _MOST, self.every), self.every * _LONGEST))

    def learn(self) -> None:
        """A look at next to nothing is over: so much each of them costs."""
        self._fixed = time.process_time_ns() - self._before


def seconds(path: Path, *, every: int = SECOND, budget: float | None = None) -> Iterator[Second | None]:
    """Yield window after window, each when it is over; None: nothing is known of it.

    Ends with the recording. The windows have no gap, unless there is a `budget`: the share of a CPU that
    looking may take. Then they are the newest part of each second, all of it where that can be had.
    """
    pace = Pace(every, budget) if budget is not None else None
    begin = now() - every
    for number in itertools.count():
        end = now()
        if pace is None:
            yield look(path, begin, end)
        else:
            if number % _LEARNS_EVERY == 1:
                pace.begin()
                look(path, end - every // _NOTHING, end)
                pace.learn()
            pace.begin()
            second = look(path, max(begin, end - pace.length), end)
            pace.end()
            yield second
        if is_over(path):
            return
        begin = end
        if number % _GIVES_BACK_EVERY == 0:
            give_back()
        time.sleep(max((end + (pace.pause if pace is not None else every) - now()) / 1e9, 0))
