"""Read traces of the GIL and say what they mean, in tables, figures and words.

trace = analysis.load("threads.trace")
trace.intervals, trace.handoffs, trace.waits      # numpy structured arrays; dtypes in analysis.model
analysis.statistics(trace)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .errors import GilscopeError, TraceFormatError

if TYPE_CHECKING:
    from .invariants import Violation, validate
    from .measures import Statistics, statistics
    from .model import Gil, Outcome, Process, State, Thread
    from .trace import Trace, load

__all__ = [
    "Gil",
    "GilscopeError",
    "Outcome",
    "Process",
    "State",
    "Statistics",
    "Thread",
    "Trace",
    "TraceFormatError",
    "Violation",
    "load",
    "statistics",
    "validate",
]

# What is not an error is imported when it is first used: the tracer shares the errors, and must bring neither
# numpy nor numpy's threads into a program that it records, or into the launcher while the program runs. (So
# no module here may have the name of something that is public: importing it would put it in its place.)
_HOME = {
    "Gil": "model",
    "Outcome": "model",
    "Process": "model",
    "State": "model",
    "Statistics": "measures",
    "Thread": "model",
    "Trace": "trace",
    "Violation": "invariants",
    "load": "trace",
    "statistics": "measures",
    "validate": "invariants",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
