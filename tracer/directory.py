"""The directory of a trace: making it, replacing one of ours, trimming it after a death."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

from tracer.errors import RecordingError

_PROCESS = re.compile(r"[1-9][0-9]*(_[1-9][0-9]*)?")
_FILE = re.compile(r"metadata|names|names_kept|\.names_kept|samples|symbols|\.lock|(gil|sched|native)_[0-9]+")
_MARK = b"gilscope_format"

SCHED = "sched"
"""The directory, beside those of the processes, of what the scheduler did with all of them."""

# Of tracer/native/format.h. Not from analysis.format: that needs numpy, and the API runs in the traced
# program.
PACKET_SIZE = 32768
_HEADER = struct.Struct("<II5QII")
# Of tracer/native/stream/lock.h.
LOCK = ".lock"
# Of tracer/native/stream/keeper.h.
KEEPER = ".keeper"
_LOCK_HEAD = struct.Struct("<4I")
LOCK_MAGIC = 0x50534731
_FLOCK = struct.Struct("hhqqi4x")  # struct flock
_EMPTY_CONTENT = 128 * 8


def is_trace(path: Path) -> bool:
    """Whether `path` is a directory that holds a trace of ours and nothing else (so it may be replaced)."""
    if path.is_symlink() or not path.is_dir():
        return False
    processes = [entry for entry in path.iterdir() if entry.name != KEEPER]
    return bool(processes) and all(map(_is_process, processes))


def _is_process(path: Path) -> bool:
    if path.is_symlink() or not path.is_dir():
        return False
    if path.name != SCHED and not _PROCESS.fullmatch(path.name):
        return False
    files = list(path.iterdir())
    if not files:
        return True  # killed before it could write anything
    metadata = path / "metadata"
    plain = all(_FILE.fullmatch(file.name) and file.is_file() and not file.is_symlink() for file in files)
    return plain and metadata in files and _MARK in metadata.read_bytes()


def check_new(path: Path, *, force: bool) -> None:
    """Raise RecordingError if a trace can't be made at `path`; nothing is changed.

    An empty directory is as good as none. With `force` a trace of ours may be there.
    """
    if path.is_symlink() or path.exists():
        if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
            _check_writable(path)
            return
        if not is_trace(path):
            raise RecordingError(f"{path} exists and is not a trace: choose another place (-o DIR)")
        if not force:
            raise RecordingError(f"{path} exists: --force replaces it, -o DIR writes elsewhere")
    if not path.parent.is_dir():
        raise RecordingError(f"{path} can't be made: there is no directory {path.parent}")
    _check_writable(path.parent)


def _check_writable(directory: Path) -> None:
    if not os.access(directory, os.W_OK | os.X_OK):
        raise RecordingError(f"{directory} can't be written to: choose another place (-o DIR)")


def make(path: Path, *, force: bool) -> None:
    """Make the directory of a trace, in place of one of ours with `force`.

    Raises
    ------
    RecordingError
        If something is there that may not be replaced, or the directory can't be made.
    """
    check_new(path, force=force)
    try:
        if is_trace(path):
            shutil.rmtree(path)
        path.mkdir(mode=0o700, exist_ok=True)  # argv may hold secrets
    except OSError as error:
        raise RecordingError(f"{path} can't be made: {error.strerror}") from error


def process_directories(path: Path) -> list[Path]:
    """The directories of the processes in a trace; none if the trace has vanished."""
    try:
        return sorted(entry for entry in path.iterdir() if _PROCESS.fullmatch(entry.name))
    except OSError:
        return []


def is_empty(path: Path) -> bool:
    """Whether nothing at all was recorded into the trace's directory at `path`."""
    return not process_directories(path) and not (path / SCHED).is_dir()


def running(path: Path) -> list[int]:
    """Process ids in the trace that are still recorded."""
    return sorted({_pid(entry) for entry in process_directories(path) if is_recorded(entry)})


def _pid(process: Path) -> int:
    return int(process.name.partition("_")[0])


def is_recorded(process: Path) -> bool:
    """Whether the process whose directory this is may still write to it."""
    try:
        fd = os.open(process / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False  # it has ended as it should, or never began
    try:
        return not _take_lock(fd) if _says_locked(fd) else runs(_pid(process))
    finally:
        os.close(fd)


def _says_locked(fd: int) -> bool:
    """Whether the recorder could keep its lock: not every file system lets it."""
    head = os.pread(fd, _LOCK_HEAD.size, 0)
    if len(head) < _LOCK_HEAD.size:
        return False
    magic, _, locked, _ = _LOCK_HEAD.unpack(head)
    return magic == LOCK_MAGIC and bool(locked)


def _take_lock(fd: int) -> bool:
    """Take the lock that a process has as long as it may write to its streams; until `fd` is closed."""
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except OSError:
        return False
    return True


def runs(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def trim(path: Path) -> None:
    """Give back the space that dead processes had prepared for events they never wrote.

    A process whose files are mapped dies of a signal if they are cut. So only who has the lock of a process
    may do it, which the kernel lets go when nothing of the process is left, whatever it died of.

    A failure (a read-only or vanished directory) leaves a trace that is larger, not wrong.
    """
    for process in process_directories(path):
        try:
            fd = os.open(process / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue  # it ended as it should, and has trimmed its files itself
        try:
            if _says_locked(fd) and _take_lock(fd):
                _trim_process(process)
        finally:
            os.close(fd)


def _trim_process(process: Path) -> None:
    for file in _streams(process):
        try:
            _trim_file(file)
        except OSError:
            pass
    try:
        (process / LOCK).unlink()
    except OSError:
        pass


def _streams(process: Path) -> Iterator[Path]:
    try:
        yield from (file for file in sorted(process.iterdir()) if file.name not in ("metadata", LOCK))
    except OSError:
        return


def _trim_file(path: Path) -> None:
    """Cut the packets at the end that hold nothing: no event, no count of lost ones."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        kept = size - size % PACKET_SIZE
        while kept:
            file.seek(kept - PACKET_SIZE)
            header = _HEADER.unpack(file.read(_HEADER.size))
            if not _is_unused(header):
                break
            kept -= PACKET_SIZE
        if kept < size:
            file.truncate(kept)


def _is_unused(header: tuple[int, ...]) -> bool:
    magic, _, _, _, content_size, _, discarded, _, _ = header
    return discarded == 0 and (magic == 0 or content_size <= _EMPTY_CONTENT)
