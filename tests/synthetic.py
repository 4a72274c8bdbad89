"""Write traces with given timestamps: what the recorder would have written, had this happened.

    with TraceWriter(path) as trace:
        process = trace.process(pid=100)
        process.events([
            (100, 1_000, "recording_start"),
            (100, 1_000, "gil_acquired"),
            (101, 2_000, "gil_wait"),
            (101, 2_500, "gil_timeout"),
            (100, 3_000, "gil_released"),
            (100, 3_000, "gil_drop_requested"),
            (101, 3_100, "gil_acquired"),
        ])
        process.name(101, 2_100, "worker")
        process.stop(100, 4_000)

Tuples are (tid, time, event[, gil[, arg]]). What can be derived is: a thread's `thread_start` (at its first
event) and the arg of the bookkeeping events. A thread takes the stream file of one that has exited before it,
like the recorder does. `columns()` is the fast way: 10 million events a second.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.reader.format import (
    EVENT_RECORD,
    EVENTS_PER_PACKET,
    HEADER_SIZE,
    NO_GIL,
    PACKET_SIZE,
    SAMPLE_RECORD,
    STREAM_GIL,
    STREAM_NAMES,
    STREAM_SAMPLES,
    UNUSED_TIMESTAMP,
    Event,
    Name,
    Sample,
)
from tests.synthetic_packets import EVENT_IDS, NAME_IDS, name_packets, one_packet, packet_headers
from tests.synthetic_packets import metadata as metadata
from tests.synthetic_sched import Column
from tests.synthetic_sched import SchedWriter as SchedWriter

_OF_TID = {Event.THREAD_START, Event.THREAD_EXIT, Event.RECORDING_START, Event.RECORDING_STOP}


class TraceWriter:
    """A trace directory in the making; written by `close()`, or at the end of a `with`."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.processes: list[ProcessWriter] = []
        self.sched: SchedWriter | None = None

    def scheduler(self, begin: int = 0, *, recorder: int = 50, **environment: Any) -> SchedWriter:
        """Add what the scheduler did; `begin` is when that was recorded from."""
        self.sched = SchedWriter(self.path / "sched", begin, recorder, environment)
        return self.sched

    def process(
        self, pid: int = 100, ppid: int = 1, *, begin: int | None = None, **environment: Any
    ) -> ProcessWriter:
        """Add a process; `begin` is its recording_start (default: its first event), the rest environment."""
        number = sum(process.pid == pid for process in self.processes)
        directory = self.path / (f"{pid}_{number + 1}" if number else str(pid))
        process = ProcessWriter(directory, pid, ppid, begin, environment)
        self.processes.append(process)
        return process

    def close(self) -> Path:
        """Write all of it."""
        self.path.mkdir(parents=True, exist_ok=True)
        for process in self.processes:
            process.write()
        if self.sched is not None:
            self.sched.write()
        return self.path

    def __enter__(self) -> TraceWriter:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None:
            self.close()


class ProcessWriter:
    """One process of a trace. Not calling `stop` or `fail` leaves it as after a kill -9."""

    def __init__(
        self, directory: Path, pid: int, ppid: int, begin: int | None, environment: dict[str, Any]
    ) -> None:
        self.directory = directory
        self.pid = pid
        self.ppid = ppid
        self.begin = begin
        self.environment = environment
        self.utc_offset = 1_700_000_000_000_000_000
        self.prepared = True
        """Each file ends in a packet that was prepared ahead."""
        self._stopped: int | None = None
        self._events: dict[int, list[npt.NDArray[np.void]]] = {}
        self._names: list[tuple[int, int, int, str]] = []
        self._discarded: dict[int, int] = {}
        self._samples: list[tuple[int, int, int, int, int, int]] = []

    def events(self, events: Iterable[tuple[int | str, ...]]) -> ProcessWriter:
        """Add events (tid, time, name[, gil[, arg]]): any mix of threads, in time order for each of them."""
        rows: dict[int, list[tuple[int, int, int, int]]] = {}
        for tid, time, name, *rest in events:
            assert isinstance(tid, int)
            event = Event(EVENT_IDS[str(name)])
            gil = int(rest[0]) if rest else 0
            arg = int(rest[1]) if len(rest) > 1 else tid if event in _OF_TID else 0
            rows.setdefault(tid, []).append(
                (int(time), event, gil if event < Event.LOCK_WAIT else NO_GIL, arg)
            )
        for thread, of_thread in rows.items():
            self._add(thread, np.array(of_thread, EVENT_RECORD))
        return self

    def samples(self, samples: Iterable[tuple[int, int, int]], gil: int = 0) -> ProcessWriter:
        """Add samples (tid, time, frame) in time order, up to a packet of them."""
        self._samples += [(time, Sample.SAMPLE, gil, frame, tid, 1) for tid, time, frame in samples]
        return self

    def columns(self, tid: int, time: Column, kind: Column, gil: Column | int = 0) -> ProcessWriter:
        """Add many events of one thread: times in ns, ids of `Event`."""
        records = np.zeros(len(time), EVENT_RECORD)
        records["timestamp"] = time
        records["id"] = kind
        records["gil"] = gil
        records["gil"][records["id"] >= Event.LOCK_WAIT] = NO_GIL
        bookkeeping = records["id"] >= Event.THREAD_START
        records["arg"][bookkeeping] = tid
        self._add(tid, records)
        return self

    def name(self, tid: int, time: int, text: str, kind: str = "thread_name") -> ProcessWriter:
        """Add a record of the names stream: thread_name, thread_alive or thread_comm."""
        self._names.append((time, NAME_IDS[kind], tid, text))
        return self

    def code(self, number: int, time: int, name: str, file: str = "app.py", line: int = 1) -> ProcessWriter:
        """Add a code object, of ten code units in ten lines: an instruction offset of 2 n is line + n."""
        table = bytes([0x80 | 10 << 3, 0, 0]) + bytes([0x80 | 11 << 3, 0, 0]) * 9
        self._names.append((time, Name.CODE, number, f"{line}\n{name}\n{file}"))
        self._names.append((time, Name.CODE_LINES, number, table.hex()))
        return self

    def frame(self, number: int, time: int, code: int, offset: int = 0, caller: int = 0) -> ProcessWriter:
        """Add a frame; an event names it by its arg."""
        self._names.append((time, Name.FRAME, number, f"{caller} {code} {offset}"))
        return self

    def lock(
        self,
        number: int,
        time: int,
        kind: str = "object",
        address: int = 0x1000,
        type: str = "_thread.lock",
        *owners: str,
    ) -> ProcessWriter:
        """Add a lock; owners are "<type> <address> <function>"."""
        text = "\n".join([kind, f"{address:x}", type, "16 0", *owners])
        self._names.append((time, Name.LOCK, number, text))
        return self

    def text(self, number: int, time: int, text: str) -> ProcessWriter:
        """Say what marks and spans with this number as their arg are called."""
        self._names.append((time, Name.MARK_TEXT, number, text))
        return self

    def stop(self, tid: int, time: int) -> ProcessWriter:
        """End the recording cleanly."""
        self._stopped = time
        return self.events([(tid, time, "recording_stop")])

    def fail(self, time: int, errno: int, text: str) -> ProcessWriter:
        """End the recording early."""
        self._names.append((time, Name.RECORDING_FAILED, errno, text))
        return self

    def discard(self, tid: int, events: int) -> ProcessWriter:
        """Have the last packet of a thread's stream count events as lost."""
        self._discarded[tid] = events
        return self

    def write(self) -> None:
        """Write the process's directory."""
        self.directory.mkdir(parents=True, exist_ok=True)
        files = self._files()
        firsts = [int(runs[0][1]["timestamp"][0]) for runs in files] + [time for time, *_ in self._names]
        begin = self.begin if self.begin is not None else min(firsts, default=0)
        (self.directory / "metadata").write_text(
            metadata(self.pid, self.ppid, begin, self.utc_offset, self.environment)
        )
        for number, runs in enumerate(files):
            packets = self._gil_packets(runs)
            discarded = max(self._discarded.get(tid, 0) for tid, _ in runs)
            self._headers(packets, STREAM_GIL)["events_discarded"][-1] = discarded
            (self.directory / f"gil_{number}").write_bytes(self._finished(packets, STREAM_GIL, discarded))
        if self._samples:
            (self.directory / "samples").write_bytes(self._sample_packet())
        names = self._name_packets()
        (self.directory / "names").write_bytes(self._finished(names, STREAM_NAMES, 0))

    def _add(self, tid: int, records: npt.NDArray[np.void]) -> None:
        self._events.setdefault(tid, []).append(records)

    def _files(self) -> list[list[tuple[int, npt.NDArray[np.void]]]]:
        """Split tids into threads, and give each one the file of a thread that has exited, or a new one."""
        runs: list[tuple[int, npt.NDArray[np.void]]] = []
        for tid, parts in self._events.items():
            records = np.concatenate(parts) if len(parts) > 1 else parts[0]
            if records["id"][0] != Event.THREAD_START:
                start = np.array([(records["timestamp"][0], Event.THREAD_START, NO_GIL, tid)], EVENT_RECORD)
                records = np.concatenate([start, records])
            starts = np.flatnonzero(records["id"] == Event.THREAD_START)
            runs += [(tid, run) for run in np.split(records, starts[1:])]
        runs.sort(key=lambda run: int(run[1]["timestamp"][0]))
        files: list[list[tuple[int, npt.NDArray[np.void]]]] = []
        free: list[tuple[int, int]] = []  # (since, file)
        for tid, run in runs:
            at = next((at for at, (since, _) in enumerate(free) if since <= run["timestamp"][0]), None)
            number = len(files) if at is None else free.pop(at)[1]
            if at is None:
                files.append([])
            files[number].append((tid, run))
            if run["id"][-1] == Event.THREAD_EXIT:
                free.append((int(run["timestamp"][-1]), number))
        return files

    def _gil_packets(self, runs: list[tuple[int, npt.NDArray[np.void]]]) -> npt.NDArray[np.void]:
        count = sum(len(run) for _, run in runs)
        packets = np.zeros(
            (-(-count // EVENTS_PER_PACKET), PACKET_SIZE // EVENT_RECORD.itemsize), EVENT_RECORD
        )
        skip = HEADER_SIZE // EVENT_RECORD.itemsize
        records = np.concatenate([run for _, run in runs]) if len(runs) > 1 else runs[0][1]
        whole = count // EVENTS_PER_PACKET
        packets[:whole, skip:] = records[: whole * EVENTS_PER_PACKET].reshape(whole, EVENTS_PER_PACKET)
        rest = records[whole * EVENTS_PER_PACKET :]
        packets[whole:, skip : skip + len(rest)] = rest
        first = np.arange(len(packets)) * EVENTS_PER_PACKET
        last = np.minimum(first + EVENTS_PER_PACKET, count) - 1
        thread = np.searchsorted(np.cumsum([len(run) for _, run in runs]), first, "right")
        headers = self._headers(packets, STREAM_GIL)
        headers["timestamp_begin"] = records["timestamp"][first]
        headers["timestamp_end"] = records["timestamp"][last]
        headers["content_size"] = 8 * (HEADER_SIZE + EVENT_RECORD.itemsize * (last - first + 1))
        headers["tid"] = np.array([tid for tid, _ in runs])[thread]
        return packets

    def _name_packets(self) -> npt.NDArray[np.void]:
        return name_packets(self._names, self.pid)

    def _headers(self, packets: npt.NDArray[np.void], stream_class: int) -> npt.NDArray[np.void]:
        return packet_headers(packets, stream_class, self.pid)

    def _sample_packet(self) -> bytes:
        return one_packet(np.array(self._samples, SAMPLE_RECORD), STREAM_SAMPLES, self.pid)

    def _finished(self, packets: npt.NDArray[np.void], stream_class: int, discarded: int) -> bytes:
        """Append the packet that was prepared ahead: empty, at the end of time or of the recording."""
        if not self.prepared:
            return packets.tobytes()
        ahead = np.zeros((1, PACKET_SIZE // EVENT_RECORD.itemsize), EVENT_RECORD)
        header = self._headers(ahead, stream_class)
        end = UNUSED_TIMESTAMP if self._stopped is None else self._stopped
        if len(packets) and self._stopped is not None:
            end = max(end, int(self._headers(packets, stream_class)["timestamp_end"][-1]))
        header["timestamp_begin"] = header["timestamp_end"] = end
        header["content_size"] = 8 * HEADER_SIZE
        header["events_discarded"] = discarded
        return packets.tobytes() + ahead.tobytes()
