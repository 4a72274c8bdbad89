"""What if, on recordings of real programs: the replay is near what happened, and what it predicts happens."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import analysis
from analysis.whatif.predict import of_trace

ROOT = Path(__file__).parents[3]

REQUESTS = """
import threading, time
done = []
def compute():
    while not done: pass
def requests():
    for _ in range(30): time.sleep(0.001)
    done.append(1)
threads = [threading.Thread(target=work, name=work.__name__) for work in (compute, requests)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def recorded(path: Path, source: str, *options: str) -> analysis.Trace:
    command = [sys.executable, "-m", "tracer", "-q", "--no-png", "-o", str(path), *options, "-c", source]
    subprocess.run(command, check=True, cwd=ROOT)
    return analysis.load(path)


def test_convoy(tmp_path: Path) -> None:
    """A thread that does I/O beside one that computes: each request costs an interval, whichever that is."""
    coarse = recorded(tmp_path / "a", REQUESTS, "--switch-interval", "0.02")
    fine = of_trace(recorded(tmp_path / "b", REQUESTS, "--switch-interval", "0.001"))
    result = analysis.what_if(coarse, analysis.Scenario(interval=1_000_000), analysis.Scenario(gil=False))
    (_, predicted), (_, free) = result.predictions
    assert abs(result.error) < 0.25
    # Half of the waits are the computing thread's, and short.
    assert result.recorded.wait.p90 >= 20_000_000
    assert predicted.wait.total < result.recorded.wait.total / 3
    assert fine.wait.total < result.recorded.wait.total / 3
    assert free.wait.count == 0
