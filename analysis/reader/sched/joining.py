"""Which task a thread of a GIL's stream is: by what both have written down, not by equal numbers alone.

The kernel's ids are those of the pid namespace in which the scheduler was recorded, the recorder's are those
of the namespace in which its process is. Both write down which namespace that is. Where they are the same the
numbers are; a task in a namespace below has a record with its id there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..process import RecordedProcess, Run
from .scheduling import Scheduling

OURS = 0
"""The namespace in which the scheduler was recorded, as a key."""


def join(processes: Sequence[RecordedProcess], scheduling: Scheduling) -> dict[int, int]:
    """Return the index of each run's task by the run's identity; where that is not sure, nothing."""
    by_id: dict[tuple[int, int], list[int]] = {}
    for index, task in enumerate(scheduling.tasks):
        if task.of_recorder:
            continue
        by_id.setdefault((task.namespace, task.inner) if task.inner else (OURS, task.tid), []).append(index)
    task_of: dict[int, int] = {}
    for process in processes:
        namespace = _namespace(process, scheduling)
        for run in process.runs:
            found = _longest(run, by_id.get((namespace, run.tid), []), scheduling)
            if found is not None:
                task_of[id(run)] = found
    for process in processes:
        if _namespace(process, scheduling) != OURS:
            _add_main_alone(process, scheduling, task_of)
            _add_alone(process, scheduling, task_of)
    return task_of


def _namespace(process: RecordedProcess, scheduling: Scheduling) -> int:
    """Return the key of a process's namespace; where nobody wrote it down there is one for all."""
    own = process.metadata.number("pid_namespace")
    return OURS if own in (0, scheduling.namespace) or not scheduling.namespace else own


def _longest(run: Run, candidates: Sequence[int], scheduling: Scheduling) -> int | None:
    """Return the task in whose life most of a thread's is."""
    best, most = None, -1
    for index in candidates:
        task = scheduling.tasks[index]
        common = min(task.end, run.end) - max(task.begin, run.begin)
        if common > most:
            best, most = index, common
    return best


def _add_main_alone(process: RecordedProcess, scheduling: Scheduling, task_of: dict[int, int]) -> None:
    """Join a process that was gone before its id could be asked for, where one task alone can be its main."""
    main = next((run for run in process.runs if run.main), None)
    if main is None or any(id(run) in task_of for run in process.runs):
        return
    taken = set(task_of.values())
    fits = [
        index
        for index, task in enumerate(scheduling.tasks)
        if task.main
        and not task.inner
        and index not in taken
        and any(when <= process.metadata.recording_start for when in task.python)
        and task.begin <= main.begin
        and process.end <= task.end
    ]
    if len(fits) == 1:
        task_of[id(main)] = fits[0]


def _add_alone(process: RecordedProcess, scheduling: Scheduling, task_of: dict[int, int]) -> None:
    """Join threads that were gone before their ids could be asked for, where one task alone can be each."""
    outer = outer_pid(process, scheduling, task_of)
    if outer is None:
        return
    left = [
        index
        for index, task in enumerate(scheduling.tasks)
        if task.pid == outer and not task.inner and not task.of_recorder and index not in task_of.values()
    ]
    open_runs = [run for run in process.runs if id(run) not in task_of]
    while found := [(run, fits[0]) for run in open_runs if len(fits := _around(run, left, scheduling)) == 1]:
        for run, index in found:
            if index in left:
                task_of[id(run)] = index
                left.remove(index)
            open_runs.remove(run)


def _around(run: Run, candidates: Sequence[int], scheduling: Scheduling) -> list[int]:
    """Return the tasks whose lives have a thread's within them."""
    tasks = scheduling.tasks
    return [index for index in candidates if tasks[index].begin <= run.begin and run.end <= tasks[index].end]


def outer_pid(process: RecordedProcess, scheduling: Scheduling, task_of: Mapping[int, int]) -> int | None:
    """Return a process's id in the namespace in which the scheduler was recorded; None: it is not known."""
    for run in process.runs:
        if id(run) in task_of:
            return scheduling.tasks[task_of[id(run)]].pid
    return process.metadata.pid if _namespace(process, scheduling) == OURS else None
