"""When a program that ran without a GIL got one: what import did it, and where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..reader.format import Event
from ..tables.trace import Trace
from .lock_names import place_of


@dataclass(frozen=True)
class SwitchedOn:
    """An import that switched the GIL on.

    Attributes
    ----------
    time : int
        ns, as all times of the trace.
    thread : int
        Who imported it.
    module : str
        "": not recorded.
    where : str
        The line that imports it, "load(), app.py:12"; "": not known.
    """

    time: int
    process: int
    thread: int
    module: str
    where: str


def switched_on(trace: Trace) -> list[SwitchedOn]:
    """Return the imports that switched a GIL on, at most one a process, in the order of the threads."""
    side = trace.side
    found = []
    for at in np.flatnonzero(side.kind == Event.GIL_ENABLED).tolist():
        thread = int(side.thread_of(np.array([at]))[0])
        process = trace.threads[thread].process
        frame = int(trace.stacks.of(process, side.arg[at : at + 1])[0])
        enabled = trace.processes[process].gil_enabled
        module = enabled.module if enabled is not None else ""
        found.append(SwitchedOn(int(side.time[at]), process, thread, module, place_of(trace, frame)))
    return found
