"""The trace's directory on disk: what is trimmed after a death, and what counts as ours."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from analysis.reader import format as trace_format
from tests.launcher.support import Launcher
from tracer import directory

PACKET = trace_format.PACKET_SIZE
NOBODY = 2**22 + 1  # more than the largest pid that Linux gives


def packet(events: int, *, discarded: int = 0, magic: int = trace_format.CTF_MAGIC) -> bytes:
    header = struct.pack("<II5Q", magic, 0, 1, 2, (128 + 16 * events) * 8, PACKET * 8, discarded)
    return header.ljust(PACKET, b"\0")


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        ([packet(5)], 1),
        ([packet(5), packet(0)], 1),
        ([packet(5), packet(0), packet(0, magic=0)], 1),
        ([packet(5), packet(0), packet(3), packet(0)], 3),
        ([packet(5), packet(0, discarded=9)], 2),
        ([packet(5), b"\0" * 4096], 1),
        ([packet(0)], 0),
        ([], 0),
    ],
)
def test_trim_cuts_what_holds_nothing(tmp_path: Path, content: list[bytes], kept: int) -> None:
    process = tmp_path / str(NOBODY)
    process.mkdir()
    (process / "metadata").write_bytes(b"x" * 100)
    (process / "gil_0").write_bytes(b"".join(content))
    os.close(locked(process))
    directory.trim(tmp_path)
    assert (process / "gil_0").read_bytes() == b"".join(content)[: kept * PACKET]
    assert (process / "metadata").stat().st_size == 100


def locked(process: Path, *, kept: int = 1) -> int:
    """Lock a process's directory as its recorder does; the lock lasts as long as the descriptor."""
    fd = os.open(process / directory.LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    os.write(fd, struct.pack("<4I", directory.LOCK_MAGIC, 0, kept, 0))
    assert directory._take_lock(fd)
    return fd


def test_trim_leaves_alone_what_somebody_may_write_to(tmp_path: Path) -> None:
    """Whatever /proc says: this pid does not even exist."""
    process = tmp_path / str(NOBODY)
    process.mkdir()
    (process / "gil_0").write_bytes(packet(1) + packet(0))
    fd = locked(process)
    directory.trim(tmp_path)
    assert (process / "gil_0").stat().st_size == 2 * PACKET
    assert directory.running(tmp_path) == [NOBODY]
    os.close(fd)
    assert directory.running(tmp_path) == []
    directory.trim(tmp_path)
    assert (process / "gil_0").stat().st_size == PACKET
    assert not (process / directory.LOCK).exists()


def test_no_lock_no_trim(tmp_path: Path) -> None:
    for pid, kept in ((NOBODY, None), (NOBODY + 1, 0)):  # there is none, or the file system did not keep it
        process = tmp_path / str(pid)
        process.mkdir()
        (process / "gil_0").write_bytes(packet(1) + packet(0))
        if kept is not None:
            os.close(locked(process, kept=kept))
        directory.trim(tmp_path)
        assert (process / "gil_0").stat().st_size == 2 * PACKET


def test_trace_s_format_is_the_analysis_s() -> None:
    # tracer.directory has its own copy of two figures, to stay free of numpy.
    assert directory.PACKET_SIZE == trace_format.PACKET_SIZE
    assert directory._EMPTY_CONTENT == trace_format.HEADER_SIZE * 8


def test_recorded_traces_are_trimmed(launcher: Launcher) -> None:
    launcher.record("import os; os._exit(0)")
    for file in (launcher.directory / "program.trace").rglob("gil_*"):
        last = file.read_bytes()[-PACKET:]
        assert struct.unpack_from("<Q", last, 24)[0] > trace_format.HEADER_SIZE * 8
