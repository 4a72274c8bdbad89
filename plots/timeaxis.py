"""Times in figures: read from the command line, written on an axis, in the unit that fits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import Formatter, MaxNLocator

NBSP: Final = "\N{NO-BREAK SPACE}"
UNITS: Final = (("s", 10**9), ("ms", 10**6), ("µs", 10**3), ("ns", 1))

_NS_PER: Final = {"": 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "µs": 10**3, "μs": 10**3, "ns": 1}
_TIME: Final = re.compile(r"\s*(\d+\.?\d*|\.\d+)(?:e([+-]?\d{1,2}))?\s*([a-zµμ]*)\s*", re.IGNORECASE)


_WIDEST: Final = 5
"""Characters of a tick label."""


def parse_time(text: str) -> int:
    """Return nanoseconds for "12ms", "1.5s", "300us", "40ns" or plain seconds "0.25".

    Raises
    ------
    ValueError
        If the text is no such time; the message says what is accepted.
    """
    match = _TIME.fullmatch(text)
    unit = match[3].lower() if match else None
    if match is None or unit not in _NS_PER:
        raise ValueError(f"not a time: {text!r} (write it as 12ms, 1.5s, 300us, 40ns, or seconds: 0.25)")
    return int(Decimal(match[1]).scaleb(int(match[2] or 0)) * _NS_PER[unit])


def unit_for(span: float) -> tuple[str, int]:
    """Return the unit, and its ns, in which a span of that many ns is a number from 2 to some 2000."""
    return next(((name, ns) for name, ns in UNITS if span >= 2 * ns), UNITS[-1])


def duration(ns: float) -> str:
    """Return a duration in three significant figures: "230 ms", "1.26 s", "4.8 µs"."""
    for name, size in UNITS:
        # What would round up to 1000 of the smaller unit is 1 of this one.
        if ns >= 0.9995 * size or size == 1:
            value = ns / size
            decimals = 0 if size == 1 or value >= 99.95 else 1 if value >= 9.995 else 2
            text = f"{value:.{decimals}f}"
            return (text.rstrip("0").rstrip(".") if "." in text else text) + NBSP + name
    raise AssertionError("the last unit fits everything")


class TimeFormatter(Formatter):
    """Tick labels for an axis in ns: in one unit, counted from `base`, with the decimals they need."""

    def __init__(self, unit_ns: int, base: int = 0) -> None:
        self.unit_ns = unit_ns
        self.base = base

    def __call__(self, x: float, pos: int | None = None) -> str:
        del pos
        return self._text(x)

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """Return the labels of these ticks, all with the same number of decimals."""
        numbers = [(value - self.base) / self.unit_ns for value in values]
        for decimals in range(10):
            if all(abs(round(n, decimals) - n) < 10.0**-9 * max(1.0, abs(n)) for n in numbers):
                break
        return [f"{n + 0.0:.{decimals}f}" for n in (round(n, decimals) for n in numbers)]

    def _text(self, value: float) -> str:
        return self.format_ticks([value])[0]


def set_time_axis(axes: Axes, start: int, end: int) -> None:
    """Label an x axis that counts nanoseconds since the trace's begin.

    Deep inside a long trace the ticks count from a round time near the start, which the axis names: a label
    "1234567.8 ms" can't be read.
    """
    name, unit_ns = unit_for(end - start)
    locator = MaxNLocator(nbins=8, steps=[1, 2, 2.5, 5, 10], min_n_ticks=2, integer=True)
    axes.xaxis.set_major_locator(locator)
    formatter = TimeFormatter(unit_ns)
    ticks = [t for t in locator.tick_values(start, end) if start <= t <= end]
    base = 0
    if max(map(len, formatter.format_ticks(ticks)), default=0) > _WIDEST:
        base = int(ticks[0])
        formatter = TimeFormatter(unit_ns, base)
    axes.xaxis.set_major_formatter(formatter)
    after = f" after {_exact(base)}" if base else ""
    axes.set_xlabel(f"time ({name}{after})", loc="right")


def _exact(ns: int) -> str:
    """Return a time with every digit: "1.2345 s"."""
    name, size = unit_for(ns)
    text = f"{Decimal(ns) / size:f}"
    return text + NBSP + name
