"""Figures of a trace: functions that take data and return `Axes`.

plots.timeline(trace)                       # what every thread did about the GIL
plots.save_timeline(trace, "threads.png")   # or .svg, .pdf
plots.cpus(trace)                           # who ran on which CPU
plots.ecdf(trace, "waits")                  # how long waits are
plots.handoff_matrix(trace)                 # who hands the GIL to whom
plots.handoff_graph(trace)                  # the same as a graph
plots.wait_anatomy(trace)                   # what waits were spent on
plots.blame(trace)                          # who made whom wait
plots.flame(trace)                          # which code held it while others waited

Nothing is shown or registered with pyplot, and rcParams stay as they are.
"""

from .anatomy import wait_anatomy
from .blame import blame
from .cpus import cpus
from .distributions import ecdf
from .flames import flame
from .handoff_graph import handoff_graph
from .handoffs import handoff_matrix
from .timeline import save_timeline, timeline
from .window import PlotError

__all__ = [
    "PlotError",
    "blame",
    "cpus",
    "ecdf",
    "flame",
    "handoff_graph",
    "handoff_matrix",
    "save_timeline",
    "timeline",
    "wait_anatomy",
]
