"""A recording that goes on, read where it lies while its process ends it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.reader.disk.files import open_file, used_size
from analysis.reader.format import PACKET_SIZE
from tests.synthetic import TraceWriter

READ = {
    "scan": "from analysis.reader.streams import mapped as m; data = m._mapped(path)",
    "packets": "from analysis.reader.disk import packets as m;"
    " data = m._whole_packets(path, __import__('analysis.reader.problems').reader.problems.Problems())",
}


def stream(tmp_path: Path) -> Path:
    with TraceWriter(tmp_path / "t") as writer:
        writer.process(100).events([(100, 0, "gil_acquired"), (100, 5, "gil_released")])
    (path,) = tmp_path.glob("t/100/gil_*")
    return path


@pytest.mark.parametrize("how", READ)
def test_packets_that_are_cut_off_meanwhile_are_not_looked_at(tmp_path: Path, how: str) -> None:
    """A look beyond a file's end would be the end of whoever looks (SIGBUS): in a process of its own."""
    path = stream(tmp_path)
    assert path.stat().st_size == 2 * PACKET_SIZE  # the second one was prepared, and never used
    cut = f"os.truncate(path, {PACKET_SIZE}); print(data.any())"
    code = f"import os, pathlib, sys; path = pathlib.Path(sys.argv[1]); {READ[how]}; {cut}"
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


def test_what_is_used_stays(tmp_path: Path) -> None:
    path = stream(tmp_path)
    for size, used in ((2 * PACKET_SIZE, PACKET_SIZE), (PACKET_SIZE, PACKET_SIZE), (100, 100), (0, 0)):
        os.truncate(path, size)
        with open_file(path) as file:
            assert used_size(file.fileno()) == used
