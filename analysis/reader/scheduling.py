"""What the OS scheduler did: sched/ of a trace, read and sorted by thread.

`sched_<cpu>` says who came onto a CPU and left it, `names` who that was. A task is what the kernel calls a
thread: one life of a tid, from its first record to its exit.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from ..arrays import Bytes, Int16s, Int64s, UInt32s, distinct
from ..errors import TraceFormatError
from . import callers
from .files import check_directory
from .format import EVENT_SIZE, EVENTS_PER_PACKET, HEADER_SIZE, STREAM_SCHED, Name, Sched
from .metadata import Metadata, read_metadata
from .names import Names, read_names
from .native import NO_SAMPLES, NativeSamples, read_native
from .packets import EVER, Packets, read_packets
from .problems import Problems
from .symbols import Symbols, read_symbols, write_symbols
from .tasks import Task, find_tasks

_STREAM_FILE = re.compile(r"sched_[0-9]{1,5}")
HELPER: Final = "gilscope helper"  # the recorder's own thread in a process: GS_HELPER_NAME
_HIGHEST_TID: Final = 1 << 22  # the kernel's own limit
_AT_ONCE: Final = 32
"""Packets of a stream that are read at once."""


@dataclass(frozen=True)
class Loss:
    """Records of a CPU that are missing: of any thread, between two times."""

    begin: int
    end: int
    cpu: int
    count: int


@dataclass(frozen=True)
class Scheduling:
    """What was recorded of the scheduler.

    Attributes
    ----------
    begin : int
        When the recording began, ns.
    end : int or None
        When it was stopped; None if it was not: something may be missing behind any thread's last event.
    time, kind, cpu : ndarray of int64, uint8, int16
        Events (`format.Sched`, without SCHED_LOST), sorted by task, in time order within one.
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
    time: Int64s
    kind: Bytes
    cpu: Int16s
    first: Int64s
    tasks: tuple[Task, ...]
    losses: tuple[Loss, ...]
    cpus: tuple[int, ...]
    failure: str | None = None
    native: NativeSamples = NO_SAMPLES

    @property
    def namespace(self) -> int:
        """The inode of the pid namespace that tids are of; 0: it was not written down."""
        return self.metadata.number("pid_namespace")

    @property
    def lost(self) -> int:
        """Number of records that were lost."""
        return sum(loss.count for loss in self.losses)


@dataclass(frozen=True)
class _Stream:
    cpu: int
    time: Int64s
    kind: Bytes
    tid: UInt32s
    losses: list[Loss]


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
    pid = metadata.pid or None
    streams = [_read_stream(file, pid, metadata.recording_start, problems, within) for file in files]
    path = directory / "names"
    names = Names(path, (), 0)
    if os.path.lexists(path) or any(len(stream.time) for stream in streams):
        names = _real(read_names(path, pid=pid, problems=problems, again=within != EVER), problems)
    failed = next(names.of(Name.RECORDING_FAILED), None)
    if failed is not None:  # some of what comes later may be there, but who knows what is not
        unseen += [Loss(failed.time, np.iinfo(np.int64).max, stream.cpu, 0) for stream in streams]
    scheduling = _sorted_by_task(metadata, streams, names, unseen)
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
    wrong = [record.ref for record in names.records if record.ref > _HIGHEST_TID]
    if not wrong:
        return names
    expected = f"one up to {_HIGHEST_TID}"
    problems.report(TraceFormatError(names.path, f"tid {wrong[0]}", expected), f"{len(wrong)} names")
    return replace(names, records=tuple(record for record in names.records if record.ref <= _HIGHEST_TID))


def _read_stream(
    path: Path, pid: int | None, begin: int, problems: Problems, within: tuple[int, int]
) -> _Stream:
    """Read a CPU's stream; what follows the first error is skipped when `problems` lets it."""
    cpu = int(path.name.removeprefix("sched_"))
    packets = read_packets(path, stream_class=STREAM_SCHED, pid=pid, problems=problems, within=within)
    counts, rest = np.divmod(packets.content, EVENT_SIZE)
    if rest.any():
        at = int(np.argmax(rest != 0))
        found = f"content_size of {packets.content[at]} bytes"
        problems.report(
            TraceFormatError(path, found, "whole events", f"packet {at}"), "the events from there on"
        )
        counts = counts[:at]
    time, ids, tid, wrong = _events(packets, counts, cpu)
    if wrong is not None:
        packet = int(np.searchsorted(np.cumsum(counts), len(time), "right"))
        error = TraceFormatError(path, *wrong, f"packet {packet}")
        problems.report(error, f"{counts.sum() - len(time)} events from there on")
    lost = np.flatnonzero(ids == Sched.SCHED_LOST)
    losses = [
        Loss(int(time[at - 1]) if at else begin, int(time[at]), cpu, int(tid[at])) for at in lost.tolist()
    ]
    cut = packets.cut or len(counts) < len(packets) or wrong is not None
    if cut:  # what was skipped is as good as lost, and nobody knows until when
        losses.append(Loss(int(time[-1]) if len(time) else begin, np.iinfo(np.int64).max, cpu, 0))
    if len(lost):
        rest_of_all = ids != Sched.SCHED_LOST
        time, ids, tid = time[rest_of_all], ids[rest_of_all], tid[rest_of_all]
    return _Stream(cpu, time, ids, tid, losses)


def _events(
    packets: Packets, counts: Int64s, cpu: int
) -> tuple[Int64s, Bytes, UInt32s, tuple[str, str] | None]:
    """Return time, id and tid of the events up to the first that can't be, and what is wrong about that one.

    Some packets at once: what was read of the file needs no memory any more.
    """
    size = int(counts.sum())
    time, ids, tid = np.empty(size, np.int64), np.empty(size, np.uint8), np.empty(size, np.uint32)
    used = 0
    for low in range(0, len(counts), _AT_ONCE):
        some = slice(low, low + _AT_ONCE)
        part = replace(
            packets, data=packets.data[some], headers=packets.headers[some], content=packets.content[some]
        )
        columns = _columns(part, counts[some])
        first = np.cumsum(counts[some]) - counts[some]
        before = int(time[used - 1]) if used else None
        wrong = _first_wrong(part, first, *columns, cpu, before)
        right = len(columns[0]) if wrong is None else wrong[0]
        to = used + right
        time[used:to], ids[used:to], tid[used:to] = (columns[at][:right] for at in (0, 1, 3))
        used = to
        part.give_back()
        if wrong is not None:
            return time[:used], ids[:used], tid[:used], wrong[1:]
    return time, ids, tid, None


def _columns(packets: Packets, counts: Int64s) -> tuple[Int64s, Int64s, Int64s, UInt32s]:
    """Copy the columns out of the packets, which need not be full: a packet is written when there is time."""
    words = packets.data[: len(counts), HEADER_SIZE:].reshape(len(counts), EVENTS_PER_PACKET, EVENT_SIZE)
    used = np.arange(EVENTS_PER_PACKET) < counts[:, None]
    events = words[used]
    time = events.view("<i8")[:, 0].copy()
    small = events.view("<u2")
    return time, small[:, 4].astype(np.int64), small[:, 5].astype(np.int64), events.view("<u4")[:, 3].copy()


def _first_wrong(
    packets: Packets,
    first: Int64s,
    time: Int64s,
    ids: Int64s,
    on: Int64s,
    tid: UInt32s,
    cpu: int,
    before: int | None,
) -> tuple[int, str, str] | None:
    """Return position of the first event that can't be, what was found, and what was expected.

    `before` is the time of the last event before these.
    """
    found: list[tuple[int, str, str]] = []

    def check(bad: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], what: str, expected: str) -> None:
        if bad.any():
            at = int(np.argmax(bad))
            found.append((at, what.format(time=time[at], id=ids[at], cpu=on[at], tid=tid[at]), expected))

    check((ids < min(Sched)) | (ids > max(Sched)), "event id {id}", "a known one")
    earlier = np.zeros(len(time), bool)
    earlier[1:] = time[1:] < time[:-1]
    earlier[:1] = before is not None and time[:1] < before
    check(earlier, "time {time} after a later one", "times that never decrease")
    outside = np.zeros(len(time), bool)
    some = first < np.append(first[1:], len(time))
    last = (np.append(first[1:], len(time)) - 1)[some]
    headers = packets.headers[: len(first)][some]
    outside[first[some]] |= time[first[some]] < headers["timestamp_begin"].astype(np.int64)
    outside[last] |= time[last] > headers["timestamp_end"].astype(np.int64)
    check(outside, "time {time}", "one between timestamp_begin and timestamp_end")
    check(on != cpu, "cpu {cpu}", f"{cpu}, the CPU of the file")
    check((tid == 0) & (ids != Sched.SCHED_LOST), "tid 0", "the tid of a thread")
    check((tid > _HIGHEST_TID) & (ids != Sched.SCHED_LOST), "tid {tid}", f"one up to {_HIGHEST_TID}")
    return min(found, default=None)


def _sorted_by_task(
    metadata: Metadata, streams: list[_Stream], names: Names, unseen: list[Loss]
) -> Scheduling:
    """Put the events of all CPUs in the order of (task, time)."""
    tids, first, time, kind, cpu = _merged(streams)
    stop = metadata.environment.get("recording_stop")
    end = stop if isinstance(stop, int) and stop >= metadata.recording_start else None
    last = max([metadata.recording_start, int(time.max(initial=0)), *(r.time for r in names.records)])
    end = max(end, last) if end is not None else None
    tasks, bounds = find_tasks(tids.tolist(), first, time, kind, names, last if end is None else end)
    # Nothing that was recorded is the helper's.
    theirs = np.array([task.comm != HELPER for task in tasks], bool)
    counts = np.diff(bounds)
    if not theirs.all():
        kept = np.repeat(theirs, counts)
        time, kind, cpu = time[kept], kind[kept], cpu[kept]
    return Scheduling(
        metadata=metadata,
        begin=metadata.recording_start,
        end=end,
        time=time,
        kind=kind,
        cpu=cpu,
        first=np.concatenate([[0], np.cumsum(counts[theirs])]).astype(np.int64),
        tasks=tuple(task for task in tasks if task.comm != HELPER),
        losses=(*unseen, *(loss for stream in streams for loss in stream.losses)),
        cpus=tuple(stream.cpu for stream in streams),
    )


def _merged(streams: list[_Stream]) -> tuple[Int64s, Int64s, Int64s, Bytes, Int16s]:
    """Return all tids, where the events of each begin, and time, kind and CPU of events by (tid, time).

    Each stream is in order already: a stable sort by tid leaves the events of a thread in order, and what
    there is of a thread in several streams is merged. The streams' own columns are given up on the way.
    """
    tids = distinct(np.concatenate([np.zeros(0, np.uint32), *(distinct(stream.tid) for stream in streams)]))
    bounds = np.zeros((len(streams), len(tids) + 1), np.int64)
    parts: list[tuple[Int64s, Bytes]] = []
    for at, stream in enumerate(streams):
        number = np.searchsorted(tids, stream.tid).astype(np.uint16 if len(tids) < 1 << 16 else np.int64)
        bounds[at, 1:] = np.cumsum(np.bincount(number, minlength=len(tids)))
        streams[at] = replace(stream, time=stream.time[:0].copy(), kind=stream.kind[:0].copy(), tid=tids[:0])
        order = np.argsort(number, kind="stable")
        parts.append((stream.time[order], stream.kind[order]))
        del stream, number, order
    first = bounds.sum(axis=0)
    time, kind = np.empty(first[-1], np.int64), np.empty(first[-1], np.uint8)
    cpu = np.empty(first[-1], np.int16)
    on = np.array([stream.cpu for stream in streams], np.int16)
    for task, (begin, end) in enumerate(pairwise(first.tolist())):
        mine = [
            (at, slice(*bounds[at, task : task + 2].tolist()))
            for at in np.flatnonzero(np.diff(bounds[:, task : task + 2], axis=1)[:, 0]).tolist()
        ]
        if len(mine) == 1:
            at, part = mine[0]
            time[begin:end], kind[begin:end], cpu[begin:end] = parts[at][0][part], parts[at][1][part], on[at]
            continue
        times = np.concatenate([parts[at][0][part] for at, part in mine])
        kinds = np.concatenate([parts[at][1][part] for at, part in mine])
        where = np.repeat(on[[at for at, _ in mine]], [part.stop - part.start for _, part in mine])
        order = np.argsort(times, kind="stable")  # merges what is in order in one pass
        time[begin:end], kind[begin:end], cpu[begin:end] = times[order], kinds[order], where[order]
    return tids.astype(np.int64), first, time, kind, cpu
