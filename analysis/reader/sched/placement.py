"""Whose tasks are whose: threads of the GIL's streams get theirs, the others become threads themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..disk.metadata import Metadata
from ..process import RecordedProcess, Run
from ..tasks import Task
from .endings import settle
from .joining import join, outer_pid
from .scheduling import Scheduling
from .unrecorded import why_unrecorded

_EXECS_TOLD = 4
"""The version of the format from which on an exec has a record; before it a new name may be one."""


@dataclass(frozen=True)
class Placed:
    """The processes with all their threads; `task_of` gives the index of a run's task by its identity."""

    processes: list[RecordedProcess]
    task_of: dict[int, int]

    def tasks(self, runs: Sequence[Run]) -> list[int]:
        """Return which task each run is, -1: none."""
        return [self.task_of.get(id(run), -1) for run in runs]


def place(processes: Sequence[RecordedProcess], scheduling: Scheduling) -> Placed:
    """Give each thread its task. The others become threads, of a new process if need be.

    A thread of a process whose GIL was recorded lives within what was recorded of that process.
    """
    task_of = join(processes, scheduling)
    processes = settle(processes, scheduling, task_of)
    taken = set(task_of.values())
    others: dict[int, list[int]] = {}
    for index, task in enumerate(scheduling.tasks):
        if index not in taken and not task.of_recorder:
            others.setdefault(task.pid, []).append(index)
    mains = {task.pid: task.comm for task in scheduling.tasks if task.main}
    result = [_with_others(process, others, mains, scheduling, task_of) for process in processes]
    for pid, index, since in list(_after_exec(processes, scheduling, task_of)):
        members = [index, *others.pop(pid, [])]
        result.append(_new_process(pid, members, mains, scheduling, task_of, since))
    named = scheduling.failure is None and any(task.named for task in scheduling.tasks)
    for pid, members in others.items():
        for life in _lives(members, scheduling):
            # Where names had no room, who knows whose thread it was: the recorder has some, too.
            if not named and not scheduling.tasks[life[0]].named:
                continue
            result.append(_new_process(pid, life, mains, scheduling, task_of))
    return Placed(result, task_of)


def _after_exec(
    processes: Sequence[RecordedProcess], scheduling: Scheduling, task_of: Mapping[int, int]
) -> Iterator[tuple[int, int, int]]:
    """Yield pid, main task and time where a Python became a program that has no GIL to record, by an exec."""
    last: dict[int, tuple[RecordedProcess, int]] = {}
    for process in processes:
        for run in process.runs:
            index = task_of.get(id(run))
            if run.main and index is not None and process.end >= last.get(index, (process, 0))[1]:
                last[index] = process, process.end
    for index, (process, _) in last.items():
        task = scheduling.tasks[index]
        if process.ended == "exec":
            yield task.pid, index, process.end
        elif process.ended == "killed" and scheduling.metadata.number("gilscope_format") < _EXECS_TOLD:
            since = next((when for when, _ in task.named if when > process.end), None)
            if since is not None:
                yield task.pid, index, since


def _with_others(
    process: RecordedProcess,
    others: dict[int, list[int]],
    mains: Mapping[int, str],
    scheduling: Scheduling,
    task_of: dict[int, int],
) -> RecordedProcess:
    pid = outer_pid(process, scheduling, task_of)
    members = others.get(pid, []) if pid is not None else []
    begin, end = process.begin, process.end
    if not any(run.path for run in process.runs):  # no GIL was seen: its life is what the scheduler says
        begin = min([begin, *(scheduling.tasks[index].begin for index in members)])
        end = max([end, *(scheduling.tasks[index].end for index in members)])
    runs = list(process.runs)
    left = []
    for index in members:
        task = scheduling.tasks[index]
        since, until = max(task.begin, begin), min(task.end, end)
        if since >= until:
            left.append(index)
            continue
        exited = task.exited and task.end <= end
        name = _name(task, mains)
        run = Run(task.inner or task.tid, since, until, name, task.main, False, exited, None)
        task_of[id(run)] = index
        runs.append(run)
    if pid is not None:
        others[pid] = left
    runs.sort(key=lambda run: (not run.main, run.begin))
    return replace(process, runs=tuple(runs), begin=begin, end=end)


def _name(task: Task, mains: Mapping[int, str]) -> str:
    """Return its name in the OS if that is its own: threads inherit their main thread's, `mains` by pid."""
    if task.main:
        return task.comm or "main"
    return task.comm if task.comm and task.comm != mains.get(task.pid, "") else f"thread {task.tid}"


def _lives(members: Sequence[int], scheduling: Scheduling) -> Iterator[list[int]]:
    """Split the tasks of a pid into processes: the OS may have given it again."""
    mains = sorted(
        (index for index in members if scheduling.tasks[index].main),
        key=lambda index: scheduling.tasks[index].begin,
    )
    rest = [index for index in members if index not in set(mains)]
    if not mains and rest:  # the threads of a process whose main one has a GIL lived before it was recorded
        return
    for number, main in enumerate(mains):
        until = scheduling.tasks[mains[number + 1]].begin if number + 1 < len(mains) else None
        since = scheduling.tasks[main].begin if number else None
        mine = [
            index
            for index in rest
            if (since is None or scheduling.tasks[index].begin >= since)
            and (until is None or scheduling.tasks[index].begin < until)
        ]
        yield [main, *mine]


def _new_process(
    pid: int,
    members: Sequence[int],
    mains: Mapping[int, str],
    scheduling: Scheduling,
    task_of: dict[int, int],
    since: int = 0,
) -> RecordedProcess:
    """Return a process of tasks, the main one first; `since` is when it began if its tasks are older."""
    main = scheduling.tasks[members[0]]
    members = [index for index in members if scheduling.tasks[index].end >= since]
    tasks = [scheduling.tasks[index] for index in members]
    why = why_unrecorded(scheduling, members[0], since)
    runs = []
    for index, task in zip(members, tasks, strict=True):
        name = _name(task, mains)
        run = Run(task.tid, max(task.begin, since), task.end, name, task.main, bool(why), task.exited, None)
        task_of[id(run)] = index
        runs.append(run)
    runs.sort(key=lambda run: (not run.main, run.begin))
    of_all = scheduling.metadata
    environment: dict[str, Any] = {
        key: of_all.environment[key] for key in ("hostname", "cpus", "kernel") if key in of_all.environment
    }
    environment["kind"] = "sched"  # all that is known of it is from the scheduler
    environment["comm"] = main.comm or f"pid {pid}"
    if why:
        environment["unrecorded"] = why
    started = main.ppid == of_all.pid != 0 and of_all.argv  # what the recorder was told to run
    environment["argv"] = json.dumps(of_all.argv if started else [environment["comm"]])
    begin = min(run.begin for run in runs)
    metadata = Metadata(of_all.path, pid, main.ppid, begin, of_all.utc_offset, environment)
    return RecordedProcess(
        directory=of_all.path.parent,
        metadata=metadata,
        runs=tuple(runs),
        gils=(),
        begin=begin,
        end=max(task.end for task in tasks),
        ended="stopped",
        failure=None,
        discarded=0,
    )
