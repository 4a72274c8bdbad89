"""A copy of what is left of a recording that goes on: a trace in itself, up to one moment.

Nobody is stopped and nobody is asked: streams are files, and what is committed of them stays. Their last
packets grow while they are read, so all of them are cut at the moment at which the copying began.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from analysis.destinations import say
from analysis.live.recording import recording_of
from tracer import directory
from tracer.command.arguments import Parser
from tracer.command.times import seconds
from tracer.directory import PACKET_SIZE, SCHED
from tracer.errors import RecordingError
from tracer.keep.names import KEPT
from tracer.keep.streams import HEADER_SIZE, UNUSED, now

_HEADER: Final = struct.Struct("<II5QIIQ8Q")
_MAGIC: Final = 0xC1FC1FC1
_SECOND: Final = 1_000_000_000
_ROUNDS: Final = 5
_RECORD_SIZES: Final = {"gil": 16, "sched": 16, "samples": 24, "native": 24}


def main(arguments: list[str]) -> int:
    """Run `gilscope snapshot`; returns the exit status.

    Raises
    ------
    GilscopeError
        There is no such recording, or the copy can't be made.
    """
    parser = Parser(prog="gilscope snapshot", description="Copy what is left of a recording that goes on.")
    add = parser.add_argument
    add("target", metavar="PID|DIR", help="a recorded process, or the directory of its trace")
    add("-o", "--output", metavar="DIR", required=True, help="the copy's directory")
    add("--last", metavar="TIME", help="no more than the last so long: 10s, 2min")
    add("--force", action="store_true", help="replace an existing trace")
    options = parser.parse_args(arguments)
    span = seconds(options.last, "--last") if options.last else None
    copy(recording_of(options.target), Path(options.output), last=span, force=options.force)
    say(f"snapshot {options.output}")
    return 0


def copy(trace: Path, target: Path, *, last: float | None = None, force: bool = False) -> None:
    """Copy a recording as it is now to `target`, which appears when it is whole.

    Parameters
    ----------
    last : float, optional
        Seconds before now; what is older is left out.

    Raises
    ------
    RecordingError
        Something is there already, or the copy can't be made.
    """
    directory.check_new(target, force=force)
    until = now()
    since = 0 if last is None else until - int(last * _SECOND)
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        part.mkdir(mode=0o700)
        for place in [*directory.process_directories(trace), trace / SCHED]:
            if place.is_dir():
                _copy_process(place, part / place.name, since, until)
        if directory.is_trace(target):
            shutil.rmtree(target)
        part.rename(target)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise RecordingError(f"{target} can't be made: {error.strerror}") from error


def _copy_process(place: Path, target: Path, since: int, until: int) -> None:
    target.mkdir(mode=0o700)
    try:
        _write(target / "metadata", (place / "metadata").read_bytes())
    except FileNotFoundError:
        target.rmdir()  # it has ended long ago, and is given up at this moment
        return
    done: set[str] = set()
    for _ in range(_ROUNDS):  # a thread's stream may come while the names are read
        names = {entry.name for entry in place.iterdir()} - done
        streams = {name for name in names if name.partition("_")[0] in _RECORD_SIZES}
        for name in streams:
            _copy_events(place / name, target / name, since, until)
        done |= streams
        if not streams and done:
            break
        _copy_names(place, target)


def _write(path: Path, content: bytes) -> None:
    if content:
        path.write_bytes(content)
        path.chmod(0o600)


def _read(path: Path, part: Callable[[int], list[bytes]]) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return b""
    try:
        return b"".join(part(fd))
    finally:
        os.close(fd)


def _head(fd: int, packet: int) -> tuple[int, ...] | None:
    """Return the header of a packet that has something in it."""
    head = os.pread(fd, _HEADER.size, packet * PACKET_SIZE)
    if len(head) < _HEADER.size:
        return None
    header = _HEADER.unpack(head)
    used = header[0] == _MAGIC and header[2] < UNUSED and header[4] > 8 * HEADER_SIZE
    return header if used else None


def _first(fd: int) -> int:
    """Return the first packet that is left."""
    header = _HEADER.unpack(os.pread(fd, _HEADER.size, 0).ljust(_HEADER.size, b"\0"))
    return header[5] // (8 * PACKET_SIZE) if header[9] == 1 else 0


def _whole(fd: int, packet: int, header: tuple[int, ...]) -> bytes:
    """Return a packet without what came since its header was read."""
    data = os.pread(fd, PACKET_SIZE, packet * PACKET_SIZE)
    later = _HEADER.unpack_from(data)
    used = header[4] // 8  # what was committed then; the end that is said later is not before its last event
    head = _HEADER.pack(*header[:3], later[3], *header[4:])
    return head + data[_HEADER.size : used] + bytes(PACKET_SIZE - used)


def _gone(header: tuple[int, ...]) -> bytes:
    """Return an empty packet in place of all before."""
    begin = header[2]
    fields = (*header[:2], begin, begin, 8 * HEADER_SIZE, 8 * PACKET_SIZE, *header[6:9], 1)
    return _HEADER.pack(*fields, *(0,) * 8) + bytes(PACKET_SIZE - _HEADER.size)


def _copy_names(place: Path, target: Path) -> None:
    """Copy the names, and those that were kept of packets that are gone: of one moment."""
    for _ in range(_ROUNDS):
        kept = _read(place / KEPT, lambda fd: [os.read(fd, os.fstat(fd).st_size)])
        stands_for = _HEADER.unpack_from(kept)[10] if kept else 0
        gone = [0]

        def part(fd: int, first: int = stands_for, gone: list[int] = gone) -> list[bytes]:
            gone[0] = _first(fd)
            found: list[bytes] = []
            while (header := _head(fd, first + len(found))) is not None:
                found.append(_whole(fd, first + len(found), header))
            return [_gone(_HEADER.unpack_from(found[0])), *found] if found else []

        names = _read(place / "names", part)
        if gone[0] <= stands_for:  # else they were given up meanwhile
            break
    _write(target / "names", names)
    _write(target / KEPT, b"".join(map(_stands_alone, _packets(kept))))


def _packets(content: bytes) -> list[bytes]:
    return [content[at : at + PACKET_SIZE] for at in range(0, len(content), PACKET_SIZE)]


def _stands_alone(packet: bytes) -> bytes:
    header = list(_HEADER.unpack_from(packet))
    header[10] = 0
    return _HEADER.pack(*header) + packet[_HEADER.size :]


def _copy_events(path: Path, target: Path, since: int, until: int) -> None:
    """Copy the packets of a stream that are needed to know all of it from `since` on, up to `until`.

    One at a time: who copies may be the launcher, and its memory is not to grow with the streams.
    """
    size = _RECORD_SIZES[path.name.partition("_")[0]]
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        first = packet = _first_needed(fd, since, until)
        with target.open("wb") as copy:
            os.fchmod(copy.fileno(), 0o600)
            while (header := _head(fd, packet)) is not None and header[2] <= until:
                content = _cut(_whole(fd, packet, header), size, until)
                if (left := _first(fd)) > packet:  # given up meanwhile: it may be nothing but zeros
                    copy.seek(0)
                    copy.truncate()
                    first = packet = left
                    continue
                if packet == first > 0:
                    copy.write(_gone(header))
                copy.write(content)
                packet += 1
        if packet == first:
            target.unlink()
    finally:
        os.close(fd)


def _first_needed(fd: int, since: int, until: int) -> int:
    """Return the last packet that begins at `since` or before, or the first that is left."""
    first = packet = _first(fd)
    while (header := _head(fd, packet)) is not None and header[2] <= min(since, until):
        first = packet
        packet += 1
    return first


def _cut(packet: bytes, size: int, until: int) -> bytes:
    """Return a packet without the events after `until`."""
    header = list(_HEADER.unpack_from(packet))
    if header[3] <= until:
        return packet
    count = (header[4] // 8 - HEADER_SIZE) // size
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if struct.unpack_from("<Q", packet, HEADER_SIZE + middle * size)[0] <= until:
            low = middle + 1
        else:
            high = middle
    used = HEADER_SIZE + low * size
    header[3], header[4] = until, 8 * used
    return _HEADER.pack(*header) + packet[HEADER_SIZE:used] + bytes(PACKET_SIZE - used)
