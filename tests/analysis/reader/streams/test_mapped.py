"""Streams where they lie."""

import re
from pathlib import Path

import numpy as np

from analysis.reader.streams.mapped import _give_back, _mapped


def resident(path: Path) -> int:
    """Return how many kB of a file are in the memory of this process."""
    maps = Path("/proc/self/smaps").read_text()
    found = re.search(rf"{re.escape(str(path))}\n(?:.*\n)*?Rss: +(\d+) kB", maps)
    assert found is not None
    return int(found[1])


def test_memory_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "stream"
    path.write_bytes(bytes(1 << 20))
    data = _mapped(path)
    assert not np.any(data)
    assert resident(path) == 1024
    _give_back(data)
    assert resident(path) == 0
