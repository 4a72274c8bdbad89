"""What recording costs a program: its own time for its work, recorded against plain, in interleaved pairs.

    python -m benchmarks.overhead [--short] [--pairs N] [--only NAME] [--no-sched]

Each run is a process of its own and prints the seconds that its work took, so neither the start nor the
analysis counts. The ratio is taken pair by pair, plain first in one pair and last in the next; a machine that
changes its speed changes it for both. Prints rows for benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tracer.launcher import CORE

ROOT = Path(__file__).resolve().parents[1]

TIMED = """
import sys, threading, time
def timed(work):
    begin = time.perf_counter()
    work()
    print(time.perf_counter() - begin)
def in_two_threads(work):
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
def count_down(n):
    while n > 0:
        n -= 1
"""
COUNTDOWN = TIMED + "timed(lambda: in_two_threads(lambda: count_down(5_000_000)))"
STAT = (
    TIMED
    + """
import os
def work():
    stat = os.stat
    for _ in range(300_000):
        stat("/")
timed(work)
"""
)
# In a process of two threads, whoever's, the C library locks by atomic instructions.
STAT_OF_TWO = STAT.replace(
    "\ntimed(work)", "\nthreading.Thread(target=time.sleep, args=[60], daemon=True).start()\ntimed(work)"
)
FAST_SWITCHES = (
    TIMED
    + """
sys.setswitchinterval(10e-6)
timed(lambda: in_two_threads(lambda: count_down(3_000_000)))
"""
)
RECORDED, ARMED = "recorded", "armed"
# The core alone, as the bootstrap loads it: hooks in, nothing recorded.
INSTALLED = f"""
import ctypes
core = ctypes.PyDLL({str(CORE)!r})
assert core.gs_install(ctypes.create_string_buffer(512), 512) == 0
"""


@dataclass(frozen=True)
class Case:
    name: str
    limit: float
    plain: str
    changed: str
    how: str = ""
    """RECORDED, ARMED, or as it is."""


CASES = (
    Case("countdown, two threads, recorded", 1.01, COUNTDOWN, COUNTDOWN, RECORDED),
    Case("300,000 × os.stat, recorded", 1.05, STAT, STAT, RECORDED),
    Case("300,000 × os.stat beside a thread that sleeps, recorded", 1.05, STAT_OF_TWO, STAT_OF_TWO, RECORDED),
    Case("two threads at a switch interval of 10 µs, recorded", 1.05, FAST_SWITCHES, FAST_SWITCHES, RECORDED),
    Case("300,000 × os.stat, hooks in, not recording", 1.01, STAT, INSTALLED + STAT),
    Case("countdown, hooks in, not recording", 1.01, COUNTDOWN, INSTALLED + COUNTDOWN),
    Case("300,000 × os.stat, armed", 1.01, STAT, STAT, ARMED),
    Case("countdown, two threads, armed", 1.01, COUNTDOWN, COUNTDOWN, ARMED),
)


def _seconds(command: list[str]) -> float:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return float(done.stdout)


def ratios(case: Case, pairs: int, directory: Path, *, sched: bool) -> list[float]:
    """Return changed / plain for each pair."""
    plain, changed = directory / "plain.py", directory / "changed.py"
    plain.write_text(case.plain)
    changed.write_text(case.changed)
    recorded = ["-m", "tracer", "-q", "--no-png", "--force", "-o", str(directory / "run.trace")]
    recorded += [] if sched else ["--no-sched"]
    options = {RECORDED: recorded, ARMED: ["-m", "tracer", f"--armed={directory}"]}.get(case.how, [])
    runs: list[Callable[[], float]] = [
        lambda: _seconds([sys.executable, str(plain)]),
        lambda: _seconds([sys.executable, *options, str(changed)]),
    ]
    found = []
    for pair in range(pairs):
        order = (0, 1) if pair % 2 == 0 else (1, 0)
        seconds = {which: runs[which]() for which in order}
        found.append(seconds[1] / seconds[0])
    return found


def main() -> None:
    """Print a row for each case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="few pairs: shows that it runs, proves nothing")
    parser.add_argument("--pairs", type=int, default=41)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--no-sched", action="store_true", help="without recording the scheduler")
    arguments = parser.parse_args()
    pairs = 3 if arguments.short else arguments.pairs
    print("| program | ratio, median | quartiles | pairs | limit |")
    print("|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="gilscope-") as directory:
        for case in CASES:
            if arguments.only not in case.name:
                continue
            found = ratios(case, pairs, Path(directory), sched=not arguments.no_sched)
            low, median, high = statistics.quantiles(found, n=4)
            row = f"| {case.name} | {median:.3f} | {low:.3f} – {high:.3f} | {pairs} | {case.limit} |"
            print(row, flush=True)


if __name__ == "__main__":
    main()
