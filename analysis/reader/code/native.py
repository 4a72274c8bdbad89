"""Which native code threads ran: samples of the kernel's, and the functions that their addresses are in."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from ...arrays import Int32s, Int64s, Table, UInt64s
from ...errors import TraceFormatError
from ..disk.packets import EVER, read_packets
from ..format import HEADER_SIZE, NATIVE_RECORD, STREAM_NATIVE, Native
from ..names import Names
from ..problems import Problems
from ..tasks import Task
from .memory import Mapping, Memory, find
from .symbol_names import is_interpreter, library_of, readable
from .symbols import Symbols

_FILE: Final = re.compile(r"native_[0-9]{1,9}")


class NativeCode(NamedTuple):
    """A function of a library; "": a place in it that has no symbol."""

    library: str
    function: str

    @property
    def name(self) -> str:
        """What to call it: "libopenblas: dgemm_kernel"."""
        return f"{self.library}: {self.function}" if self.function else self.library

    @property
    def interpreter(self) -> bool:
        """Whether it is Python itself that runs."""
        return is_interpreter(self.library)


@dataclass(frozen=True, eq=False)
class NativeSamples:
    """Samples of threads that ran their own code, sorted by (task, time).

    Attributes
    ----------
    task : ndarray of int64
        Index in `Scheduling.tasks`.
    time : ndarray of int64
        ns.
    code : ndarray of int32
        Index in `codes`; -1: nothing is known of that memory.
    """

    task: Int64s
    time: Int64s
    code: Int32s
    codes: tuple[NativeCode, ...]


NO_SAMPLES: Final = NativeSamples(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int32), ())


def read_native(
    directory: Path,
    tasks: Sequence[Task],
    names: Names,
    symbols: Symbols,
    problems: Problems,
    within: tuple[int, int] = EVER,
) -> NativeSamples:
    """Read the samples of all CPUs.

    Parameters
    ----------
    tasks : sequence of Task
        Sorted by (tid, begin).

    Raises
    ------
    TraceFormatError
        A stream is not what a recorder writes; not when salvaging: then it is read as far as it is.
    """
    files = sorted(file for file in directory.iterdir() if _FILE.fullmatch(file.name))
    parts = [_read_stream(file, problems, within) for file in files]
    records = np.concatenate(parts) if parts else np.empty(0, NATIVE_RECORD)
    time = records["timestamp"].astype(np.int64)
    task = _task_at(tasks, records["tid"].astype(np.int64), time)
    known = np.flatnonzero(task >= 0)
    order = known[np.lexsort((time[known], task[known]))]
    task, time, address = task[order], time[order], records["address"][order]
    code, codes = _codes(Memory(tasks, names), tasks, symbols, task, time, address)
    return NativeSamples(task, time, code, codes)


def _read_stream(path: Path, problems: Problems, within: tuple[int, int]) -> Table:
    packets = read_packets(path, stream_class=STREAM_NATIVE, pid=None, problems=problems, within=within)
    cpu = int(path.name.removeprefix("native_"))
    found: list[Table] = []
    last = 0
    for number, (data, content) in enumerate(zip(packets.data, packets.content.tolist(), strict=True)):
        whole = content // NATIVE_RECORD.itemsize
        records = data[HEADER_SIZE : HEADER_SIZE + whole * NATIVE_RECORD.itemsize].view(NATIVE_RECORD)
        wrong = _wrong(records, content, cpu, packets.headers[number], last)
        if wrong is not None:
            error = TraceFormatError(path, *wrong, f"packet {number}")
            problems.report(error, "the samples of native code from there on")
            break
        found.append(records)
        last = int(records["timestamp"][-1])
    return np.concatenate(found) if found else np.empty(0, NATIVE_RECORD)


def _wrong(records: Table, content: int, cpu: int, header: Table, last: int) -> tuple[str, str] | None:
    """Return what was found in a packet and what was expected there, or nothing."""
    if content % NATIVE_RECORD.itemsize or not content:
        return f"{content} bytes", f"a multiple of {NATIVE_RECORD.itemsize}"
    other = records["id"] != Native.NATIVE_SAMPLE
    if other.any():
        return f"event id {records['id'][np.argmax(other)]}", "a sample"
    if (records["cpu"] != cpu).any():
        return f"cpu {records['cpu'][np.argmax(records['cpu'] != cpu)]}", f"{cpu}"
    time = records["timestamp"].astype(np.int64)
    begin, end = max(last, int(header["timestamp_begin"])), int(header["timestamp_end"])
    if time[0] < begin or time[-1] > end or (time[1:] < time[:-1]).any():
        return "a time", "times that never decrease, within their packet"
    return None


def _task_at(tasks: Sequence[Task], tid: Int64s, time: Int64s) -> Int64s:
    """Return the task that has this tid at this time; -1: none is known."""
    task = np.full(len(tid), -1, np.int64)
    if not len(tasks):
        return task
    tids = np.array([each.tid for each in tasks], np.int64)
    begins = np.array([each.begin for each in tasks], np.int64)
    for each in np.unique(tid).tolist():
        first, last = np.searchsorted(tids, [each, each + 1]).tolist()
        if first == last:
            continue
        mine = np.flatnonzero(tid == each)
        task[mine] = first + np.maximum(np.searchsorted(begins[first:last], time[mine], "right") - 1, 0)
    return task


def _codes(
    memory: Memory,
    tasks: Sequence[Task],
    symbols: Symbols,
    task: Int64s,
    time: Int64s,
    address: UInt64s,
) -> tuple[Int32s, tuple[NativeCode, ...]]:
    """Return the code of each sample, and all codes, in the order of their names."""
    place = np.full(len(task), -1, np.int64)  # number of its file
    offset = np.zeros(len(task), np.int64)
    files: dict[str, int] = {}
    bounds = np.flatnonzero(np.diff(task, prepend=-1, append=-1))
    for low, high in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        main = memory.process_of(tasks[task[low]])
        if main is None:
            continue
        lives = memory.mappings(main)
        life = np.array([bisect_right(main.execs, when) for when in time[low:high].tolist()])
        for number in np.unique(life).tolist():
            mine = low + np.flatnonzero(life == number)
            _place(lives[number], files, mine, time, address, place, offset)
    return _named(symbols, list(files), place, offset)


def _place(
    mappings: Sequence[Mapping],
    files: dict[str, int],
    mine: Int64s,
    time: Int64s,
    address: UInt64s,
    place: Int64s,
    offset: Int64s,
) -> None:
    which = find(mappings, time[mine], address[mine])
    for number in np.unique(which[which >= 0]).tolist():
        mapping = mappings[number]
        inside = mine[which == number]
        place[inside] = files.setdefault(mapping.path, len(files))
        offset[inside] = (address[inside] - np.uint64(mapping.begin)).astype(np.int64) + mapping.offset


def _named(
    symbols: Symbols, files: Sequence[str], place: Int64s, offset: Int64s
) -> tuple[Int32s, tuple[NativeCode, ...]]:
    code = np.full(len(place), -1, np.int32)
    numbers: dict[NativeCode, int] = {}
    for number, path in enumerate(files):
        mine = np.flatnonzero(place == number)
        library = library_of(path)
        places, where = np.unique(offset[mine], return_inverse=True)
        of_place = [
            numbers.setdefault(NativeCode(library, readable(name)), len(numbers))
            for name in symbols.names(path, places)
        ]
        code[mine] = np.array(of_place, np.int32)[where.reshape(-1)]
    ordered = sorted(numbers)
    rank = np.zeros(len(numbers) + 1, np.int32)
    for position, each in enumerate(ordered):
        rank[numbers[each]] = position
    rank[-1] = -1
    return rank[code], tuple(ordered)
