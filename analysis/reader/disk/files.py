"""The files of a trace: looked at before anything in them is read, and before a byte is set aside for them.

Traces are sent around, and lie where others may write. A FIFO would stop the reader for ever, a device may do
anything when it is opened, a link leads out of the trace, and a few bytes can claim to be terabytes.
"""

from __future__ import annotations

import os
import re
import stat
import struct
from pathlib import Path
from typing import BinaryIO, Final

from ...errors import TraceFormatError
from ...units import count

LARGEST_STREAM: Final = 1 << 40
"""Bytes: a day of a million events a second."""

LARGEST_METADATA: Final = 1 << 24

PACKED_MAGIC: Final = b"gilscope pack 1\n"
"""What a packed trace begins with: see `packed`."""

_SPARSE: Final = 64
"""A stream of which less than one part in so many is on the disk is none: packets are written whole."""

_SMALL: Final = 1 << 30
"""Bytes that are soon read whatever they are."""

_KINDS: Final = (
    (stat.S_ISLNK, "a link"),
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


READ: Final = re.compile(r"(metadata)|names|names_kept|samples|symbols|(gil|sched|native)_[0-9]{1,9}")
"""Names of the files of a process (or of `sched`) that are read."""


def is_packed(path: Path) -> bool:
    """Return whether there is a file that begins as a packed trace does."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(PACKED_MAGIC)) == PACKED_MAGIC
    except OSError:
        return False


def check_all(directory: Path) -> None:
    """Raise TraceFormatError if one of the files in a directory of a trace is not what it has to be."""
    try:
        entries = sorted(directory.iterdir())
    except OSError:
        return  # whoever reads it next says why it can't be read
    for path in entries:
        if name := READ.fullmatch(path.name):
            check_file(path, LARGEST_METADATA if name[1] else LARGEST_STREAM)


def check_directory(path: Path) -> None:
    """Raise TraceFormatError if a part of a trace leads elsewhere, or is no directory."""
    status = _status(path, "a directory")
    if not stat.S_ISDIR(status.st_mode):
        raise TraceFormatError(path, _kind(status), "a directory")


def check_file(path: Path, largest: int = LARGEST_STREAM) -> int:
    """Return the size of a file that can be read.

    Raises
    ------
    TraceFormatError
        It is no regular file, is larger than any could be, or hardly anything of it is there.
    """
    return _checked(path, _status(path, "a regular file"), largest)


def open_file(path: Path, largest: int = LARGEST_STREAM) -> BinaryIO:
    """Open a file for reading that is what `check_file` says, also if it is replaced meanwhile."""
    check_file(path, largest)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise TraceFormatError(path, error.strerror or str(error), "a readable file") from None
    file = os.fdopen(descriptor, "rb")
    try:
        _checked(path, os.fstat(descriptor), largest)
    except TraceFormatError:
        file.close()
        raise
    return file


def _status(path: Path, expected: str) -> os.stat_result:
    try:
        return os.lstat(path)
    except OSError as error:
        raise TraceFormatError(path, (error.strerror or str(error)).lower(), expected) from None


_HEAD: Final = struct.Struct("<II4Q16xQ")
_MAGIC: Final = 0xC1FC1FC1
_PACKET: Final = 32768
_EMPTY: Final = 128 * 8
_UNUSED: Final = 1 << 61  # format.UNUSED_TIMESTAMP


def used_size(descriptor: int) -> int:
    """Return how many bytes of a stream lie before the packets at its end that were never used.

    A process cuts those off when it ends its recording. Whoever has them mapped then is killed by a look at
    them (SIGBUS), so whatever maps a stream maps this much of it.
    """
    size = os.fstat(descriptor).st_size
    while size and size % _PACKET == 0:
        magic, _, begin, _, content, *_ = _head(descriptor, size - _PACKET)
        if (magic, begin, content) != (_MAGIC, _UNUSED, _EMPTY):
            break
        size -= _PACKET
    return size


def gone_at_the_front(path: Path) -> int:
    """Return how many bytes of a stream a flight recorder gave up: its first packet is as large and empty."""
    return _front(path)[0]


def known_since(path: Path) -> int | None:
    """Return when the first packet begins that is left of a stream, ns; None: nothing of it was given up."""
    gone, begin = _front(path)
    return begin if gone else None


def _front(path: Path) -> tuple[int, int]:
    """Return how many bytes are gone, and when what follows begins; of what can't be read nothing is gone."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return 0, 0
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return 0, 0
    try:
        magic, _, begin, _, _, packet_size, given_up = _head(descriptor, 0)
        if magic != _MAGIC or given_up != 1:
            return 0, 0
        gone = packet_size // 8
        if 0 < gone < os.fstat(descriptor).st_size:
            begin = _head(descriptor, gone)[2]
        return gone, begin
    finally:
        os.close(descriptor)


def _head(descriptor: int, offset: int) -> tuple[int, ...]:
    return _HEAD.unpack(os.pread(descriptor, _HEAD.size, offset).ljust(_HEAD.size, b"\0"))


def _checked(path: Path, status: os.stat_result, largest: int) -> int:
    size = status.st_size
    if not stat.S_ISREG(status.st_mode):
        raise TraceFormatError(path, _kind(status), "a regular file")
    if size > _SMALL:
        size = max(size - gone_at_the_front(path), 0)  # what is left of it
    if size > largest:
        raise TraceFormatError(path, f"{count(size)} bytes", f"{count(largest)} at most")
    there = 512 * status.st_blocks
    if size > _SMALL and there * _SPARSE < size and _has_holes(path, status.st_size - size, status.st_size):
        found = f"{count(size)} bytes of which {count(there)} are on the disk"
        raise TraceFormatError(path, found, "a stream without holes")
    return status.st_size


def _has_holes(path: Path, begin: int, size: int) -> bool:
    """Return whether the file system says so; some say 0 of the room that any file takes."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.lseek(descriptor, begin, os.SEEK_HOLE) < size
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _kind(status: os.stat_result) -> str:
    return next((name for matches, name in _KINDS if matches(status.st_mode)), "a regular file")
