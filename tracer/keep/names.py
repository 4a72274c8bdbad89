"""Names that are still needed of packets that a flight recorder gives up.

Numbers of code and frames are given once a recording, so their records stay; those of threads and locks go
when these have gone. What stays is written to a file beside the stream, which says for how many of its
packets it stands; then these are given up. A reader takes the one and the rest of the other, whenever it
comes.

Who does so runs as long as the program: a packet is in memory at a time, and of each thread that is needed a
number.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from tracer.directory import PACKET_SIZE, SCHED

if TYPE_CHECKING:
    from tracer.keep.streams import Stream

KEPT: Final = "names_kept"
_AT_LEAST: Final = 8
"""Packets: fewer are not worth the work."""

_IN_USE: Final = 2
_HEADER: Final = struct.Struct("<II5QIIQ8Q")
_RECORD: Final = struct.Struct("<QHHI")
_MAGIC: Final = 0xC1FC1FC1
_NAMES: Final = 1
# Of tracer/native/format.h.
_THREAD_NAME, _THREAD_ALIVE, _THREAD_COMM, _TASK_EXIT, _LOCK, _LOCK_ENDED = 32, 33, 34, 37, 45, 71
_OF_LOCKS: Final = (_LOCK, _LOCK_ENDED)
_OF_THREADS: Final = (_THREAD_NAME, _THREAD_ALIVE, _THREAD_COMM)


class _Record(NamedTuple):
    time: int
    kind: int
    ref: int
    content: bytes  # all of it, with its NUL, without padding


_Filter = Callable[[int, _Record], bool]
"""Whether a record is needed, of those that go, by its number among them."""


class KeptNames:
    """The names in `place`, of which packets are given up when there are many."""

    def __init__(self, place: Path, stream: Stream) -> None:
        self._place = place
        self._stream = stream
        self._going: _Going | None = None

    def give_up_before(self, time: int) -> None:
        """Give up what is not needed from `time` on.

        First it is settled which packets go, and who is alive after them. When that is long enough ago, all
        who are in these packets and were not alive then had gone before `time`.
        """
        if self._going is None:
            self._going = self._many()
        if self._going is not None and self._going.since <= time:
            going, self._going = self._going, None
            self._give_up(going)

    def _many(self) -> _Going | None:
        to = self._stream.seen - _IN_USE
        if to - self._stream.first < max(_AT_LEAST, 2 * self._size()):
            return None
        return _Going(to, _now(), _alive(self._place))

    def _size(self) -> int:
        """Return how many packets were kept."""
        try:
            return (self._place / KEPT).stat().st_size // PACKET_SIZE
        except OSError:
            return 0

    def _give_up(self, going: _Going) -> None:
        path, kept, first = self._stream.path, self._place / KEPT, self._stream.first
        records = _Records((kept, 0, self._size()), (path, first, going.to))
        needed = _needed_tasks(records) if self._place.name == SCHED else _needed(records, going.alive)
        fields = _HEADER.unpack_from(next(_packets(path, going.to - 1, going.to)))
        _write(
            kept,
            (record for number, record in enumerate(records) if needed(number, record)),
            stands_for=going.to,
            discarded=fields[6],
            pid=fields[8],
        )
        self._stream.give_up(going.to - first)


class _Going(NamedTuple):
    """Packets that go, up to one, who was alive when that was settled (None: nobody knows), and when, ns."""

    to: int
    since: int
    alive: set[int] | None


def _now() -> int:
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class _Records:
    """Records of packets from one to another of some files, read anew each time."""

    def __init__(self, *parts: tuple[Path, int, int]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[_Record]:
        for path, first, last in self._parts:
            for packet in _packets(path, first, last):
                yield from _in_packet(packet)


def _packets(path: Path, first: int, last: int) -> Iterator[bytes]:
    if first >= last:
        return
    with path.open("rb", buffering=0) as file:
        file.seek(first * PACKET_SIZE)
        for _ in range(first, last):
            yield file.read(PACKET_SIZE)


def _in_packet(packet: bytes) -> Iterator[_Record]:
    end_of_content = _HEADER.unpack_from(packet)[4] // 8
    position = _HEADER.size
    while position + _RECORD.size < end_of_content:
        end = packet.find(b"\0", position + _RECORD.size) + 1
        time, kind, _, ref = _RECORD.unpack_from(packet, position)
        yield _Record(time, kind, ref, packet[position:end])
        position = (end + 7) & ~7


def _needed(going: _Records, alive: set[int] | None) -> _Filter:
    """Of a process: of threads, the last records of those that are alive; locks that have not ended."""
    ended = {record.ref for record in going if record.kind == _LOCK_ENDED}
    last = {
        (record.kind, record.ref): number
        for number, record in enumerate(going)
        if record.kind in _OF_THREADS and (alive is None or record.ref in alive)
    }

    def needed(number: int, record: _Record) -> bool:
        if record.kind in _OF_THREADS:
            return last.get((record.kind, record.ref)) == number
        return record.kind not in _OF_LOCKS or record.ref not in ended

    return needed


def _alive(place: Path) -> set[int] | None:
    """Return the threads of a process; None: it is not to be seen from here."""
    try:
        tasks = Path("/proc", place.name.partition("_")[0], "task")
        return {int(task.name) for task in tasks.iterdir()}
    except OSError:
        return None


def _needed_tasks(going: _Records) -> _Filter:
    """Of what the scheduler saw: those of all but tasks that have ended."""
    ended = {record.ref: record.time for record in going if record.kind == _TASK_EXIT}
    return lambda _, record: record.time > ended.get(record.ref, -1)


def _write(path: Path, records: Iterable[_Record], *, stands_for: int, discarded: int, pid: int) -> None:
    """Replace the file in one step."""
    fresh = path.with_name(f".{path.name}")
    with fresh.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        for begin, end, content in _filled(records):
            used = _HEADER.size + len(content)
            header = _HEADER.pack(
                *(_MAGIC, _NAMES, begin, end, 8 * used, 8 * PACKET_SIZE, discarded, 0, pid, 0),
                *(stands_for, 0, 0, 0, 0, 0, 0, 0),
            )
            file.write(header + content + bytes(PACKET_SIZE - used))
    fresh.rename(path)


def _filled(records: Iterable[_Record]) -> Iterator[tuple[int, int, bytearray]]:
    """Yield when one packet after another begins and ends, and what is in it; one at least."""
    begin = end = 0
    content = bytearray()
    for record in records:
        padding = -len(content) % 8
        if _HEADER.size + len(content) + padding + len(record.content) > PACKET_SIZE:
            yield begin, end, content
            content.clear()
            padding = 0
        if not content:
            begin = record.time
        end = record.time
        content += bytes(padding) + record.content
    yield begin, end, content
