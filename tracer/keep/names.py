"""Names that are still needed of packets that a flight recorder gives up.

Numbers of code, frames and locks are given once a recording, so their records stay; those of threads go when
the thread has gone. What stays is written to a file beside the stream, which says for how many of its packets
it stands; then these are given up. A reader takes the one and the rest of the other, whenever it comes.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
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
_THREAD_NAME, _THREAD_ALIVE, _THREAD_COMM, _TASK_EXIT = 32, 33, 34, 37
_OF_THREADS: Final = (_THREAD_NAME, _THREAD_ALIVE, _THREAD_COMM)


class _Record(NamedTuple):
    time: int
    kind: int
    ref: int
    content: bytes  # all of it, with its NUL, without padding


def keep_names(place: Path, stream: Stream, time: int) -> None:
    """Give up packets of the names in `place`, when there are many; what is needed from `time` on is kept."""
    count = stream.seen - stream.first - _IN_USE
    kept = place / KEPT
    try:
        size = kept.stat().st_size // PACKET_SIZE
    except OSError:
        size = 0
    if count < max(_AT_LEAST, 2 * size):
        return
    with stream.path.open("rb") as file:
        file.seek(stream.first * PACKET_SIZE)
        packets = file.read((stream.seen - stream.first) * PACKET_SIZE)
    before = list(_records(kept.read_bytes())) if size else []
    going = [*before, *_records(packets[: count * PACKET_SIZE])]
    later = list(_records(packets[count * PACKET_SIZE :]))
    needed = _needed_tasks(going, later, time) if place.name == SCHED else _needed(place, going, later, time)
    header = _HEADER.unpack_from(packets, (count - 1) * PACKET_SIZE)
    discarded, pid = header[6], header[8]
    _write(kept, needed, stands_for=stream.first + count, discarded=discarded, pid=pid)
    stream.give_up(count)


def _records(packets: bytes) -> Iterator[_Record]:
    for at in range(0, len(packets), PACKET_SIZE):
        content_size = _HEADER.unpack_from(packets, at)[4] // 8
        position = _HEADER.size
        while position + _RECORD.size < content_size:
            end = packets.find(b"\0", at + position + _RECORD.size) + 1
            content = packets[at + position : end]
            time, kind, _, ref = _RECORD.unpack_from(content)
            yield _Record(time, kind, ref, content)
            position = (end - at + 7) & ~7


def _needed(place: Path, going: list[_Record], later: list[_Record], time: int) -> list[_Record]:
    """Records of a process: of threads, the last ones of those that lived at `time`."""
    alive = _alive(place)
    seen = {record.ref for record in [*going, *later] if record.kind in _OF_THREADS and record.time >= time}
    last = {(record.kind, record.ref): record for record in going if record.kind in _OF_THREADS}
    return [
        record
        for record in going
        if record.kind not in _OF_THREADS
        or (
            last[record.kind, record.ref] is record
            and (alive is None or record.ref in alive or record.ref in seen)
        )
    ]


def _alive(place: Path) -> set[int] | None:
    """Return the threads of a process; None: it is not to be seen from here."""
    try:
        tasks = Path("/proc", place.name.partition("_")[0], "task")
        return {int(task.name) for task in tasks.iterdir()}
    except OSError:
        return None


def _needed_tasks(going: list[_Record], later: list[_Record], time: int) -> list[_Record]:
    """Records of what the scheduler saw: of all but tasks that had ended before `time`."""
    ended = {
        record.ref: record.time
        for record in [*going, *later]
        if record.kind == _TASK_EXIT and record.time < time
    }
    return [record for record in going if record.time > ended.get(record.ref, -1)]


def _write(path: Path, records: Iterable[_Record], *, stands_for: int, discarded: int, pid: int) -> None:
    """Replace the file in one step."""
    fresh = path.with_name(f".{path.name}")
    with fresh.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        for packet in _packets(records):
            begin, end = packet[0].time, packet[-1].time
            content = b""
            for record in packet:
                content += bytes(-len(content) % 8) + record.content
            used = _HEADER.size + len(content)
            header = _HEADER.pack(
                *(_MAGIC, _NAMES, begin, end, 8 * used, 8 * PACKET_SIZE, discarded, 0, pid, 0),
                *(stands_for, 0, 0, 0, 0, 0, 0, 0),
            )
            file.write(header + content + bytes(PACKET_SIZE - used))
    fresh.rename(path)


def _packets(records: Iterable[_Record]) -> Iterator[list[_Record]]:
    """Yield the records of one packet after another; one at least."""
    packet: list[_Record] = []
    used = _HEADER.size
    for record in records:
        size = len(record.content) + 7 & ~7
        if used + size > PACKET_SIZE and packet:
            yield packet
            packet, used = [], _HEADER.size
        packet.append(record)
        used += size
    yield packet or [_Record(0, 0, 0, b"")]
