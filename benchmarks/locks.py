"""What recording all locks costs over the GIL alone: pairs of one program, with and without --no-locks.

python -m benchmarks.locks [--short] [--pairs N] [--only NAME]

Of time, and of the program's CPU time, which other work on the machine moves less. How often its threads
went to sleep says whether recording changed what they do: two threads at a queue may hand a lock over every
few turns or every few milliseconds; how quickly the machine wakes a thread up decides which.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

_PROGRAMS = {
    "countdown, two threads": """
def work():
    n = 1_500_000
    while n:
        n -= 1
""",
    "os.stat, two threads": """
import os
def work():
    for _ in range(60_000):
        os.stat("/")
""",
    "lock, never contended": """
def work():
    lock = threading.Lock()
    for _ in range(300_000):
        with lock:
            pass
""",
    "queue of 100,000 items": """
import queue
items = queue.Queue(100)
def work():
    for n in range(50_000):
        items.put(n)
        items.get()
""",
}
_RUN = """
import resource
begin = time.perf_counter()
before = resource.getrusage(resource.RUSAGE_SELF)
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
wall = time.perf_counter() - begin
after = resource.getrusage(resource.RUSAGE_SELF)
cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(wall, cpu, after.ru_nvcsw - before.ru_nvcsw)
"""


def _measure(program: Path, trace: Path, *options: str) -> tuple[float, float, float]:
    """Return seconds, seconds of CPU, and how often a thread went to sleep."""
    command = [sys.executable, "-m", "tracer", "-q", "--no-png", "--no-sched", "--force", "-o", str(trace)]
    done = subprocess.run([*command, *options, str(program)], capture_output=True, text=True, check=True)
    wall, cpu, sleeps = map(float, done.stdout.split())
    return wall, cpu, sleeps


def _pair(
    program: Path, trace: Path, turn: int
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Measure without and with locks; which comes first alternates."""
    if turn % 2:
        recorded = _measure(program, trace)
        return _measure(program, trace, "--no-locks"), recorded
    return _measure(program, trace, "--no-locks"), _measure(program, trace)


def main() -> None:
    """Print ratios for each program: medians of the pairs, and the quartiles; and medians of sleeps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="few pairs: shows that it runs, proves nothing")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--only", default="", help="programs whose name holds this")
    arguments = parser.parse_args()
    pairs = 5 if arguments.short else arguments.pairs
    with tempfile.TemporaryDirectory() as place:
        for name, source in _PROGRAMS.items():
            if arguments.only not in name:
                continue
            program, trace = Path(place, "program.py"), Path(place, "t")
            program.write_text("import threading, time\n" + source + _RUN)
            both = [_pair(program, trace, turn) for turn in range(pairs)]
            parts = []
            for what, at in ("time", 0), ("CPU", 1):
                low, middle, high = statistics.quantiles([b[at] / max(a[at], 1e-9) for a, b in both], n=4)
                parts.append(f"{what} {middle:.3f} ({low:.3f} to {high:.3f})")
            without, recorded = (statistics.median(each[of][2] for each in both) for of in (0, 1))
            print(f"{name:24} {'  '.join(parts)}  sleeps {without:.0f}, {recorded:.0f}", flush=True)


if __name__ == "__main__":
    main()
