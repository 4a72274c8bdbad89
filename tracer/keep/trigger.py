"""Watching the last second of a recording for what is to leave a snapshot: a process of its own, `python -m`.

Its arguments are the trace and the limits; it writes a line for each look at which one was not kept. The
launcher reads them, and has nothing of the analysis in its own memory. When the launcher ends, so does this.
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import Final

from analysis import check
from analysis.errors import GilscopeError
from analysis.live.second import now
from analysis.report.limits.gate import LimitError, parse
from analysis.tables.load import load

_WINDOW: Final = 1_000_000_000
_EVERY: Final = 0.5
"""Seconds between looks: half a window, so that what is shorter than that is in one of them as a whole."""

_SETTLED: Final = 20_000_000
"""ns: what is younger may still be on its way into the files."""

_NICE: Final = 5


def full(limit: str) -> str:
    """Return a limit in the gate's words: "wait > 100ms" is about the longest.

    Raises
    ------
    LimitError
        It is none.
    """
    try:
        parse(limit)
    except LimitError:
        longest = re.sub(r"(?<=[a-z])(?=\s*[<>=!])", ".max", limit, count=1)
        parse(longest)
        return longest
    return limit


def main(arguments: list[str]) -> int:
    """Look twice a second, until nobody reads any more."""
    trace, limits = Path(arguments[0]), [full(text) for text in arguments[1:]]
    launcher = os.getppid()
    os.nice(_NICE)
    while os.getppid() == launcher:
        begun = time.monotonic()
        try:
            found = _look(trace, limits)
            if found:
                print(found, flush=True)
        except BrokenPipeError:
            return 0
        except (GilscopeError, OSError, ValueError):
            pass  # nothing is known of this second, or not yet of that thread
        time.sleep(max(begun + _EVERY - time.monotonic(), _EVERY / 5))
    return 0


def _look(trace: Path, limits: list[str]) -> str:
    """Return what is not kept in the last second, in a line, or nothing."""
    end = now() - _SETTLED
    around = load(trace, salvage=True, within=(end - _WINDOW, end))
    if around.end <= end - _WINDOW or around.begin >= end:
        return ""
    failures = check(around.between(end - _WINDOW, min(end, around.end)), limits)
    return "; ".join(map(str, failures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
