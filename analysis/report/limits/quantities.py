"""Quantities that people write: "2ms", "0.5 s", "30 %"."""

from __future__ import annotations

import re
from typing import Final

from ...errors import GilscopeError

NS: Final = {"ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_QUANTITY: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]{1,2})?|\.[0-9]+)\s*([^\s\d]*)\s*")


class QuantityError(GilscopeError):
    """This is no such quantity; the message says what would be."""


def split(text: str) -> tuple[float, str]:
    """Return the number and the unit ("" without one)."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise QuantityError(f"{text.strip()!r} is no number with a unit, such as 2ms or 30%")
    return float(found[1]), found[2]


def nanoseconds(text: str, default: str = "") -> int:
    """Return a duration in ns; `default` is the unit of a number without one ("": it must have one)."""
    number, unit = split(text)
    unit = unit or default or ("ns" if number == 0 else "")
    if unit not in NS:
        found = f"the unit {unit!r}" if unit else "no unit"
        raise QuantityError(f"{text.strip()!r} has {found}: a duration has one of ns, us, µs, ms, s")
    return round(number * NS[unit])


def share(text: str) -> float:
    """Return a share of 1: "30%" or "0.3"."""
    number, unit = split(text)
    if unit not in ("", "%"):
        raise QuantityError(f"{text.strip()!r} has the unit {unit!r}: a share is written as 30% or 0.3")
    return number / 100 if unit else number


def number(text: str) -> float:
    """Return a number that has no unit."""
    value, unit = split(text)
    if unit:
        raise QuantityError(f"{text.strip()!r} has the unit {unit!r}: a count has none")
    return value
