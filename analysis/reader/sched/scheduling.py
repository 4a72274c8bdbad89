"""What the OS scheduler did: sched/ of a trace, read and sorted by thread.

`sched_<cpu>` says who came onto a CPU and left it, `names` who that was. A task is what the kernel calls a
thread: one life of a tid, from its first record to its exit.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from ...arrays import Bytes, CpuNumbers, Int64s
from ...errors import TraceFormatError
from ..code import callers
from ..code.native import NO_SAMPLES, NativeSamples, read_native
from ..code.symbols import Symbols, read_symbols, write_symbols
from ..disk.files import check_directory
from ..disk.metadata import Metadata, read_metadata
from ..disk.packets import EVER
from ..format import Name
from ..names import Names, read_names
from ..problems import Problems
from ..records import NameTable
from ..tasks import Task, find_tasks, without_gone
from .by_task import HIGHEST
from .streams import Events, Loss, SchedStreams, TaskEvents

_STREAM_FILE = re.compile(r"sched_[0-9]{1,5}")
HELPER: Final = "gilscope helper"  # the recorder's own thread in a process: GS_HELPER_NAME


@dataclass(frozen=True)
class Scheduling:
    """What was recorded of the scheduler.

    Attributes
    ----------
    begin : int
        When the recording began, ns.
    end : int or None
        When it was stopped; None if it was not: something may be missing behind any thread's last event.
    events : TaskEvents
        `time`, `kind` and `cpu` (int64, uint8, int8 or int16) of events (`format.Sched`, without SCHED_LOST),
        sorted by task, in time order within one.
    first : ndarray of int64, shape (tasks + 1,)
        Task i has the events first[i] to first[i + 1].
    tasks : tuple of Task
        Sorted by (tid, begin).
    losses : tuple of Loss
    cpus : tuple of int
        Those that there are streams of.
    failure : str or None
        What ended the recording early; nothing is known from then on.
    native : NativeSamples
        Which native code threads ran; none where that was not recorded.
    """

    metadata: Metadata
    begin: int
    end: int | None
    events: TaskEvents
    first: Int64s
    tasks: tuple[Task, ...]
    losses: tuple[Loss, ...]
    cpus: tuple[int, ...]
    failure: str | None = None
    native: NativeSamples = NO_SAMPLES

    @property
    def time(self) -> Int64s:
        """When the events were, ns."""
        return self.events.columns().time

    @property
    def kind(self) -> Bytes:
        """What they were."""
        return self.events.columns().kind

    @property
    def cpu(self) -> CpuNumbers:
        """Where they were."""
        return self.events.columns().cpu

    @property
    def namespace(self) -> int:
        """The inode of the pid namespace that tids are of; 0: it was not written down."""
        return self.metadata.number("pid_namespace")

    @property
    def lost(self) -> int:
        """Number of records that were lost."""
        return sum(loss.count for loss in self.losses)


def read_scheduling(
    directory: Path,
    problems: Problems,
    within: tuple[int, int] = EVER,
    symbols: Symbols | None = None,
    native: bool = True,
) -> Scheduling | None:
    """Read the scheduler's part of a trace; None if it has none, or all of it had to be skipped.

    Parameters
    ----------
    native : bool
        Read the samples of native code, too.

    Raises
    ------
    TraceFormatError
        It is not what it says it is; not when salvaging.
    """
    if not os.path.lexists(directory):
        return None
    try:
        check_directory(directory)
        files = sorted(
            (file for file in directory.iterdir() if _STREAM_FILE.fullmatch(file.name)),
            key=lambda file: int(file.name.removeprefix("sched_")),
        )
        if not files and not os.path.lexists(directory / "metadata"):
            return None  # ended before there was anything to read
        metadata = read_metadata(directory / "metadata", "sched")
    except TraceFormatError as wrong:
        problems.report(wrong, "what the scheduler did")
        return None
    except OSError as error:
        unreadable = TraceFormatError(directory, error.strerror or str(error), "a readable directory")
        problems.report(unreadable, "what the scheduler did")
        return None
    unseen: list[Loss] = []
    cpus = metadata.number("cpus")  # not all versions say it
    if len(files) < cpus:
        found = f"streams of {len(files)} CPUs"
        missing = TraceFormatError(directory, found, f"{cpus}: what the metadata says")
        problems.report(missing, "what happened on the others")
        unseen.append(Loss(metadata.recording_start, np.iinfo(np.int64).max, -1, 0))
    streams = SchedStreams(directory, metadata.pid or None, metadata.recording_start, problems, within)
    for file in files:
        streams.read(file)
    path = directory / "names"
    names = Names(path, NameTable(), 0)
    if os.path.lexists(path) or streams.events:
        names = _real(
            read_names(path, pid=metadata.pid or None, problems=problems, again=within != EVER), problems
        )
    failed = next(names.records.of(Name.RECORDING_FAILED), None)
    if failed is not None:  # some of what comes later may be there, but who knows what is not
        unseen += [Loss(failed.time, np.iinfo(np.int64).max, cpu, 0) for cpu in streams.cpus]
    try:
        events = streams.in_order()
    except TraceFormatError as changed:
        problems.report(changed, "what the scheduler did")
        return None
    if within != EVER:
        names = without_gone(names, set(events.tids.tolist()), within[0])
    scheduling = _of_tasks(metadata, streams, events, names, (*unseen, *streams.losses))
    if native:
        symbols = symbols or read_symbols(directory, metadata, problems)
        samples = read_native(directory, scheduling.tasks, names, symbols, problems, within)
        scheduling = replace(scheduling, native=samples)
    return replace(scheduling, failure=failed.reason) if failed is not None else scheduling


def keep_symbols(directory: Path) -> None:
    """Write down which functions of which libraries were run, while the libraries are what they were.

    Where that can't be, whoever reads the trace has to look.
    """
    try:
        metadata = read_metadata(directory / "metadata", "sched")
        symbols = Symbols((), metadata, look=True)
        read_scheduling(directory, Problems(salvage=True), symbols=symbols)
        for path in directory.parent.glob("[0-9]*/names"):
            callers.use(read_names(path, pid=None, problems=Problems(salvage=True)), symbols)
        if symbols.used or any(directory.glob("native_*")):
            write_symbols(directory, symbols.used, metadata.recording_start)
    except (OSError, TraceFormatError):
        pass


def _real(names: Names, problems: Problems) -> Names:
    """Return the names of what can be tasks."""
    right = names.records.ref <= HIGHEST
    if right.all():
        return names
    expected = f"one up to {HIGHEST}"
    wrong = names.records.ref[~right]
    problems.report(TraceFormatError(names.path, f"tid {wrong[0]}", expected), f"{len(wrong)} names")
    return replace(names, records=names.records.only(right))


def _of_tasks(
    metadata: Metadata, streams: SchedStreams, events: Events, names: Names, losses: tuple[Loss, ...]
) -> Scheduling:
    """Tell the tasks apart that events are of."""
    stop = metadata.environment.get("recording_stop")
    end = stop if isinstance(stop, int) and stop >= metadata.recording_start else None
    last = max(
        [metadata.recording_start, int(events.time.max(initial=0)), int(names.records.time.max(initial=0))]
    )
    end = max(end, last) if end is not None else None
    until = last if end is None else end
    tasks, bounds = find_tasks(events.tids.tolist(), events.first, events.time, events.kind, names, until)
    # Nothing that was recorded is the helper's.
    theirs = [at for at, task in enumerate(tasks) if task.comm != HELPER]
    parts = [(int(bounds[at]), int(bounds[at + 1])) for at in theirs]
    return Scheduling(
        metadata=metadata,
        begin=metadata.recording_start,
        end=end,
        events=TaskEvents(streams, events, parts),
        first=np.cumsum([0, *(stop - start for start, stop in parts)], dtype=np.int64),
        tasks=tuple(tasks[at] for at in theirs),
        losses=losses,
        cpus=tuple(streams.cpus),
    )
