"""What `sched/` of a trace says, read as the format says and no further: the recording is what is tested."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from analysis.reader.disk.metadata import read_metadata
from analysis.reader.format import (
    HEADER_SIZE,
    NAME_RECORD,
    PACKET_HEADER,
    PACKET_SIZE,
    SCHED_RECORD,
    Name,
    Sched,
)
from tests.launcher.support import Launcher, Run

Intervals = list[tuple[int, int, int]]
"""Begin, end, and a CPU or a tid."""


@dataclass(frozen=True)
class Task:
    """A record of the names: a task as it was at a time; `comm` is None when it has ended."""

    time: int
    tid: int
    pid: int
    ppid: int
    comm: str | None


class Recorded:
    """The directory `sched/` at `path`, checked while it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failed = 0
        self.environment = read_metadata(path / "metadata", "sched").environment

    def _packets(self, file: Path) -> list[tuple[np.void, bytes]]:
        raw = file.read_bytes()
        assert len(raw) % PACKET_SIZE == 0
        found = []
        for at in range(0, len(raw), PACKET_SIZE):
            header = np.frombuffer(raw, PACKET_HEADER, 1, at)[0]
            content = raw[at + HEADER_SIZE : at + int(header["content_size"]) // 8]
            found.append((header, content))
        return found

    @cached_property
    def streams(self) -> dict[int, np.ndarray]:
        """The events of each CPU."""
        found = {}
        for file in self.path.glob("sched_*"):
            parts = [np.frombuffer(content, SCHED_RECORD) for _, content in self._packets(file)]
            events = np.concatenate(parts)
            cpu = int(file.name.removeprefix("sched_"))
            assert (events["cpu"] == cpu).all()
            assert (events["timestamp"][1:] >= events["timestamp"][:-1]).all()
            found[cpu] = events
        return found

    @property
    def discarded(self) -> int:
        last = [self._packets(file)[-1][0] for file in self.path.glob("sched_*")]
        return sum(int(header["events_discarded"]) for header in last)

    @cached_property
    def tasks(self) -> list[Task]:
        """The names stream, without the threads of the recorder that make files now and then."""
        return [task for task in self.all_tasks if task.tid not in self._ours]

    @cached_property
    def _ours(self) -> set[int]:
        return {
            task.tid
            for task in self.all_tasks
            if (task.comm or "").startswith("gilscope") and task.tid != task.pid
        }

    @cached_property
    def all_tasks(self) -> list[Task]:
        found = []
        self._named = 0
        for _, content in self._packets(self.path / "names"):
            at = 0
            while at < len(content):
                record = np.frombuffer(content, NAME_RECORD, 1, at)[0]
                end = content.index(0, at + NAME_RECORD.itemsize)
                text = content[at + NAME_RECORD.itemsize : end].decode()
                time, tid = int(record["timestamp"]), int(record["ref"])
                self._named += 1
                if record["id"] == Name.TASK:
                    pid, ppid, comm = text.split(" ", 2)
                    found.append(Task(time, tid, int(pid), int(ppid), comm))
                elif record["id"] == Name.RECORDING_FAILED:
                    self.failed = time
                elif record["id"] not in (Name.TASK_EXEC, Name.TASK_PYTHON, Name.TASK_INNER, Name.TASK_MAP):
                    assert record["id"] == Name.TASK_EXIT
                    found.append(Task(time, tid, 0, 0, None))
                at = (end + 8) & ~7
        assert [task.time for task in found] == sorted(task.time for task in found)
        return found

    @property
    def named(self) -> int:
        """How many records the names stream has, of any kind."""
        assert self.all_tasks
        return self._named

    @property
    def names(self) -> set[str]:
        return {task.comm for task in self.tasks if task.comm is not None}

    def tids(self, comm: str) -> set[int]:
        return {task.tid for task in self.tasks if task.comm == comm}

    def by_cpu(self) -> dict[int, Intervals]:
        """Who was on each CPU, when; what was lost left out. Asserts that there is one at a time."""
        found = {}
        for cpu, events in self.streams.items():
            running, since = 0, 0
            rows: Intervals = []
            for time, kind, _, tid in events.tolist():
                if kind == Sched.SCHED_LOST:
                    running = 0
                elif kind == Sched.SCHED_IN:
                    assert running == 0
                    running, since = tid, time
                else:
                    assert running == tid
                    rows.append((since, time, tid))
                    running = 0
            found[cpu] = rows
        return found

    def by_thread(self) -> dict[int, Intervals]:
        """Where each thread was on a CPU, when. Asserts that it was on one at a time."""
        found: dict[int, Intervals] = {}
        for cpu, rows in self.by_cpu().items():
            for begin, end, tid in rows:
                if tid not in self._ours:
                    found.setdefault(tid, []).append((begin, end, cpu))
        for rows in found.values():
            rows.sort()
            assert all(before[1] <= after[0] for before, after in pairwise(rows))
        return found

    def on_cpu(self) -> dict[int, int]:
        """Nanoseconds on a CPU, of each thread."""
        return {tid: sum(end - begin for begin, end, _ in rows) for tid, rows in self.by_thread().items()}


def perf_is_refused() -> str:
    """Why the kernel does not let us record here; "" when it does."""
    from tracer import _recorder

    with_nothing_to_record = _recorder.sched_start("/nonexistent", "", False)
    return "" if "No such file" in with_nothing_to_record else with_nothing_to_record


needs_perf = pytest.mark.skipif(bool(perf_is_refused()), reason=f"no scheduler events: {perf_is_refused()}")


def sched_of(run: Run, name: str = "program.trace") -> Recorded:
    return Recorded(run.directory / name / "sched")


def printed(run: Run) -> dict[str, int]:
    """What a program of a test printed: a JSON object."""
    found: dict[str, int] = json.loads(run.stdout)
    return found


def execute(launcher: Launcher, *command: str | Path, options: tuple[str, ...] = ()) -> Run:
    """Record a command of any kind; the trace is program.trace."""
    return launcher.run("-q", "--no-png", "-o", "program.trace", *options, "--exec", "--", *command, status=0)


def babeltrace(path: Path) -> list[str]:
    done = subprocess.run(["babeltrace2", str(path)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()
