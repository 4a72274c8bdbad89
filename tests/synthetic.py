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

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.reader.format import (
    CTF_MAGIC,
    EVENT_RECORD,
    EVENTS_PER_PACKET,
    FORMAT_VERSION,
    HEADER_SIZE,
    NAME_RECORD,
    NO_GIL,
    PACKET_HEADER,
    PACKET_SIZE,
    SAMPLE_RECORD,
    SCHED_RECORD,
    STREAM_GIL,
    STREAM_NAMES,
    STREAM_SAMPLES,
    STREAM_SCHED,
    UNUSED_TIMESTAMP,
    Event,
    Name,
    Sample,
    Sched,
)

SCHED_IDS = {
    "in": Sched.SCHED_IN,
    "out": Sched.SCHED_OUT,
    "preempted": Sched.SCHED_PREEMPTED,
    "lost": Sched.SCHED_LOST,
}
EVENT_IDS = {event.name.lower(): int(event) for event in Event}
NAME_IDS = {name.name.lower(): int(name) for name in Name}
_OF_TID = {Event.THREAD_START, Event.THREAD_EXIT, Event.RECORDING_START, Event.RECORDING_STOP}

Column = npt.NDArray[np.int64] | Sequence[int]


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
        records = np.array(self._samples, SAMPLE_RECORD)
        header = np.zeros(1, PACKET_HEADER)
        header["magic"], header["stream_class"], header["pid"] = CTF_MAGIC, STREAM_SAMPLES, self.pid
        header["timestamp_begin"], header["timestamp_end"] = records["timestamp"][[0, -1]]
        header["content_size"] = 8 * (HEADER_SIZE + records.nbytes)
        header["packet_size"] = 8 * PACKET_SIZE
        return (header.tobytes() + records.tobytes()).ljust(PACKET_SIZE, b"\0")

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


def name_packets(names: list[tuple[int, int, int, str]], pid: int) -> npt.NDArray[np.void]:
    """Return the packets of a names stream of (time, kind, ref, text)."""
    packets: list[tuple[int, int, bytearray]] = []
    for time, kind, ref, text in sorted(names, key=lambda record: record[0]):
        record = np.array([(time, kind, 0, ref)], NAME_RECORD).tobytes() + text.encode() + b"\0"
        if not packets or len(packets[-1][2]) + 8 + len(record) > PACKET_SIZE:
            packets.append((time, time, bytearray(HEADER_SIZE)))
        begin, _, content = packets[-1]
        packets[-1] = (begin, time, content + bytes(-len(content) % 8) + record)
    data = b"".join(bytes(content.ljust(PACKET_SIZE, b"\0")) for _, _, content in packets)
    table = np.frombuffer(bytearray(data), EVENT_RECORD).reshape(
        len(packets), PACKET_SIZE // EVENT_RECORD.itemsize
    )
    headers = packet_headers(table, STREAM_NAMES, pid)
    headers["timestamp_begin"] = [begin for begin, _, _ in packets]
    headers["timestamp_end"] = [end for _, end, _ in packets]
    headers["content_size"] = [8 * len(content) for _, _, content in packets]
    return table


def packet_headers(packets: npt.NDArray[np.void], stream_class: int, pid: int) -> npt.NDArray[np.void]:
    """Return the headers in these packets, with what is the same in all of them."""
    headers = packets[:, : HEADER_SIZE // EVENT_RECORD.itemsize].view(PACKET_HEADER)[:, 0]
    headers["magic"] = CTF_MAGIC
    headers["stream_class"] = stream_class
    headers["packet_size"] = 8 * PACKET_SIZE
    headers["pid"] = pid
    return headers


def metadata(pid: int, ppid: int, begin: int, utc_offset: int, environment: dict[str, Any]) -> str:
    """Return the TSDL text of a process, as the recorder writes it."""
    known: dict[str, Any] = {
        "hostname": "synthetic",
        "argv": ["script.py"],
        "executable": "/usr/bin/python3",
        "python_implementation": "CPython",
        "python_version": "3.11.7",
        "python_build": "3.11.7 (synthetic)",
        "switch_interval_ns": 5_000_000,
        "cpus": 2,
        "kernel": "6.1.0",
        "gilscope_version": "0.1.0",
    }
    known.update(environment)
    known["argv"] = json.dumps(list(known["argv"]))
    env = {"gilscope_format": FORMAT_VERSION, "pid": pid, "ppid": ppid, "recording_start": begin, **known}
    context = (
        "packet.context := struct { timestamp_t timestamp_begin; timestamp_t timestamp_end;"
        " uint64_t content_size; uint64_t packet_size; uint64_t events_discarded; uint32_t tid; uint32_t pid;"
        " uint64_t reserved[9]; };"
    )
    header = "event.header := struct { timestamp_t timestamp; uint16_t id; };"
    lines = ["/* CTF 1.8 */"]
    lines += [
        f"typealias integer {{ size = {bits}; align = {bits}; signed = false; }} := uint{bits}_t;"
        for bits in (8, 16, 32, 64)
    ]
    lines += [
        "trace { major = 1; minor = 8; byte_order = le;"
        " packet.header := struct { uint32_t magic; uint32_t stream_id; }; };",
        "env {",
        *(f"  {key} = {_literal(value)};" for key, value in env.items()),
        "};",
        f"clock {{ name = monotonic; freq = 1000000000; offset = {utc_offset}; }};",
        "typealias integer { size = 64; align = 64; signed = false; map = clock.monotonic.value; }"
        " := timestamp_t;",
        f"stream {{ id = 0; {context} {header} event.context := struct {{ uint16_t gil; }}; }};",
    ]
    lines += [
        f'event {{ name = "{name}"; id = {number}; stream_id = 0; fields := struct {{ uint32_t arg; }}; }};'
        for name, number in EVENT_IDS.items()
    ]
    lines += [f"stream {{ id = 1; {context} {header} }};"]
    lines += [
        f'event {{ name = "{name}"; id = {number}; stream_id = 1;'
        " fields := struct { uint32_t ref; string text; }; };"
        for name, number in NAME_IDS.items()
    ]
    if env.get("kind") == "sched":
        lines += [f"stream {{ id = 2; {context} {header} event.context := struct {{ uint16_t cpu; }}; }};"]
        lines += [
            f'event {{ name = "{event.name.lower()}"; id = {event}; stream_id = 2;'
            " fields := struct { uint32_t tid; }; };"
            for event in Sched
        ]
    return "\n".join(lines) + "\n"


def _literal(value: object) -> str:
    if isinstance(value, int):
        return str(value)
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
