"""How a process ended whose recording was not stopped: the scheduler saw it exit, exec or go on.

What a process recorded survives it, whatever it died of: what its threads did last they did until that end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..process import RecordedProcess, Run
from ..tasks import Task
from .scheduling import Scheduling


def settle(
    processes: Sequence[RecordedProcess], scheduling: Scheduling, task_of: dict[int, int]
) -> list[RecordedProcess]:
    """Return the processes with how and when they ended; `task_of` then knows their new runs."""
    return [_settled(process, scheduling, task_of) for process in processes]


def _settled(process: RecordedProcess, scheduling: Scheduling, task_of: dict[int, int]) -> RecordedProcess:
    main = next((run for run in process.runs if run.main and id(run) in task_of), None)
    if process.ended != "killed" or main is None or scheduling.failure is not None:
        return process
    task = scheduling.tasks[task_of[id(main)]]
    tasks = _tasks(process, scheduling, task_of)
    execed = next((time for time in task.execs if time > process.end), None)
    if execed is not None:
        ended, end, signal = "exec", execed, None
    elif all(each.exited for each in tasks):
        signal = _signal(scheduling, task)
        ended, end = "exited" if signal is None else "killed", max(each.end for each in tasks)
    elif scheduling.end is not None:
        ended, end, signal = "running", scheduling.end, None
    else:
        return process
    if process.discarded:
        return replace(process, ended=ended, signal=signal)
    end = max(end, process.end)
    runs = []
    for run in process.runs:
        longer = _until(run, process.end, end, task_of, scheduling)
        if longer is not run and id(run) in task_of:
            task_of[id(longer)] = task_of[id(run)]
        runs.append(longer)
    return replace(process, runs=tuple(runs), end=end, ended=ended, signal=signal)


def _tasks(process: RecordedProcess, scheduling: Scheduling, task_of: dict[int, int]) -> list[Task]:
    """Return the tasks of a process: its main thread may be gone, and others live."""
    return [scheduling.tasks[task_of[id(run)]] for run in process.runs if id(run) in task_of]


def _until(run: Run, last: int, end: int, task_of: dict[int, int], scheduling: Scheduling) -> Run:
    """Return a thread that lives on to its process's end, or to its own exit."""
    if run.exited or run.end < last:
        return run
    if id(run) in task_of:
        task = scheduling.tasks[task_of[id(run)]]
        end = min(end, task.end) if task.exited else end
    return replace(run, end=max(end, run.end))


def _signal(scheduling: Scheduling, task: Task) -> int | None:
    """Return the signal that ended a process, where its parent told: the launcher that of the program."""
    said = scheduling.metadata.environment
    status = said.get("program_status")
    if said.get("program_pid") != task.pid or not isinstance(status, int) or status >= 0:
        return None
    return -status
