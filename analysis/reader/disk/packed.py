"""A trace in one file, to send to somebody: its files one after another, compressed in blocks.

    magic  record ...     record = header, then `stored` bytes
    FILE   raw: size of the file that follows in blocks; the bytes: its name, as in "1234/gil_0"
    BLOC   raw: what the bytes are decompressed to; how: see `How`
    END.   raw: how many files there were

Little endian. Headers and bytes have a checksum each: what was changed is found, what was cut has no END.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from enum import IntEnum
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np

from ...errors import TraceFormatError
from ..format import PACKET_SIZE
from ..problems import Problems
from .blocks import PACKETS, from_columns
from .files import LARGEST_STREAM, PACKED_MAGIC, READ, open_file
from .zstd import Decompress, functions

BLOCK: Final = PACKETS * PACKET_SIZE
"""Bytes of a file in a block, at most."""

AHEAD: Final = 8
"""Blocks that are worked on at once, at most."""

_HEADER: Final = struct.Struct("<4sIQII")
_CHECK: Final = struct.Struct("<I")
_DIRECTORY: Final = re.compile(r"\d+(_\d+)?|sched")
_LONGEST: Final = 2 * BLOCK


class How(IntEnum):
    """What a block holds."""

    BYTES = 0  # compressed as they are
    COLUMNS = 1  # packets of events by column: see `blocks`


class Record(NamedTuple):
    tag: bytes
    how: int
    raw: int
    data: bytes
    intact: bool


def write_record(file: BinaryIO, tag: bytes, raw: int, data: bytes = b"", how: int = 0) -> None:
    """Append a record to a packed trace."""
    header = _HEADER.pack(tag, how, raw, len(data), zlib.crc32(data))
    file.write(header + _CHECK.pack(zlib.crc32(header)))
    file.write(data)


def unpack(path: Path, directory: Path, problems: Problems) -> None:
    """Write the files of a packed trace into a directory, which is there and empty.

    Raises
    ------
    TraceFormatError
        It is no packed trace, or one that was cut or changed; when salvaging, what was good is written.
    GilscopeError
        There is no Zstandard in this Python.
    """
    decompress = functions()[1]
    with open_file(path, LARGEST_STREAM) as packed:
        if packed.read(len(PACKED_MAGIC)) != PACKED_MAGIC:
            raise TraceFormatError(path, "something else", "a trace: a directory, or one packed into a file")
        for name, size, blocks in _files(path, packed, problems):
            target = _target(path, directory, name)
            with target.open("xb") as file:
                for data in _decoded(path, name, blocks, decompress, problems):
                    file.write(data)
                if file.tell() != size:
                    found = f"{file.tell()} bytes of {name}"
                    problems.report(TraceFormatError(path, found, f"{size}"), "the rest")


def _files(path: Path, packed: BinaryIO, problems: Problems) -> Iterator[tuple[str, int, Iterator[Record]]]:
    """Yield name, size and blocks of each file; the blocks have to be taken before the next file."""
    records = _records(path, packed, problems)
    count = 0
    record = next(records, None)
    while record is not None and record.tag == b"FILE":
        if not record.intact:
            problems.report(
                TraceFormatError(path, "a changed name", "the name of a file"), "all that follows"
            )
            return
        following: list[Record | None] = []
        yield record.data.decode("ascii", "replace"), record.raw, _blocks(records, following)
        count += 1
        record = following[0]
    if record is None:
        problems.report(TraceFormatError(path, "the file's end", "the trace's end: it was cut"), "the rest")
    elif record.tag != b"END." or record.raw != count:
        found = f"{record.tag!r} after {count} files"
        problems.report(TraceFormatError(path, found, "the trace's end"), "the rest")


def _blocks(records: Iterator[Record], following: list[Record | None]) -> Iterator[Record]:
    for record in records:
        if record.tag != b"BLOC":
            following.append(record)
            return
        yield record
    following.append(None)


def _records(path: Path, packed: BinaryIO, problems: Problems) -> Iterator[Record]:
    """Yield the records up to the first that has no header which can be believed."""
    while True:
        at = packed.tell()
        header = packed.read(_HEADER.size + _CHECK.size)
        if len(header) < _HEADER.size + _CHECK.size:
            return
        tag, how, raw, stored, check = _HEADER.unpack_from(header)
        whole = _CHECK.unpack_from(header, _HEADER.size)[0] == zlib.crc32(header[: _HEADER.size])
        if not whole or stored > _LONGEST:
            wrong = TraceFormatError(path, "other bytes than were written", "a record", f"byte {at}")
            problems.report(wrong, "all that follows")
            return
        data = packed.read(stored)
        if len(data) < stored:
            return
        yield Record(tag, how, raw, data, zlib.crc32(data) == check)


def _decoded(
    path: Path, name: str, blocks: Iterator[Record], decompress: Decompress, problems: Problems
) -> Iterator[bytes]:
    """Yield the bytes of a file's blocks, up to the first that is wrong."""
    good = True
    for data in in_order(lambda block: _decode(block, decompress), blocks):
        if isinstance(data, ValueError) and good:
            good = False
            wrong = TraceFormatError(path, str(data), "the block that was written", name)
            problems.report(wrong, f"{name} from there on")
        elif good and not isinstance(data, ValueError):
            yield data


def _decode(block: Record, decompress: Decompress) -> bytes | ValueError:
    try:
        if not block.intact:
            raise ValueError("other bytes than were written")
        if block.raw > _LONGEST:
            raise ValueError(f"{block.raw} bytes in a block")
        data = decompress(block.data, block.raw)
        if len(data) != block.raw:
            raise ValueError(f"{len(data)} bytes in place of {block.raw}")
        return data if block.how == How.BYTES else np.asarray(from_columns(data)).tobytes()
    except ValueError as error:
        return error


def in_order(work: Callable[[Any], Any], items: Iterator[Any]) -> Iterator[Any]:
    """Yield work(item) of each item, in order, a few of them worked on at once."""
    waiting: deque[Future[Any]] = deque()
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor())
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _target(path: Path, directory: Path, name: str) -> Path:
    """Return where a file goes: nowhere but where a trace has one."""
    parent, _, file = name.rpartition("/")
    if not READ.fullmatch(file) or (parent and not _DIRECTORY.fullmatch(parent)):
        raise TraceFormatError(path, f"a file {name}", "the files of a trace")
    target = directory / parent / file
    target.parent.mkdir(exist_ok=True)
    if target.exists():
        raise TraceFormatError(path, f"{name} twice", "each file once")
    return target
