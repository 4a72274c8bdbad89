"""Figures for people: durations and shares, short and with the unit that fits."""

from __future__ import annotations

_UNITS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"), (1, "ns"))


def duration(ns: float) -> str:
    """Return a duration with three digits: "4.98 ms", "512 ns"; "0" for none."""
    if round(ns) <= 0:
        return "0"
    for size, unit in _UNITS:
        # 999.6 µs is shown as 1.00 ms, not as 1000 µs.
        if ns >= size * 0.9995 or size == 1:
            value = ns / size
            digits = 0 if size == 1 or value >= 99.95 else 1 if value >= 9.995 else 2
            return f"{value:.{digits}f} {unit}"
    raise AssertionError


def long_duration(ns: float) -> str:
    """Return a duration as `duration` does, and from two minutes on in minutes, then hours: "69 min"."""
    if ns < 120e9:
        return duration(ns)
    minutes = ns / 60e9
    if minutes < 119.5:
        return f"{minutes:.1f} min" if minutes < 9.95 else f"{minutes:.0f} min"
    hours = minutes / 60
    return f"{hours:.1f} h" if hours < 99.95 else f"{hours:,.0f} h"


def share(part: float) -> str:
    """Return a share of 1 in per cent; what is small is not shown as nothing, nor what is not all as all."""
    percent = 100 * part
    if percent == 0 or 1 <= percent < 99.5 or percent >= 100:
        return f"{percent:.0f} %"
    return f"{percent:.1f} %" if 0.05 <= percent <= 99.95 else "< 0.1 %" if percent < 1 else "> 99.9 %"


def few(number: float) -> str:
    """Return a small number with one digit after the point; what is smaller is not shown as nothing."""
    return "< 0.1" if 0 < number < 0.05 else f"{number:.1f}"


def count(number: int) -> str:
    """Return a count with its digits in groups: "1,234,567"."""
    return f"{number:,}"


def plural(number: int, one: str, many: str = "") -> str:
    """Return a count of something: "1 line", "2,000 lines"."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"
