"""Pages had ahead of the program: of streams that move, within their files, and nothing is written."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest

from tracer.beside import ahead
from tracer.directory import LOCK, LOCK_MAGIC, PACKET_SIZE


def tell(process: Path, *packets: int) -> None:
    words = array("I", [LOCK_MAGIC, len(packets), 1, 0, *packets])
    (process / LOCK).write_bytes(words.tobytes().ljust(8192, b"\0"))


def test_streams_that_move_get_their_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[tuple[int, int, int]] = []
    monkeypatch.setattr(ahead.Progress, "_populate", lambda self, *what: wanted.append(what))
    progress = ahead.Progress(tmp_path)
    assert not progress.keep_ahead()  # it has not begun
    tell(tmp_path, 2, 1)
    assert progress.keep_ahead()
    assert wanted == []  # how fast they are is not known yet
    assert not progress.keep_ahead()
    tell(tmp_path, 2, 4, 1)
    assert progress.keep_ahead()
    assert wanted == [(1, 4, 6)]


def test_pages_are_had_and_stay_as_they_are(tmp_path: Path) -> None:
    stream = tmp_path / "gil_0"
    with stream.open("wb") as file:
        file.truncate(4 * PACKET_SIZE)
        file.seek(3 * PACKET_SIZE)
        file.write(b"used")
    content = stream.read_bytes()
    blocks = stream.stat().st_blocks
    try:
        ahead.Progress(tmp_path)._populate(0, 2, 32)
    except OSError:
        pytest.skip("this kernel is older than 5.14")
    assert stream.stat().st_size == 4 * PACKET_SIZE
    assert stream.read_bytes() == content
    assert stream.stat().st_blocks > blocks
