"""The same trace told twice: in one pass, and from its tables, which are the slow obvious way."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np

import analysis
from analysis.destinations import json_text
from analysis.report.summary import to_json
from analysis.tables.columns import Source
from analysis.tables.trace import Trace
from analysis.why.code.long_holds import long_holds
from analysis.why.locks.blame import lock_blame


def from_tables(trace: Trace) -> Trace:
    """Return the trace so that all that is said of it comes from its tables."""
    told = replace(trace, source=Source(trace.columns))
    told.__dict__["folded"] = None
    return told


def said(trace: Trace) -> dict[str, Any]:
    """Return all that the summary says of a trace, and what it leaves out."""
    blame, figures = analysis.code_blame(trace), analysis.statistics(trace)
    return {
        **json.loads(json_text(to_json(trace))),
        "lines": blame.lines.tolist(),
        "functions": blame.functions.tolist(),
        "waiting": blame.waiting.tolist(),
        "of_frame": blame.of_frame.tolist(),
        "long": long_holds(trace).tolist(),
        "flow": figures.flow.tolist(),
        "by_thread": analysis.blame(trace).table.tolist(),
        "locks": [repr(line) for line in lock_blame(trace).lines],
        "waited_by": trace.waited_by.tolist(),
        "intervals": list(trace.switch_intervals),
        "cpu_time": trace.cpu_time.tolist(),
        "native": [repr(each) for each in figures.native],
        "cpus": [repr(thread.cpu) for thread in figures.threads],
        "patterns": [
            (each.name, each.score, each.begin, each.end, each.threads, dict(each.figures), each.sentence)
            for each in analysis.patterns(trace)
        ],
    }


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Return where two such accounts differ."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [line for key in one for line in differences(one[key], other[key], f"{where}.{key}")]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [line for at, (a, b) in pairs for line in differences(a, b, f"{where}[{at}]")]
    return [] if one == other or (one != one and other != other) else [f"{where}: {one!r}, {other!r}"]


def assert_told_alike(trace: Trace) -> bool:
    """Check that both ways say the same; return whether it can be told in one pass."""
    if trace.folded is None:
        return False
    assert not differences(said(trace), said(from_tables(trace)))
    return True


def columns_are_equal(one: Trace, other: Trace) -> bool:
    """Return whether two traces have the same events."""
    names = ("time", "kind", "gil", "arg", "first", "begin", "end", "seen_alive", "exited")
    return all(np.array_equal(getattr(one.columns, name), getattr(other.columns, name)) for name in names)
