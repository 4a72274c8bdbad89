"""Why the world was stopped: the function of the interpreter's that let it go on.

A record's text is "<place> <place> ...\\n<file>": where in that file the calls are that a hook was called
through, the innermost first, hexadecimal. Some only look like a call of it: what an earlier one left on the
stack. Whoever stops the world also starts it, so what called that is what wanted it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import numpy as np

from ...errors import TraceFormatError
from ..disk.metadata import Metadata
from ..format import Name
from ..names import Names
from ..problems import Problems
from ..records import NameRecord
from .symbol_names import readable
from .symbols import Symbols, read_symbols

_TEXT: Final = re.compile(r"([0-9a-f]{1,15}(?: [0-9a-f]{1,15})*)\n(/[^\n]*)")
_STARTS: Final = re.compile(r"_?(PyEval_)?start_?the_?world(_?all)?", re.IGNORECASE)


def read_reasons(names: Names, metadata: Metadata, problems: Problems) -> Mapping[int, str]:
    """Return which function each number of a `LOCK_CALLERS` says; those that can't be known are not in it.

    Raises
    ------
    TraceFormatError
        A record is none; not when salvaging.
    """
    records = list(names.records.of(Name.NATIVE_CALLERS))
    if not records:
        return {}
    symbols = read_symbols(names.path.parent.parent / "sched", metadata, problems)
    found: dict[int, str] = {}
    for record in records:
        calls = _calls(record)
        if calls is None:
            wrong = TraceFormatError(names.path, f"calls {record.text!r}", "places in a file, and the file")
            problems.report(wrong, "why the world was stopped, from there on")
            break
        reason = _reason(functions(calls, symbols))
        if reason:
            found[record.ref] = reason
    return found


def use(names: Names, symbols: Symbols) -> None:
    """Look up all functions that the calls of a process are in, so that they are among those used."""
    for record in names.records.of(Name.NATIVE_CALLERS):
        calls = _calls(record)
        if calls is not None:
            functions(calls, symbols)


def functions(calls: tuple[str, list[int]], symbols: Symbols) -> list[str]:
    """Return the functions of a file that its places are in, "" where that is not known."""
    path, places = calls
    ascending, where = np.unique(np.array(places, np.int64), return_inverse=True)
    found = symbols.names(path, ascending)
    return [readable(found[at]) for at in where.tolist()]


def _calls(record: NameRecord) -> tuple[str, list[int]] | None:
    text = _TEXT.fullmatch(record.text)
    return (text[2], [int(place, 16) for place in text[1].split(" ")]) if text is not None else None


def _reason(chain: list[str]) -> str:
    starts = [at for at, function in enumerate(chain) if _STARTS.fullmatch(function)]
    return chain[starts[-1] + 1] if starts and starts[-1] + 1 < len(chain) else ""
