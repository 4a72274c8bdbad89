"""Statistics of a trace: by one pass over its events where that can be, else from its tables."""

from __future__ import annotations

from ..tables.trace import Trace
from .figures import Counts as Counts
from .figures import GilStatistics as GilStatistics
from .figures import ProcessStatistics as ProcessStatistics
from .figures import Statistics as Statistics
from .figures import ThreadStatistics as ThreadStatistics
from .figures import cores_of as cores_of
from .from_fold import from_fold
from .from_tables import from_tables


def statistics(trace: Trace) -> Statistics:
    """Return the statistics of a trace."""
    return from_tables(trace) if trace.folded is None else from_fold(trace, trace.folded)
