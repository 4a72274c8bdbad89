"""The scheduler's streams, one a CPU: which of their events can be believed, and all of those by task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...arrays import Bytes, CpuNumbers, Int64s
from ...errors import TraceFormatError
from ..disk.packets import Packets, read_packets
from ..format import EVENT_SIZE, HEADER_SIZE, SCHED_RECORD, STREAM_SCHED, Sched
from ..problems import Problems
from .by_task import HIGHEST, Streams, move


@dataclass(frozen=True)
class Loss:
    """Records of a CPU that are missing: of any thread, between two times."""

    begin: int
    end: int
    cpu: int
    count: int


@dataclass(frozen=True)
class Events:
    """All events of tasks, by (tid, time): tids[i] has those from first[i] to first[i + 1]."""

    tids: Int64s
    first: Int64s
    time: Int64s
    kind: Bytes
    cpu: CpuNumbers

    def kept(self, parts: Sequence[tuple[int, int]]) -> Events:
        """Return only the events from where to where, ascending, in the memory that all had."""
        count = sum(end - begin for begin, end in parts)
        if count == len(self.time):
            return self
        for column in (self.time, self.kind, self.cpu):
            to, size = 0, column.itemsize
            for begin, end in parts:
                move(column.view(np.uint8), size * to, size * begin, size * end)
                to += end - begin
        return replace(self, time=self.time[:count], kind=self.kind[:count], cpu=self.cpu[:count])


class TaskEvents:
    """Events by task, in columns: of who asks for them, or, taken over, of somebody else alone.

    Taken over, they are read again where somebody else asks.
    """

    def __init__(self, streams: SchedStreams, events: Events, parts: Sequence[tuple[int, int]]) -> None:
        self._streams, self._events, self._parts = streams, [events.kept(parts)], parts

    def columns(self) -> Events:
        """Return them.

        Raises
        ------
        TraceFormatError
            They were written over since.
        """
        if not self._events:
            events = self._streams.in_order()
            self._events.append(events.kept(self._parts))
        return self._events[0]

    def taken(self) -> Events:
        """Return them for good: whoever has them may write into their memory."""
        events = self.columns()
        self._events.clear()
        return events


class SchedStreams:
    """Streams of CPUs; `losses` are of those that were read, `cpus` whose they are."""

    def __init__(
        self, directory: Path, pid: int | None, begin: int, problems: Problems, within: tuple[int, int]
    ) -> None:
        self.directory = directory
        self.losses: list[Loss] = []
        self.cpus: list[int] = []
        self.events = 0
        self._streams = Streams()
        self._pid, self._begin, self._problems, self._within = pid, begin, problems, within

    def read(self, path: Path) -> None:
        """Look through a CPU's stream; what follows the first error is skipped when `problems` lets it."""
        cpu = int(path.name.removeprefix("sched_"))
        packets = read_packets(
            path, stream_class=STREAM_SCHED, pid=self._pid, problems=self._problems, within=self._within
        )
        counts, rest = np.divmod(packets.content, EVENT_SIZE)
        if rest.any():
            at = int(np.argmax(rest != 0))
            found = f"content_size of {packets.content[at]} bytes"
            wrong = TraceFormatError(path, found, "whole events", f"packet {at}")
            self._problems.report(wrong, "the events from there on")
            counts = counts[:at]
        begins, ends = (
            packets.headers[name].astype(np.int64) for name in ("timestamp_begin", "timestamp_end")
        )
        right, kept, last, lost = self._streams.look(packets.data, counts, begins, ends, cpu, self._begin)
        all_of_them = int(counts.sum())
        if right < all_of_them:
            wrong = _what_is_wrong(packets, counts, right, cpu)
            self._problems.report(wrong, f"{all_of_them - right} events from there on")
        self.cpus.append(cpu)
        self.events += kept
        self.losses += [Loss(since, until, cpu, count) for since, until, count in lost.tolist()]
        if packets.cut or len(counts) < len(packets) or right < all_of_them:
            # What was skipped is as good as lost, and nobody knows until when.
            self.losses.append(Loss(last, np.iinfo(np.int64).max, cpu, 0))

    def in_order(self) -> Events:
        """Return all that was right.

        Raises
        ------
        TraceFormatError
            It was written over since.
        """
        events = self._streams.in_order()
        if events is None:
            expected = "those of a recording that has ended"
            raise TraceFormatError(self.directory, "streams that change", expected)
        return Events(*events)


def _what_is_wrong(packets: Packets, counts: Int64s, right: int, cpu: int) -> TraceFormatError:
    """Say what is wrong about the event behind those that are right."""
    packet = int(np.searchsorted(np.cumsum(counts), right, "right"))
    at = right - int(counts[:packet].sum())
    begin = HEADER_SIZE + EVENT_SIZE * at
    record = packets.data[packet, begin : begin + EVENT_SIZE].view(SCHED_RECORD)[0]
    time, kind, on, tid = int(record["timestamp"].astype(np.int64)), *map(int, record.tolist()[1:])
    if on != cpu:
        found, expected = f"cpu {on}", f"{cpu}, the CPU of the file"
    elif not min(Sched) <= kind <= max(Sched):
        found, expected = f"event id {kind}", "a known one"
    elif kind != Sched.SCHED_LOST and tid == 0:
        found, expected = "tid 0", "the tid of a thread"
    elif kind != Sched.SCHED_LOST and tid > HIGHEST:
        found, expected = f"tid {tid}", f"one up to {HIGHEST}"
    elif (at == 0 and time < int(packets.headers[packet]["timestamp_begin"])) or (
        at == counts[packet] - 1 and time > int(packets.headers[packet]["timestamp_end"])
    ):
        found, expected = f"time {time}", "one between timestamp_begin and timestamp_end"
    else:
        found, expected = f"time {time} after a later one", "times that never decrease"
    return TraceFormatError(packets.path, found, expected, f"packet {packet}")
