"""What the OS scheduler did in a written trace: see `synthetic`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.reader.code.symbols import Function, write_symbols
from analysis.reader.format import (
    EVENTS_PER_PACKET,
    HEADER_SIZE,
    NATIVE_RECORD,
    PACKET_SIZE,
    SCHED_RECORD,
    STREAM_NATIVE,
    STREAM_SCHED,
    Name,
    Native,
    Sched,
)
from tests.synthetic_packets import metadata, name_packets, one_packet, packet_headers

SCHED_IDS = {
    "in": Sched.SCHED_IN,
    "out": Sched.SCHED_OUT,
    "preempted": Sched.SCHED_PREEMPTED,
    "lost": Sched.SCHED_LOST,
}

Column = npt.NDArray[np.int64] | Sequence[int]


class SchedWriter:
    """What the scheduler did. Not calling `stop` leaves it as after a kill -9 of the recorder."""

    def __init__(self, directory: Path, begin: int, recorder: int, environment: dict[str, Any]) -> None:
        self.directory = directory
        self.begin = begin
        self.recorder = recorder
        self.environment = environment
        self.events_per_packet = EVENTS_PER_PACKET
        self._events: dict[int, list[npt.NDArray[np.void]]] = {}
        self._names: list[tuple[int, int, int, str]] = []
        self._native: dict[int, list[tuple[int, int, int, int, int]]] = {}
        self._symbols: list[Function] = []

    def events(self, cpu: int, events: Iterable[tuple[int, str, int]]) -> SchedWriter:
        """Add events of a CPU in time order: (time, "in" or "out" or "preempted", tid), (time, "lost", n)."""
        rows = [(time, SCHED_IDS[what], cpu, tid) for time, what, tid in events]
        self._events.setdefault(cpu, []).append(np.array(rows, SCHED_RECORD))
        return self

    def columns(self, cpu: int, time: Column, kind: Column, tid: Column) -> SchedWriter:
        """Add many events of a CPU."""
        records = np.zeros(len(time), SCHED_RECORD)
        records["timestamp"], records["id"], records["cpu"], records["tid"] = time, kind, cpu, tid
        self._events.setdefault(cpu, []).append(records)
        return self

    def native(self, cpu: int, samples: Iterable[tuple[int, int, int]]) -> SchedWriter:
        """Add samples of native code (time, tid, address) of a CPU in time order, up to a packet of them."""
        rows = self._native.setdefault(cpu, [])
        rows += [(time, Native.NATIVE_SAMPLE, cpu, tid, address) for time, tid, address in samples]
        return self

    def mapped(self, pid: int, time: int, begin: int, end: int, path: str, offset: int = 0) -> SchedWriter:
        """Say what code comes into a process's memory."""
        self._names.append((time, Name.TASK_MAP, pid, f"{begin:x} {end:x} {offset:x} {path}"))
        return self

    def symbol(self, path: str, begin: int, end: int, name: str) -> SchedWriter:
        """Say which function is at these bytes of a file."""
        self._symbols.append(Function(path, begin, end, name))
        return self

    def task(self, tid: int, time: int, pid: int, comm: str, ppid: int = 1) -> SchedWriter:
        """Say what a task is: when it is first seen, and again with another name."""
        self._names.append((time, Name.TASK, tid, f"{pid} {ppid} {comm}"))
        return self

    def fail(self, time: int, errno: int, text: str) -> SchedWriter:
        """End the recording early."""
        self._names.append((time, Name.RECORDING_FAILED, errno, text))
        return self

    def exec(self, tid: int, time: int) -> SchedWriter:
        """Let a task become another program."""
        self._names.append((time, Name.TASK_EXEC, tid, ""))
        return self

    def python(self, pid: int, time: int, file: str = "libpython3.11.so.1.0") -> SchedWriter:
        """Say that a process has a Python in memory."""
        self._names.append((time, Name.TASK_PYTHON, pid, file))
        return self

    def inner(self, tid: int, time: int, namespace: int, inside: int) -> SchedWriter:
        """Say which id a task has in a pid namespace below."""
        self._names.append((time, Name.TASK_INNER, tid, f"{namespace} {inside}"))
        return self

    def exit(self, tid: int, time: int) -> SchedWriter:
        """End a task."""
        self._names.append((time, Name.TASK_EXIT, tid, ""))
        return self

    def stop(self, time: int) -> SchedWriter:
        """End the recording cleanly."""
        self.environment["recording_stop"] = time
        return self

    def write(self) -> None:
        """Write the directory."""
        self.directory.mkdir(parents=True, exist_ok=True)
        environment = {"kind": "sched", "cpus": len(self._events), **self.environment}
        text = metadata(self.recorder, 1, self.begin, 1_700_000_000_000_000_000, environment)
        (self.directory / "metadata").write_text(text)
        for cpu, parts in self._events.items():
            (self.directory / f"sched_{cpu}").write_bytes(self._packets(np.concatenate(parts)).tobytes())
        (self.directory / "names").write_bytes(name_packets(self._names, self.recorder).tobytes())
        for cpu, samples in self._native.items():
            packet = one_packet(np.array(samples, NATIVE_RECORD), STREAM_NATIVE, self.recorder)
            (self.directory / f"native_{cpu}").write_bytes(packet)
        if self._symbols:
            write_symbols(self.directory, self._symbols, self.begin)

    def _packets(self, records: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
        size = self.events_per_packet
        first = np.arange(0, len(records), size)
        last = np.minimum(first + size, len(records)) - 1
        packets = np.zeros((len(first), PACKET_SIZE // SCHED_RECORD.itemsize), SCHED_RECORD)
        skip = HEADER_SIZE // SCHED_RECORD.itemsize
        row, column = np.divmod(np.arange(len(records)), size)
        packets[row, skip + column] = records
        headers = packet_headers(packets, STREAM_SCHED, self.recorder)
        headers["timestamp_begin"] = records["timestamp"][first]
        headers["timestamp_end"] = records["timestamp"][last]
        headers["content_size"] = 8 * (HEADER_SIZE + SCHED_RECORD.itemsize * (last - first + 1))
        return packets
