"""What a fleet's answer is made of: traces where they lie, and files of summaries, below the paths given."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import GilscopeError
from ..fold.feed import can_be_folded
from ..reader.disk.files import is_packed
from ..tables.load import load
from . import schema
from .summarise import summaries

if TYPE_CHECKING:
    import pyarrow

PARQUET: Final = ".parquet"
PACKED: Final = ".gilpack"


_AT_A_TIME: Final = threading.Lock()
"""One trace at a time is made tables of, also by a worker that has several threads."""


@dataclass(frozen=True)
class Source:
    """One file of summaries, or one trace (which is summarised when it is read)."""

    path: str
    is_trace: bool


@dataclass(frozen=True)
class How:
    """How traces among the sources are summarised."""

    tags: Mapping[str, str]
    every: int = 0
    """ns of a window; 0: one."""


def find(path: str) -> list[Source]:
    """Return the sources at a path: a trace, a packed trace, a file of summaries, or a directory of these.

    Raises
    ------
    GilscopeError
        There is nothing at this path, or none of these below it.
    """
    found = _find_remote(path) if "://" in path else list(_find(Path(path)))
    if not found:
        raise GilscopeError(f"{path}: there is no trace and no file of summaries (*{PARQUET}) in it")
    return found


def _find(path: Path) -> Iterator[Source]:
    if not path.exists():
        raise GilscopeError(f"{path}: there is no such file or directory")
    if path.is_file():
        if path.suffix != PARQUET and not is_packed(path):
            raise GilscopeError(f"{path} is neither a trace nor a file of summaries (*{PARQUET})")
        yield Source(str(path), path.suffix != PARQUET)
        return
    if _is_trace(path):
        yield Source(str(path), True)
        return
    for at, directories, files in os.walk(path):
        here = Path(at)
        traces = [name for name in directories if _is_trace(here / name)]
        directories[:] = sorted(set(directories) - set(traces))
        yield from (Source(str(here / name), True) for name in sorted(traces))
        for name in sorted(files):
            if name.endswith(PARQUET) and not name.startswith("."):
                yield Source(str(here / name), False)
            elif name.endswith(PACKED):
                yield Source(str(here / name), True)


def _is_trace(path: Path) -> bool:
    """Whether a directory is a trace, or one process of one."""
    try:
        if (path / "metadata").is_file():
            return path.name != "sched"
        with os.scandir(path) as entries:
            return any(
                entry.name[:1].isdigit() and entry.is_dir() and (path / entry.name / "metadata").is_file()
                for entry in entries
            )
    except OSError:
        return False


def _find_remote(path: str) -> list[Source]:
    try:
        files = schema.filesystem(path)
        if path.endswith(PARQUET):
            return [Source(path, False)]
        with schema.of_stores():
            below = [files.unstrip_protocol(name) for name in files.find(path)]
    except (OSError, ValueError) as error:
        raise GilscopeError(f"{path}: {error}") from None
    traces = {name.rpartition("/")[0] for name in below if name.endswith("/metadata")}
    roots = {trace.rpartition("/")[0] for trace in traces}
    return [
        *(Source(name, False) for name in below if name.endswith(PARQUET)),
        *(Source(root, True) for root in sorted(roots)),
        *(Source(name, True) for name in below if name.endswith(PACKED)),
    ]


def rows(source: Source, how: How) -> pyarrow.Table:
    """Return a source's rows.

    Raises
    ------
    GilscopeError
        It can't be read: names it, and says why.
    """
    if not source.is_trace:
        return schema.read(source.path)
    try:
        return _summarised(source.path, how)
    except OSError as error:
        raise GilscopeError(f"{source.path}: {error.strerror or error}") from None


def _summarised(path: str, how: How) -> pyarrow.Table:
    if "://" not in path:
        return _table(path, how)
    with tempfile.TemporaryDirectory(prefix="gilscope-") as directory:
        here = f"{directory}/trace"
        files = schema.filesystem(path)
        with schema.of_stores():
            files.get(path, here, recursive=not path.endswith(PACKED))
        try:
            return _table(here, how)
        except GilscopeError as error:
            raise GilscopeError(str(error).replace(here, path)) from None


def _table(path: str, how: How) -> pyarrow.Table:
    trace = load(path)
    # In one pass it takes hardly any memory; as tables, or parts of them, more than the events do.
    with nullcontext() if not how.every and can_be_folded(trace) else _AT_A_TIME:
        return schema.table(list(summaries(trace, how.tags, every=how.every)))


def once(identities: Sequence[tuple[str, int, int, int, int]]) -> tuple[list[int], list[int]]:
    """Tell which rows to leave out, for no moment of a process to count twice.

    Parameters
    ----------
    identities : sequence of (host, pid, started_ns, begin_ns, end_ns)

    Returns
    -------
    same, crossing : list of int
        Rows that lie within others of their process, and rows that partly do.
    """
    order = sorted(range(len(identities)), key=lambda at: (identities[at][:4], -identities[at][4]))
    same: list[int] = []
    crossing: list[int] = []
    process: tuple[str, int, int] | None = None
    until = 0
    for at in order:
        host, pid, started, begin, end = identities[at]
        if (host, pid, started) != process:
            process, until = (host, pid, started), end
        elif begin >= until:
            until = end
        else:
            (same if end <= until else crossing).append(at)
    return sorted(same), sorted(crossing)


def several_hosts(identities: Sequence[tuple[str, int, int, int, int]]) -> list[str]:
    """Say which process is there under several hosts' names: it counts once for each.

    (Two hosts' processes of one id don't begin in the same nanosecond: one was tagged with another host.)
    """
    hosts: dict[tuple[int, int], set[str]] = {}
    for host, pid, started, *_ in identities:
        hosts.setdefault((pid, started), set()).add(host)
    several = [(pid, names) for (pid, _), names in hosts.items() if len(names) > 1]
    if not several:
        return []
    pid, names = several[0]
    more = f" (and {len(several) - 1:,} more processes)" if len(several) > 1 else ""
    return [
        f"process {pid}{more} is there under several hosts' names, {', '.join(sorted(names))}, and counts for"
        " each: the host that a summary was tagged with is not the trace's"
    ]
