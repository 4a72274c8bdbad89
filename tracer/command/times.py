"""Times and sizes as one writes them on a command line."""

from __future__ import annotations

import re
from typing import Final

from tracer.errors import UsageError

_SECONDS: Final = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_BYTES: Final = {
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
}
_NUMBER: Final = r"([0-9]+(?:\.[0-9]+)?) ?"


def seconds(text: str, option: str) -> float:
    """Return a time such as 500ms, 10s, 2min or 1h in seconds; UsageError if it is none."""
    found = re.fullmatch(_NUMBER + "(ms|s|min|h)", text.strip())
    if found is None or not float(found[1]):
        raise UsageError(f"{option} {text}: a time, as in 500ms, 10s or 2min")
    return float(found[1]) * _SECONDS[found[2]]


def size(text: str, option: str) -> int:
    """Return a size such as 200MB or 1GB in bytes; UsageError if it is none."""
    found = re.fullmatch(_NUMBER + f"({'|'.join(_BYTES)})", text.strip())
    if found is None or not float(found[1]):
        raise UsageError(f"{option} {text}: a size, as in 200MB or 1GB")
    return int(float(found[1]) * _BYTES[found[2]])
