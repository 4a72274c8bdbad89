"""The names stream: what threads are called, who lived before the recording, and why it ended early."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import TraceFormatError
from .disk.packets import Packets, read_packets
from .format import HEADER_SIZE, STREAM_NAMES, Name
from .problems import Problems

KEPT = "names_kept"
"""The file of records that are needed, of packets that a flight recorder has given up."""

_HEAD = struct.Struct("<QHHI")  # format.NAME_RECORD
_OF_CODE = (Name.CODE, Name.CODE_LINES, Name.FRAME, Name.LOCK, Name.LOCK_ENDED, Name.MARK_TEXT)
_MADE_UP = re.compile(r"Dummy-[0-9]+")
_OF_THREADS = (Name.THREAD_NAME, Name.THREAD_ALIVE, Name.THREAD_COMM)


@dataclass(frozen=True)
class NameRecord:
    """One record; `ref` is what the text names: a tid, an errno, a code object, a frame."""

    time: int
    kind: Name
    ref: int
    text: str

    @property
    def reason(self) -> str:
        """What `ref` means as an errno, and what failed: "No space left on device: gil_3"."""
        reason = os.strerror(self.ref)
        return reason if self.text in ("", reason) else f"{reason}: {self.text}"


@dataclass(frozen=True)
class Names:
    """All records of a process, in the order of the file."""

    path: Path
    records: tuple[NameRecord, ...]
    discarded: int
    begun: bool = False
    """Some were given up: those of threads that have ended."""

    def of(self, kind: Name) -> Iterator[NameRecord]:
        """Return the records of one kind."""
        return (record for record in self.records if record.kind == kind)


def read_names(path: Path, *, pid: int | None, problems: Problems, again: bool = False) -> Names:
    """Read the names stream of a process, and what a flight recorder kept of packets that it gave up.

    Parameters
    ----------
    again : bool
        They are read again and again while they grow: what is in a packet is remembered.
    """
    kept, first = _read_kept(path.with_name(KEPT), pid, problems, again)
    packets = read_packets(path, stream_class=STREAM_NAMES, pid=pid, problems=problems, before=first)
    rest = _read(packets, problems, kept, again)
    return Names(path, tuple(rest), packets.discarded, begun=packets.begun)


def _read_kept(path: Path, pid: int | None, problems: Problems, again: bool) -> tuple[list[NameRecord], int]:
    """Return the kept records, and how many packets of the stream they stand for."""
    if not os.path.lexists(path):
        return [], 0
    packets = read_packets(path, stream_class=STREAM_NAMES, pid=pid, problems=problems)
    stands_for = int(packets.headers["reserved"][0][0]) if len(packets) else 0
    return _read(packets, problems, [], again), stands_for


def _read(packets: Packets, problems: Problems, records: list[NameRecord], again: bool) -> list[NameRecord]:
    path = packets.path
    decode = _remembered.of(path) if again else _decode
    for number, (data, content, header) in enumerate(
        zip(packets.data, packets.content.tolist(), packets.headers, strict=True)
    ):
        begin, end = int(header["timestamp_begin"]), int(header["timestamp_end"])
        found, wrong = decode(data[HEADER_SIZE : HEADER_SIZE + content].tobytes(), begin, end)
        if records and found and found[0].time < records[-1].time:
            wrong = _out_of_order(found[0])
        else:
            records.extend(found)
        if wrong is not None:
            error = TraceFormatError(path, wrong.found, wrong.expected, f"packet {number}")
            problems.report(error, "the names from there on")
            break
    return records


class _Wrong(Exception):
    def __init__(self, found: str, expected: str) -> None:
        super().__init__(found)
        self.found = found
        self.expected = expected


def _out_of_order(record: NameRecord) -> _Wrong:
    return _Wrong(f"time {record.time}", "times that never decrease, within their packet")


Decoded = tuple[tuple[NameRecord, ...], _Wrong | None]
"""The records of a packet, and what is wrong after them."""


def _decode(
    content: bytes, begin: int, end: int, before: tuple[NameRecord, ...] = (), at: int = 0
) -> Decoded:
    """Return the records of a packet that begins and ends at these times; `before`: those up to byte `at`."""
    found = list(before)
    try:
        for record in _records(content, at):
            if not max(begin, found[-1].time if found else 0) <= record.time <= end:
                return tuple(found), _out_of_order(record)
            found.append(record)
    except _Wrong as wrong:
        return tuple(found), wrong
    return tuple(found), None


class _Look:
    """What was decoded of a file when it was looked at last, and what is met of it now.

    A packet that has grown is the same: what is new in it is decoded.
    """

    def __init__(self, before: dict[tuple[int, bytes], _Packet]) -> None:
        self._before = before
        self.met: dict[tuple[int, bytes], _Packet] = {}

    def __call__(self, content: bytes, begin: int, end: int) -> Decoded:
        key = begin, content[: _HEAD.size]
        before, found = self._before.pop(key, (b"", ()))
        if not content.startswith(before) or (found and found[-1].time > end):
            before, found = b"", ()
        if len(content) > len(before):
            found, wrong = _decode(content, begin, end, found, _aligned(len(before)))
            if wrong is not None:
                return found, wrong
        self.met[key] = content, found
        return found, None


_Packet = tuple[bytes, tuple[NameRecord, ...]]


class _Remembered:
    """The packets that the last look at each file met: what a flight recorder gives up is forgotten."""

    def __init__(self) -> None:
        self.looks: dict[Path, _Look] = {}

    def of(self, path: Path) -> _Look:
        """Begin a look at a file; another file is also when those that are no more are forgotten."""
        last = self.looks.pop(path, None)
        if last is None:
            known = list(self.looks.items())  # other threads read other files
            self.looks = {file: look for file, look in known if os.path.lexists(file)}
        look = self.looks[path] = _Look(last.met if last is not None else {})
        return look


_remembered = _Remembered()


def _records(content: bytes, position: int) -> Iterator[NameRecord]:
    while position < len(content):
        end = content.find(0, position + _HEAD.size)
        if end < 0:
            raise _Wrong(f"a record without an end at byte {HEADER_SIZE + position}", "text with a NUL")
        time, kind, reserved, ref = _HEAD.unpack_from(content, position)
        if kind not in Name._value2member_map_ or reserved:
            raise _Wrong(f"record id {kind}", "a known one")
        if ref == 0 and kind not in (Name.RECORDING_FAILED, Name.THREAD_LOST):
            expected = "a number from 1 on" if kind in _OF_CODE else "the tid of a thread"
            raise _Wrong(
                f"{Name(kind).name.lower()} of {'number' if kind in _OF_CODE else 'tid'} 0", expected
            )
        text = content[position + _HEAD.size : end].decode(errors="replace")
        yield NameRecord(time, Name(kind), ref, text)
        position = _aligned(end + 1)


def _aligned(position: int) -> int:
    """Return where the next record begins."""
    return (position + 7) & ~7


def display_names(names: Names, *, pid: int, threads: list[tuple[int, int, int]]) -> list[str]:
    """Return what to call each thread.

    Python's name (the last one within the thread's life), or the one in the OS if it differs from the main
    thread's (threads inherit that), or "thread <tid>". A name that Python makes up for a thread that it finds
    running, "Dummy-1", is less than either: a thread gets one in each subinterpreter that it enters.

    Parameters
    ----------
    threads : list of (tid, begin, end)
        In ns. A tid may come again, at later times.
    """
    by_tid: dict[int, list[tuple[int, int]]] = {}
    for index, (tid, _, end) in sorted(enumerate(threads), key=lambda item: item[1][2]):
        by_tid.setdefault(tid, []).append((end, index))
    python: dict[int, str] = {}
    system: dict[int, str] = {}
    made_up: dict[int, str] = {}
    main = ""
    for record in names.records:
        if record.kind not in _OF_THREADS:
            continue
        if record.kind != Name.THREAD_NAME and record.ref == pid:
            main = record.text
        lives = by_tid.get(record.ref, [])
        # The life that the record falls into, or the one after it; a name may come just after the end, too.
        if lives:
            owner = next((index for end, index in lives if record.time <= end), lives[-1][1])
            if record.kind != Name.THREAD_NAME:
                system[owner] = record.text
            elif _MADE_UP.fullmatch(record.text):
                made_up.setdefault(owner, record.text)
            else:
                python[owner] = record.text

    def name(index: int, tid: int) -> str:
        if python.get(index):
            return python[index]
        comm = system.get(index, "")
        if comm and comm != main:
            return comm
        return made_up.get(index) or ("MainThread" if tid == pid else f"thread {tid}")

    return [name(index, tid) for index, (tid, _, _) in enumerate(threads)]
