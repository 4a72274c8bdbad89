"""Looking at a recording that goes on, once a second."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .recording import is_over
from .second import Second, look, now

SECOND: Final = 1_000_000_000
_LEAST: Final = 0.01
"""Share of a window that is looked at, whatever it costs."""


class Pace:
    """How much of each window to look at, so that looking takes no more than a share of a CPU.

    What looking costs grows with the events. Where there are very many the newest part of each window says
    enough, and `Second.begin` says which it is.
    """

    def __init__(self, every: int, budget: float) -> None:
        self.every = every
        self.budget = budget
        self.length = every
        self._before = 0

    def begin(self) -> None:
        """A look begins."""
        self._before = time.process_time_ns()

    def end(self) -> None:
        """It is over: decide how long the next one is."""
        cost = max(time.process_time_ns() - self._before, 1)
        fits = self.length * self.budget * self.every / cost
        # Half of the way: what one look cost is a guess at what the next one will.
        self.length = int(min(max((self.length + fits) / 2, self.every * _LEAST), self.every))


def seconds(path: Path, *, every: int = SECOND, budget: float | None = None) -> Iterator[Second | None]:
    """Yield window after window, each when it is over; None: nothing is known of it.

    Ends with the recording. The windows have no gap, unless there is a `budget`: the share of a CPU that
    looking may take. Then they are the newest part of each second, all of it where that can be had.
    """
    pace = Pace(every, budget) if budget is not None else None
    begin = now() - every
    while True:
        end = now()
        if pace is None:
            yield look(path, begin, end)
        else:
            pace.begin()
            second = look(path, max(begin, end - pace.length), end)
            pace.end()
            yield second
        if is_over(path):
            return
        begin = end
        time.sleep(max((end + every - now()) / 1e9, 0))
