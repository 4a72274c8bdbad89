"""What recording all locks costs over the GIL alone: pairs of one program, with and without --no-locks.

python -m benchmarks.locks [--short]
"""

from __future__ import annotations

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
begin = time.perf_counter()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(time.perf_counter() - begin)
"""


def _seconds(program: Path, trace: Path, *options: str) -> float:
    command = [sys.executable, "-m", "tracer", "-q", "--no-png", "--no-sched", "--force", "-o", str(trace)]
    done = subprocess.run([*command, *options, str(program)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Print a ratio for each program: median of the pairs, and the quartiles."""
    pairs = 5 if "--short" in sys.argv else 15
    with tempfile.TemporaryDirectory() as place:
        for name, source in _PROGRAMS.items():
            program, trace = Path(place, "program.py"), Path(place, "t")
            program.write_text("import threading, time\n" + source + _RUN)
            ratios = []
            for _ in range(pairs):
                without = _seconds(program, trace, "--no-locks")
                ratios.append(_seconds(program, trace) / without)
            low, middle, high = statistics.quantiles(ratios, n=4)
            print(f"{name:42} {middle:.3f}   ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
