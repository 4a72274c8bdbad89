"""Blame by code in words, and for machines: the worst functions as sentences, all of it as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, Final

import numpy as np

from ...measures.native_code import native_times
from ...measures.switch_interval import interval_of_process
from ...model import Code
from ...tables.trace import Trace
from ...units import count, duration, plural
from . import native_words
from .charges import CodeBlame

_WORTH_A_LINE: Final = 0.01
"""Share of all waiting from which on code is worth a line of the summary."""

_MOSTLY: Final = 0.9
"""Share of the holds from which on a word says "mostly"."""

_ROUNDED: Final = 1.02
"""Times what there is room for in the holds seen, that still is due to others of hardly any length."""

NOT_RECORDED: Final = "code not recorded"


def function(code: Code) -> str:
    """Return what to call a code: "Parser.parse()", "<module>"."""
    name = code.name.replace(".<locals>.", ".")
    return name if name.endswith(">") else f"{name}()"


def place(code: Code, line: int) -> str:
    """Return where it is: "app.py:120"."""
    return f"{PurePath(code.file).name}:{line or code.first_line}"


def sentences(trace: Trace, blame: CodeBlame, most: int = 3) -> Iterator[str]:
    """Yield a sentence for each of the worst functions, with its worst line.

    "parse(), app.py:120, made 3 threads wait 12.3 s (1,650 samples) in 840 holds, longest 210 ms, always
    released voluntarily." Without samples: "in 840 holds that ended in it".
    """
    for row in _worst(blame, most):
        code = trace.codes[row["code"]]
        threads, holds = int(row["threads"]), int(row["holds"])
        yield (
            f"{function(code)}, {place(code, row['line'])}, made {plural(threads, 'thread')} wait"
            f" {_extent(row, holds)},"
            f" {_how_released(int(row['requested']), holds)}{_overdue(trace, code, int(row['slowest']))}."
        )


def _extent(row: Any, holds: int) -> str:
    """Return how long others waited: what a sample stands for may be more than lies in the holds it saw."""
    waited = duration(row["waited"])
    if row["contended"] > _ROUNDED * holds * int(row["longest"]):
        return f"about {waited} (by {plural(int(row['samples']), 'sample')})"
    return f"{waited}{_known_by(row, holds)}, longest {duration(row['longest'])}"


def _known_by(row: Any, holds: int) -> str:
    """Say whether this code was seen to run, or only to let go in the end."""
    if row["samples"] and 2 * row["at_ends"] <= row["waited"]:
        return f" ({plural(int(row['samples']), 'sample')}) in {plural(holds, 'hold')}"
    return f" in {plural(holds, 'hold')} that ended in it"


def _worst(blame: CodeBlame, most: int) -> Iterator[Any]:
    charged = blame.total - blame.nobody
    lines = blame.functions[blame.functions["code"] >= 0][:most]
    return (row for row in lines if row["waited"] >= _WORTH_A_LINE * charged)


def _overdue(trace: Trace, code: Code, slowest: int) -> str:
    """Return a word on code that keeps the lock though it was asked for it: in a call into C, mostly."""
    interval = interval_of_process(trace, code.process)
    return f", up to {duration(slowest)} after being asked" if slowest > interval > 0 else ""


def _how_released(requested: int, holds: int) -> str:
    if holds == 1:
        return "released when it was asked to" if requested else "released voluntarily"
    if requested in (0, holds):
        return f"always released {'when it was asked to' if requested else 'voluntarily'}"
    if max(requested, holds - requested) >= _MOSTLY * holds:
        return f"mostly released {'when it was asked to' if 2 * requested > holds else 'voluntarily'}"
    return f"released voluntarily {_times(holds - requested)}, when asked to {_times(requested)}"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{count(number)} times"


def to_json(trace: Trace, blame: CodeBlame, most: int) -> dict[str, Any]:
    """Return blame by code for machines; the schema is in `summary`."""

    def rows(table: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
        return [
            {
                **_location(trace, row),
                **{_KEYS.get(name, name): int(row[name]) for name in table.dtype.names[2:]},
            }
            for row in table[:most]
        ]

    return {
        "waited_ns": blame.total,
        "nobody_ns": blame.nobody,
        "unknown_ns": blame.total - blame.nobody - blame.known,
        "lines": rows(blame.lines),
        "functions": rows(blame.functions),
        "waiting": rows(blame.waiting),
        "native": native_words.to_json(native_times(trace), most),
    }


_KEYS: Final = {
    name: f"{name}_ns" for name in ("waited", "contended", "at_ends", "longest", "longest_at", "slowest")
}


def _location(trace: Trace, row: Any) -> dict[str, Any]:
    if row["code"] < 0:
        return {"function": None, "file": None, "line": None}
    code = trace.codes[row["code"]]
    return {"function": code.name, "file": code.file, "line": int(row["line"]) or code.first_line}
