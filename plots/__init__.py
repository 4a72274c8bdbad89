"""Figures of a trace: functions that take data and return `Axes`.

plots.timeline(trace)                       # what every thread did about the GIL
plots.save_timeline(trace, "threads.png")   # or .svg, .pdf
plots.cpus(trace)                           # who ran on which CPU
plots.ecdf(trace, "waits")                  # how long waits are
plots.handoff_matrix(trace)                 # who hands the GIL to whom

Nothing is shown or registered with pyplot, and rcParams stay as they are.
"""

from .cpus import cpus
from .distributions import ecdf
from .handoffs import handoff_matrix
from .timeline import save_timeline, timeline
from .window import PlotError

__all__ = ["PlotError", "cpus", "ecdf", "handoff_matrix", "save_timeline", "timeline"]
