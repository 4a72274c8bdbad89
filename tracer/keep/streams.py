"""The flight recorder: the oldest packets of a recording that goes on are given up.

Each stream's first packet stands for what is gone: it is empty and as large as all of that, and its place on
the disk is a hole (`FALLOC_FL_PUNCH_HOLE`). First the packet says so, then the hole is made: so what is on
the disk is a trace at any moment, whoever dies of what. Nothing of it concerns the recorded process, whose
threads are always in later packets.

A stream's packet is given up when the next one had begun by the time from which on all is to be known: the
state that a thread was in then is in the packet that is kept.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import struct
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tracer import directory
from tracer.directory import PACKET_SIZE, SCHED
from tracer.keep.names import KeptNames

HEADER_SIZE: Final = 128
UNUSED: Final = 1 << 61
_HEADER: Final = struct.Struct("<II5QIIQ")
_MAGIC: Final = 0xC1FC1FC1
_PAGE: Final = 4096
_PUNCH_HOLE, _KEEP_SIZE = 2, 1
_IN_USE: Final = 2
"""Packets at the end that a thread may be in, or be about to be in."""

_SECOND: Final = 1_000_000_000
_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


def now() -> int:
    """Return the trace's time, ns."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


@dataclass
class Stream:
    """A stream file: when its packets begin, from the first on that is left."""

    path: Path
    first: int = 0
    begins: array[int] = field(default_factory=lambda: array("q"))
    blocks: int = 0
    """Bytes on the disk."""

    _skipped: int = 0  # of `begins`: given up

    @property
    def seen(self) -> int:
        """Packets that are in use or full."""
        return self.first + len(self.begins) - self._skipped

    def look(self) -> None:
        """Find out how far it is by now; nothing changes if it has vanished."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return
        try:
            status = os.fstat(fd)
            self.blocks = 512 * status.st_blocks
            while (self.seen + 1) * PACKET_SIZE <= status.st_size:
                begin = _begin(fd, self.seen)
                if begin is None:
                    return
                self.begins.append(begin)
        finally:
            os.close(fd)

    def may_go(self) -> Iterator[int]:
        """Yield, for each packet that may be given up, from when on all of the stream is there without it."""
        yield from self.begins[self._skipped + 1 : max(len(self.begins) - _IN_USE, 0)]

    def give_up(self, count: int) -> int:
        """Give up so many packets; returns the bytes that are free now."""
        before = self.blocks
        fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            to = self.first + count
            _say_gone(fd, to)
            _punch(fd, max(self.first * PACKET_SIZE, _PAGE), to * PACKET_SIZE)
            self.first = to
            self._skipped += count
            if self._skipped > 1024:
                del self.begins[: self._skipped]
                self._skipped = 0
            self.blocks = 512 * os.fstat(fd).st_blocks
        finally:
            os.close(fd)
        return before - self.blocks


def _begin(fd: int, packet: int) -> int | None:
    """Return when a packet begins; None: it has not been used yet."""
    head = os.pread(fd, _HEADER.size, packet * PACKET_SIZE)
    if len(head) < _HEADER.size:
        return None
    magic, _, begin, _, content_size, *_ = _HEADER.unpack(head)
    unused = magic != _MAGIC or begin >= UNUSED or content_size <= 8 * HEADER_SIZE
    return None if unused else int(begin)


def _say_gone(fd: int, packets: int) -> None:
    """Let the first packet stand for so many; in one write, of one page."""
    magic, kind, begin, *_, discarded, tid, pid, _ = _HEADER.unpack(os.pread(fd, _HEADER.size, 0))
    empty, size = 8 * HEADER_SIZE, 8 * PACKET_SIZE * packets
    os.pwrite(fd, _HEADER.pack(magic, kind, begin, begin, empty, size, discarded, tid, pid, 1), 0)


def _punch(fd: int, begin: int, end: int) -> None:
    if _libc.fallocate(fd, _PUNCH_HOLE | _KEEP_SIZE, begin, end - begin) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Streams:
    """All streams of a trace, as they grow."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace
        self._of: dict[Path, dict[str, Stream]] = {}
        self._names: dict[Path, KeptNames] = {}
        self._ended: dict[Path, int] = {}  # when a process was first seen to be recorded no longer
        self._size_of_rest = 0

    def look(self) -> None:
        """Find new processes, streams and packets."""
        places = [*directory.process_directories(self._trace), self._trace / SCHED]
        for gone in self._of.keys() - set(places):
            del self._of[gone]
            self._names.pop(gone, None)
            self._ended.pop(gone, None)
        self._size_of_rest = 0
        for place in places:
            try:
                entries = list(os.scandir(place))
            except OSError:
                continue
            streams = self._of.setdefault(place, {})
            for entry in entries:
                if entry.name.startswith(("gil_", "sched_", "native_")) or entry.name in ("names", "samples"):
                    streams.setdefault(entry.name, Stream(Path(entry.path))).look()
                else:
                    try:
                        self._size_of_rest += 512 * entry.stat(follow_symlinks=False).st_blocks
                    except OSError:
                        pass  # it has gone meanwhile

    @property
    def size(self) -> int:
        """Bytes that the trace takes on the disk."""
        return self._size_of_rest + sum(stream.blocks for stream in self._all())

    def _all(self) -> Iterator[Stream]:
        for streams in self._of.values():
            yield from streams.values()

    def _events(self) -> Iterator[Stream]:
        """Those that are given up by time; names are needed as long as events are."""
        return (stream for stream in self._all() if stream.path.name != "names")

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))

    def give_up_before(self, time: int) -> None:
        """Give up what is not needed to know all from `time` on."""
        for stream in self._events():
            count = 0
            for begin in stream.may_go():
                if begin > time:
                    break
                count += 1
            if count:
                stream.give_up(count)
        self._give_up_processes(time)
        for place, streams in self._of.items():
            if "names" in streams:
                if place not in self._names:
                    self._names[place] = KeptNames(place, streams["names"])
                self._names[place].give_up_before(time)

    def time_to_free(self, size: int) -> int | None:
        """Return the time before which to give up all to free `size` bytes; None: nothing can go."""
        wanted = -(-size // PACKET_SIZE)
        ends = array("q")
        for stream in self._events():
            ends.extend(stream.may_go())
        if not ends:
            return None
        ordered = sorted(ends)
        return ordered[min(wanted, len(ordered)) - 1]

    def _give_up_processes(self, time: int) -> None:
        """Remove what is left of processes that ended before."""
        for place, streams in list(self._of.items()):
            if place.name == SCHED or not streams:
                continue
            if directory.is_recorded(place):
                self._ended.pop(place, None)
                continue
            # Its last packet began before its end, long before where little happens: since when it has ended
            # is known from the first look that found it so.
            if self._ended.setdefault(place, now()) >= time or self._ended_after(place, streams, time):
                continue
            shutil.rmtree(place, ignore_errors=True)
            del self._of[place], self._ended[place]
            self._names.pop(place, None)

    @staticmethod
    def _ended_after(place: Path, streams: dict[str, Stream], time: int) -> bool:
        try:
            fresh = time_of(place / "metadata")
        except OSError:
            return True
        last = max((stream.begins[-1] for stream in streams.values() if stream.begins), default=0)
        return max(last, fresh) >= time


def time_of(path: Path) -> int:
    """Return when a file was last changed, in the trace's time."""
    age = time.time_ns() - path.stat().st_mtime_ns
    return now() - max(age, 0)


def refused(error: OSError) -> str:
    """Return why packets can't be given up."""
    if error.errno in (errno.EOPNOTSUPP, errno.ENOSYS):
        return "this file system can't give up parts of a file (ext4, xfs, btrfs and tmpfs can)"
    return error.strerror or str(error)
