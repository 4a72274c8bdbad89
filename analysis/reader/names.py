"""The names stream: what threads are called, who lived before the recording, and why it ended early."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from ..arrays import among
from ..errors import TraceFormatError
from .disk.packets import Packets, read_packets
from .format import HEADER_SIZE, STREAM_NAMES, Name
from .problems import Problems
from .records import HEAD, NO_RECORDS, NamePacket, NameTable, decode, out_of_order

KEPT = "names_kept"
"""The file of records that are needed, of packets that a flight recorder has given up."""

_MADE_UP = re.compile(r"Dummy-[0-9]+")
_OF_THREADS = (Name.THREAD_NAME, Name.THREAD_ALIVE, Name.THREAD_COMM)


@dataclass(frozen=True)
class Names:
    """All records of a process, in the order of the file."""

    path: Path
    records: NameTable
    discarded: int
    begun: bool = False
    """Some were given up: those of threads that have ended."""


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
    return Names(path, NameTable(rest), packets.discarded, begun=packets.begun)


def _read_kept(path: Path, pid: int | None, problems: Problems, again: bool) -> tuple[list[NamePacket], int]:
    """Return the kept records, and how many packets of the stream they stand for."""
    if not os.path.lexists(path):
        return [], 0
    packets = read_packets(path, stream_class=STREAM_NAMES, pid=pid, problems=problems)
    stands_for = int(packets.headers["reserved"][0][0]) if len(packets) else 0
    return _read(packets, problems, [], again), stands_for


def _read(packets: Packets, problems: Problems, before: list[NamePacket], again: bool) -> list[NamePacket]:
    """Return those with records, behind those before."""
    path = packets.path
    decoded = _remembered.of(path) if again else decode
    last = max((int(packet.time[-1]) for packet in before), default=0)
    for number, (data, content, header) in enumerate(
        zip(packets.data, packets.content.tolist(), packets.headers, strict=True)
    ):
        begin, end = int(header["timestamp_begin"]), int(header["timestamp_end"])
        packet = decoded(data[HEADER_SIZE : HEADER_SIZE + content].tobytes(), begin, end)
        wrong = packet.wrong
        if len(packet) and packet.time[0] < last:
            wrong = out_of_order(int(packet.time[0]))
        elif len(packet):
            before.append(packet)
            last = int(packet.time[-1])
        if wrong is not None:
            error = TraceFormatError(path, wrong.found, wrong.expected, f"packet {number}")
            problems.report(error, "the names from there on")
            break
    return before


class _Look:
    """What was decoded of a file when it was looked at last, and what is met of it now.

    A packet that has grown is the same: what is new in it is decoded.
    """

    def __init__(self, before: dict[tuple[int, bytes], NamePacket]) -> None:
        self._before = before
        self.met: dict[tuple[int, bytes], NamePacket] = {}

    def __call__(self, content: bytes, begin: int, end: int) -> NamePacket:
        key = begin, content[: HEAD.size]
        packet = self._before.pop(key, NO_RECORDS)
        if not content.startswith(packet.content) or (len(packet) and packet.time[-1] > end):
            packet = NO_RECORDS
        if len(content) > len(packet.content):
            packet = decode(content, begin, end, packet)
            if packet.wrong is not None:
                return packet
        self.met[key] = packet
        return packet


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
    records = names.records
    of_threads = records.which(*_OF_THREADS)
    asked = among(records.ref[of_threads], [pid, *by_tid])
    for record in records.at(of_threads[asked]):
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
