"""How much of what threads do about contended objects the recorder sees as waits: those that park.

python -m benchmarks.spins [--python PYTHON] [--short]

PYTHON is a build without a GIL. There a thread that finds an object's mutex taken first tries again up to 40
times (sched_yield), and only then sleeps. Sleeps are recorded one by one, with lock and line; tries are
counted, by thread.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import analysis

_FREE = ("python3.13t", "python3.14t", "python3.15t")

_TURNS = {
    "two threads append to one list": "shared.append(1)",
    "two threads write one dict": "table[n % 16] = n",
    "two threads write one attribute": "thing.value = n",
    "two threads take one Lock": "with lock: thing.value = n",
    "two threads put into one Queue": "jobs.put(n); jobs.get()",
}
_PROGRAM = """
import queue, threading
class Thing: value = 0
shared, table, thing, lock, jobs = [], {{}}, Thing(), threading.Lock(), queue.Queue()
def work():
    for n in range({}):
        {}
threads = [threading.Thread(target=work, name="worker") for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def main() -> None:
    """Print for each program: spins, how many ended in a sleep, and the shares of the threads' lives."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", default=None, help="a build without a GIL (default: one on the PATH)")
    parser.add_argument("--short", action="store_true", help="few turns")
    wanted = parser.parse_args()
    python = wanted.python or next(filter(None, map(shutil.which, _FREE)), None)
    if python is None:
        print("there is no Python without a GIL: --python")
        return
    turns = 2_000 if wanted.short else 500_000
    print(f"{'':34}{'spins':>9}{'parked':>9}{'spinning':>10}{'asleep':>9}")
    with tempfile.TemporaryDirectory() as place:
        for name, turn in _TURNS.items():
            program, target = Path(place, "program.py"), Path(place, "t")
            program.write_text(_PROGRAM.format(turns, turn))
            options = ["-q", "--no-png", "--no-sched", "--force", "-o", str(target), "--python", python]
            subprocess.run([sys.executable, "-m", "tracer", *options, str(program)], check=True)
            trace = analysis.load(target)
            workers = {thread.index: thread for thread in trace.threads if thread.name == "worker"}
            lives = sum(thread.end - thread.begin for thread in workers.values())
            spins = [row for row in trace.lock_spins if int(row["thread"]) in workers]
            waits = [row for row in trace.lock_waits if int(row["thread"]) in workers]
            parked = sum(bool(row["parked"]) for row in spins)
            spun, slept = (sum(int(row["duration"]) for row in rows) / lives for rows in (spins, waits))
            shown = f"{parked / len(spins):.1%}" if spins else "–"
            print(f"{name:34}{len(spins):9,}{shown:>9}{spun:10.1%}{slept:9.1%}", flush=True)


if __name__ == "__main__":
    main()
