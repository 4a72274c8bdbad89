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
plots.save_page(trace, "threads.html")      # all of it in one HTML file, to zoom and search in

Nothing is shown or registered with pyplot, and rcParams stay as they are.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from .timeline.cpus import cpus
from .timeline.timeline import save_timeline, timeline
from .timeline.window import PlotError

if TYPE_CHECKING:
    from .figures.anatomy import wait_anatomy
    from .figures.blame import blame
    from .figures.distributions import ecdf
    from .figures.flames import flame
    from .figures.handoff_graph import handoff_graph
    from .figures.handoffs import handoff_matrix
    from .web.page import save_page

__all__ = [
    "PlotError",
    "blame",
    "cpus",
    "ecdf",
    "flame",
    "handoff_graph",
    "handoff_matrix",
    "save_page",
    "save_timeline",
    "timeline",
    "wait_anatomy",
]

_IN: Final = {
    "blame": "figures.blame",
    "ecdf": "figures.distributions",
    "flame": "figures.flames",
    "handoff_graph": "figures.handoff_graph",
    "handoff_matrix": "figures.handoffs",
    "save_page": "web.page",
    "wait_anatomy": "figures.anatomy",
}
"""Where what a timeline does not need comes from: it is imported when it is asked for."""


def __getattr__(name: str) -> Any:
    if name not in _IN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_IN[name]}", __name__), name)
