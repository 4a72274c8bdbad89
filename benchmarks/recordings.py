"""The recordings that are measured: three programs, each of about so many events.

    python -m benchmarks.recordings [--short] [--events N] [-o DIRECTORY]

Four threads that call os.stat, two that compute at a switch interval of 10 µs, and a pool of 64; with all
that is recorded by default. -o keeps the traces, for `benchmarks.analysis --against` and `benchmarks.pack`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import analysis

EVENTS = 10_000_000

STAT = """
import os, sys, threading
def work():
    for _ in range(int(sys.argv[1]) // 8): os.stat("/")
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
THRASHING = """
import sys, threading, time
sys.setswitchinterval(10e-6)
end = time.perf_counter() + int(sys.argv[1]) / 200_000
def work():
    while time.perf_counter() < end: pass
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
POOL = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
def work(_):
    for _ in range(100): os.stat("/")
with ThreadPoolExecutor(64) as pool:
    list(pool.map(work, range(int(sys.argv[1]) // 200)))
"""


def record(directory: Path, events: int) -> list[Path]:
    """Return traces of about so many events, which are made in a directory."""
    made = []
    for name, program in (("stat", STAT), ("thrashing", THRASHING), ("pool", POOL)):
        script, trace = directory / f"{name}.py", directory / f"{name}.trace"
        script.write_text(program)
        options = ["-m", "tracer", "-q", "--no-png", "-o", str(trace)]
        subprocess.run([sys.executable, *options, str(script), str(events)], check=True)
        made.append(trace)
    return made


def size(trace: Path) -> tuple[int, int]:
    """Return how many events about GILs and locks a trace has, and how many records of the scheduler."""
    loaded = analysis.load(trace)
    scheduled = 0 if loaded.scheduling is None else len(loaded.scheduling.time)
    return len(loaded.columns.time) + len(loaded.side.time), scheduled


def main() -> None:
    """Make them, and print what they are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="small ones")
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("-o", "--output", type=Path, help="keep them here")
    arguments = parser.parse_args()
    print("| trace | events | the scheduler's | bytes |")
    print("|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="gilscope-") as name:
        directory = arguments.output or Path(name)
        directory.mkdir(parents=True, exist_ok=True)
        for trace in record(directory, arguments.events // 100 if arguments.short else arguments.events):
            events, scheduled = size(trace)
            whole = sum(path.stat().st_size for path in trace.rglob("*") if path.is_file())
            print(f"| {trace.stem} | {events:,} | {scheduled:,} | {whole:,} |", flush=True)


if __name__ == "__main__":
    main()
