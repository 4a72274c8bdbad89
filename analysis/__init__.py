"""Read traces of the GIL and say what they mean, in tables, figures and words.

trace = analysis.load("threads.trace")
trace.intervals, trace.handoffs, trace.waits      # numpy structured arrays; dtypes in analysis.model
analysis.statistics(trace)
"""

from .errors import GilscopeError, TraceFormatError
from .model import Gil, Outcome, Process, State, Thread
from .statistics import Statistics, statistics
from .trace import Trace, load
from .validate import Violation, validate

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
