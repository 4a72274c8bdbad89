"""Which processes are Pythons that were not recorded: nobody knows what their threads did about the GIL."""

from __future__ import annotations

from typing import Final

from ..tasks import Task
from .scheduling import Scheduling

EXEC: Final = "exec"
"""It was started so that the recorder did not come with it."""
FORK: Final = "fork"
"""It was forked from a Python, and could not record."""


def why_unrecorded(scheduling: Scheduling, main: int, since: int = 0) -> str:
    """Return EXEC or FORK if a process of which only the scheduler knows is a Python; else "".

    Parameters
    ----------
    main : int
        The task that is its main thread.
    since : int
        ns; the program that it was before does not count.
    """
    task = scheduling.tasks[main]
    if _python_at(task, task.end, since):
        return EXEC
    seen = set()
    while not task.execs and task.tid not in seen:  # it is what it was forked from
        seen.add(task.tid)
        born, ppid = task.begin, task.ppid
        parent = next(
            (each for each in scheduling.tasks if each.tid == ppid and each.begin <= born <= each.end), None
        )
        if parent is None:
            return ""
        if _python_at(parent, born):
            return FORK
        task = parent
    return ""


def _python_at(task: Task, time: int, since: int = 0) -> bool:
    """Return whether a process has an interpreter in memory: since its last exec."""
    begin = max([since, *(when for when in task.execs if when <= time)])
    return any(begin <= when <= time for when in task.python)
