"""The summary of a process as a row of a Parquet file.

Its schema, version 1. A row is what one process did in one window of its recording; times are UTC, ns since
1970, durations ns.

    host, service     string       `service`: what it was tagged with, else the name of its program
    pid               int32
    started_ns        int64        when its recording began: with host and pid, which process it is
    begin_ns, end_ns  int64        the window
    summarised_ns     int64        when this row was made, by the clock of who made it
    argv              list<string>
    python, gilscope  string       versions
    tags              map<string, string>
    ended             string       see analysis.model.Process; "running": it went on after this window
    threads           int32        that lived in the window
    discarded         int64        events lost
    acquires, contended_acquires, timeouts, requested_releases   int64
    held_ns           int64        that its GILs were held
    contended_ns      int64        that at least one thread waited
    released_ns       int64        of threads, without the GIL and not waiting for it
    wait, hold, lock_wait   struct of count, total_ns, min_ns, max_ns int64, and bins, counts list<int64>:
                      histograms, see analysis.measures.histogram
    nobody_ns         int64        of all waits, the part in which nobody held the lock
    lines             list<struct>: code that held the GIL while others waited, the worst first: function,
                      file string (null: not recorded), line int32 (0: not recorded), waited_ns, contended_ns,
                      at_ends_ns, samples, holds, requested, longest_ns, longest_at_ns, slowest_ns int64.
                      Of more than 500 the last is "(other lines)": they sum to wait.total_ns - nobody_ns
    waiting           list<struct>: code that waited: function, file, line, waited_ns, waits, longest_ns,
                      longest_at_ns
    locks             list<struct>: other locks: name, kind string, waits, waited_ns, longest_ns int64,
                      where string
    patterns          list<struct>: name string, score double, begin_ns, end_ns int64, sentence string

The file's metadata has `gilscope.fleet`, the schema's version. A reader takes every version up to its own;
what a version lacks is null.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import GilscopeError

if TYPE_CHECKING:
    import pyarrow

VERSION: Final = 1
KEY: Final = b"gilscope.fleet"

IDENTITY: Final = ("host", "pid", "started_ns", "begin_ns", "end_ns")
"""A process, and the window of it."""


class SchemaError(GilscopeError):
    """A file that is no file of summaries, or a newer one's."""


def arrow() -> Any:
    """Return the module pyarrow.

    Raises
    ------
    GilscopeError
        It is not installed.
    """
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError:
        raise GilscopeError("summaries of fleets need pyarrow: pip install 'gilscope[fleet]'") from None
    return pyarrow


def schema() -> pyarrow.Schema:
    """Return the schema of this module's docstring."""
    pa = arrow()
    text, number, small = pa.string(), pa.int64(), pa.int32()

    def struct(*fields: tuple[str, Any]) -> Any:
        return pa.struct(list(fields))

    amounts = [(name, number) for name in ("count", "total_ns", "min_ns", "max_ns")]
    histogram = struct(*amounts, ("bins", pa.list_(number)), ("counts", pa.list_(number)))
    place = (("function", text), ("file", text), ("line", small))
    charged = ("waited_ns", "contended_ns", "at_ends_ns", "samples", "holds", "requested", "longest_ns",
               "longest_at_ns", "slowest_ns")  # fmt: skip
    waited = ("waited_ns", "waits", "longest_ns", "longest_at_ns")
    locked = ("waits", "waited_ns", "longest_ns")
    fields = [
        *((name, text) for name in ("host", "service")),
        ("pid", small),
        *((name, number) for name in ("started_ns", "begin_ns", "end_ns", "summarised_ns")),
        ("argv", pa.list_(text)),
        *((name, text) for name in ("python", "gilscope")),
        ("tags", pa.map_(text, text)),
        ("ended", text),
        ("threads", small),
        *((name, number) for name in ("discarded", "acquires", "contended_acquires", "timeouts")),
        *((name, number) for name in ("requested_releases", "held_ns", "contended_ns", "released_ns")),
        *((name, histogram) for name in ("wait", "hold", "lock_wait")),
        ("nobody_ns", number),
        ("lines", pa.list_(struct(*place, *((name, number) for name in charged)))),
        ("waiting", pa.list_(struct(*place, *((name, number) for name in waited)))),
        ("locks", pa.list_(struct(("name", text), ("kind", text), *((name, number) for name in locked),
                                  ("where", text)))),
        ("patterns", pa.list_(struct(("name", text), ("score", pa.float64()), ("begin_ns", number),
                                     ("end_ns", number), ("sentence", text)))),
    ]  # fmt: skip
    return pa.schema(fields, metadata={KEY: str(VERSION).encode()})


def table(rows: Sequence[dict[str, Any]]) -> pyarrow.Table:
    """Return rows as a table."""
    found: pyarrow.Table = arrow().Table.from_pylist(list(rows), schema=schema())
    return found


def packed(rows: pyarrow.Table) -> bytes:
    """Return a table as bytes, half as many as it takes in memory or fewer."""
    pa = arrow()
    options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)  # they cost more than they save
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=options) as stream:
        stream.write_table(rows)
    return bytes(sink.getvalue())


def unpacked(content: bytes) -> pyarrow.Table:
    """Return the table that `packed` made bytes of."""
    pa = arrow()
    with pa.ipc.open_stream(content, options=pa.ipc.IpcReadOptions(use_threads=False)) as stream:
        found: pyarrow.Table = stream.read_all()
        return found


def write(rows: pyarrow.Table, path: str) -> None:
    """Write a file of summaries; nobody ever sees half of one. `path` may be one of fsspec's: s3://…

    Raises
    ------
    GilscopeError
        It can't be written.
    """
    save(rows, path)


def save(rows: pyarrow.Table, path: str) -> None:
    """Write any table as a Parquet file, likewise."""
    pa = arrow()
    options = {"compression": "zstd", "compression_level": 9}
    try:
        if "://" in path:
            files = filesystem(path)
            with of_stores(), files.open(path, "wb") as file:  # an object is there when it is closed
                pa.parquet.write_table(rows, file, **options)
            return
        part = Path(path).with_name(f".{Path(path).name}.{os.getpid()}")
        try:
            pa.parquet.write_table(rows, part, **options)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise GilscopeError(f"{path} can't be written: {error.strerror or error}") from None


def make_directory(path: str) -> None:
    """Make a directory for files of summaries, unless it is there; in a store of objects there are none.

    Raises
    ------
    GilscopeError
        It can't be made.
    """
    if "://" in path:
        files = filesystem(path)
        from fsspec.implementations.local import LocalFileSystem

        if not isinstance(files, LocalFileSystem):
            return
        path = files._strip_protocol(path)
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GilscopeError(f"{path}: {error.strerror}") from None


def read(path: str, columns: Sequence[str] | None = None) -> pyarrow.Table:
    """Read a file of summaries, all of its columns or some.

    Raises
    ------
    SchemaError
        It is none, or of a newer version.
    """
    pa = arrow()
    try:
        if "://" in path:
            files = filesystem(path)
            with of_stores(), files.open(path, "rb") as file:
                found = pa.parquet.ParquetFile(file).read(columns)
        else:
            found = pa.parquet.ParquetFile(path).read(columns)
    except FileNotFoundError:
        raise SchemaError(f"{path}: there is no such file any more") from None
    except (OSError, pa.ArrowException) as error:
        reason = str(error).partition("\n")[0]
        raise SchemaError(f"{path}: no Parquet file that can be read: {reason}") from None
    version = _version(path, found.schema.metadata or {})
    if version > VERSION:
        raise SchemaError(
            f"{path}: summaries of version {version}, from a newer gilscope; this one reads up to {VERSION}"
        )
    return _completed(path, found, columns)


def _version(path: str, metadata: dict[bytes, bytes]) -> int:
    text = metadata.get(KEY, b"")
    if not text.isdigit():
        raise SchemaError(f"{path}: a Parquet file, but not of summaries (python -m analysis summarise)")
    return int(text)


def _completed(path: str, found: pyarrow.Table, columns: Sequence[str] | None) -> pyarrow.Table:
    """Return a table with this version's columns: null where the file has none."""
    pa = arrow()
    wanted = schema()
    if columns is not None:
        wanted = pa.schema([wanted.field(name) for name in columns])
    values = [
        found[field.name] if field.name in found.column_names else pa.nulls(len(found), field.type)
        for field in wanted
    ]
    try:
        complete: pyarrow.Table = pa.table(values, names=wanted.names).cast(wanted)
    except (pa.ArrowException, ValueError) as error:
        raise SchemaError(f"{path}: columns that are not those of summaries: {error}") from None
    return complete


def exists(path: str) -> bool:
    """Whether there is such a file already."""
    if "://" not in path:
        return Path(path).exists()
    files = filesystem(path)
    try:
        with of_stores():
            return bool(files.exists(path))
    except OSError as error:
        raise GilscopeError(f"{path}: {error}") from None


@contextmanager
def of_stores() -> Iterator[None]:
    """While it lasts errors of stores (of networks, of rights, in classes of their own) are OSErrors too."""
    try:
        yield
    except (OSError, arrow().ArrowException, GilscopeError):
        raise
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise OSError(f"{type(error).__name__}: {reason}" if reason else type(error).__name__) from error


def filesystem(path: str) -> Any:
    """Return fsspec's file system of a path such as s3://bucket/x.

    Raises
    ------
    GilscopeError
        fsspec, or its part for this kind of path, is not installed.
    """
    try:
        from fsspec.core import url_to_fs

        return url_to_fs(path)[0]
    except (ImportError, ValueError) as error:
        raise GilscopeError(f"{path}: {error}") from None
