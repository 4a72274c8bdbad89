"""The way into one file: see `packed` for what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...errors import TraceFormatError
from ..format import PACKET_SIZE
from .blocks import to_columns
from .files import PACKED_MAGIC, READ, check_directory, check_file, open_file
from .packed import BLOCK, How, in_order, write_record
from .zstd import Compress, functions


def pack(trace: Path, file: BinaryIO) -> None:
    """Write a trace, a directory, as one file; nothing in it is judged, it is written as it is.

    Raises
    ------
    TraceFormatError
        It is no trace, or a part of it is no file.
    GilscopeError
        There is no Zstandard in this Python.
    """
    compress = functions()[0]
    found = list(_files(trace))
    if not found:
        raise TraceFormatError(trace, "no process", "a trace directory")
    file.write(PACKED_MAGIC)
    for name, path in found:
        size = check_file(path)
        write_record(file, b"FILE", size, name.encode())
        block = partial(_block, path.name.startswith(("gil_", "sched_")), compress)
        with open_file(path) as source:
            for how, raw, data in in_order(block, _parts(source, size)):
                write_record(file, b"BLOC", raw, data, how)
    write_record(file, b"END.", len(found))


def _files(trace: Path) -> Iterator[tuple[str, Path]]:
    """Yield the trace's files, and their names in it: of one process, or of all."""
    try:
        entries = sorted(trace.iterdir())
    except OSError as error:
        reason = "a file" if isinstance(error, NotADirectoryError) else (error.strerror or str(error)).lower()
        raise TraceFormatError(trace, reason, "a trace directory") from None
    for entry in entries:
        if READ.fullmatch(entry.name):
            yield entry.name, entry
        elif (entry.name == "sched" or entry.name.partition("_")[0].isdecimal()) and not entry.is_symlink():
            check_directory(entry)
            for path in sorted(entry.iterdir()):
                if READ.fullmatch(path.name):
                    yield f"{entry.name}/{path.name}", path


def _parts(source: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield the file's first `size` bytes; a recording may go on meanwhile."""
    while size > 0 and (part := source.read(min(BLOCK, size))):
        size -= len(part)
        yield part


def _block(of_events: bool, compress: Compress, part: bytes) -> tuple[How, int, bytes]:
    data: Any = part
    how = How.BYTES
    if of_events and len(part) % PACKET_SIZE == 0:
        packets = np.frombuffer(part, np.uint8).reshape(-1, PACKET_SIZE)
        columns = to_columns(packets)
        if columns is not None:
            how, data = How.COLUMNS, columns
    return how, len(data), compress(data)
