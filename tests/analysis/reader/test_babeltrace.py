"""Other readers of the Common Trace Format see the same events, and have nothing to complain about."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import analysis
from analysis.reader.format import Event
from tests.analysis.scenes import two_threads
from tests.synthetic import TraceWriter

BABELTRACE = shutil.which("babeltrace2")
pytestmark = pytest.mark.skipif(
    BABELTRACE is None, reason="babeltrace2 is not installed (Debian: babeltrace2)"
)


def lines(path: Path) -> list[str]:
    assert BABELTRACE is not None
    done = subprocess.run([BABELTRACE, str(path)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_same_events(tmp_path: Path) -> None:
    path = two_threads(tmp_path / "t")
    events = analysis.load(path).events
    seen = lines(path)
    assert len(seen) == len(events) + 2  # and two names
    assert sum("thread_name: { tid = 0, pid = 100" in line for line in seen) == 2
    assert sum(" gil_acquired: " in line for line in seen) == 3


@pytest.mark.parametrize("prepared", [True, False])
def test_packets_names_processes(tmp_path: Path, prepared: bool) -> None:
    """Several packets, killed and stopped, long names in several packets of their own."""
    with TraceWriter(tmp_path / "t") as writer:
        killed, stopped = writer.process(100), writer.process(101)
        kinds = np.tile([Event.GIL_ACQUIRED, Event.GIL_RELEASED], 2500)
        for process in (killed, stopped):
            process.prepared = prepared
            process.columns(process.pid, 10 * np.arange(5000), kinds)
            for number in range(100):
                process.name(process.pid, 10 * number, f'"{number}" ' + "ü" * (3 * number))
        stopped.stop(101, 60_000)
    assert len(lines(tmp_path / "t")) == len(analysis.load(tmp_path / "t").events) + 200
