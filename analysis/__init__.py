"""Read traces of the GIL and say what they mean, in tables, figures and words.

trace = analysis.load("threads.trace")
trace.intervals, trace.handoffs, trace.waits      # numpy structured arrays; dtypes in analysis.dtypes
analysis.statistics(trace)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .errors import GilscopeError, TraceFormatError

if TYPE_CHECKING:
    from .dtypes import Outcome
    from .measures.statistics import Statistics, statistics
    from .model import Code, Gil, Process, State, Thread
    from .report.difference import Change, diff
    from .report.limits.gate import check
    from .tables.invariants import Violation, validate
    from .tables.load import load
    from .tables.trace import Trace
    from .whatif.predict import WhatIf, what_if
    from .whatif.replay import Scenario
    from .why.anatomy import WaitAnatomy, wait_anatomy
    from .why.blame_by_thread import Blame, blame
    from .why.code.charges import CodeBlame, code_blame
    from .why.code.flames import Flame, flame
    from .why.detectors.finding import Pattern
    from .why.detectors.pattern import patterns

__all__ = [
    "Blame",
    "Change",
    "Code",
    "CodeBlame",
    "Flame",
    "Gil",
    "GilscopeError",
    "Outcome",
    "Pattern",
    "Process",
    "Scenario",
    "State",
    "Statistics",
    "Thread",
    "Trace",
    "TraceFormatError",
    "Violation",
    "WaitAnatomy",
    "WhatIf",
    "blame",
    "check",
    "code_blame",
    "diff",
    "flame",
    "load",
    "patterns",
    "statistics",
    "validate",
    "wait_anatomy",
    "what_if",
]

# What is not an error is imported when it is first used: the tracer shares the errors, and must bring neither
# numpy nor numpy's threads into a program that it records, or into the launcher while the program runs. (So
# no module here may have the name of something that is public: importing it would put it in its place.)
_HOME = {
    "Blame": "why.blame_by_thread",
    "Change": "report.difference",
    "Code": "model",
    "CodeBlame": "why.code.charges",
    "Flame": "why.code.flames",
    "Gil": "model",
    "Outcome": "dtypes",
    "Pattern": "why.detectors.finding",
    "Process": "model",
    "Scenario": "whatif.replay",
    "State": "model",
    "Statistics": "measures.statistics",
    "Thread": "model",
    "Trace": "tables.trace",
    "Violation": "tables.invariants",
    "WaitAnatomy": "why.anatomy",
    "blame": "why.blame_by_thread",
    "WhatIf": "whatif.predict",
    "check": "report.limits.gate",
    "code_blame": "why.code.charges",
    "diff": "report.difference",
    "flame": "why.code.flames",
    "load": "tables.load",
    "patterns": "why.detectors.pattern",
    "statistics": "measures.statistics",
    "validate": "tables.invariants",
    "wait_anatomy": "why.anatomy",
    "what_if": "whatif.predict",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
