"""What sampling costs: recorded with it against without, in interleaved pairs, and the sampler's CPU time.

    python -m benchmarks.sampling [--short] [--pairs N]

Samples of the code in holds (`--no-samples` leaves them out), then those of native code (`--no-native`). Of
each run the program's seconds for its work, and the CPU time of its process in them, the sampler's thread
included, which a busy machine moves less. The sampler's own CPU time is what the kernel says of its thread,
for each second that some thread waited for the GIL. Prints rows for benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import analysis

ROOT = Path(__file__).resolve().parents[1]
TIMED = """
import json, os, threading, time
def sampler():
    for task in os.listdir("/proc/self/task"):
        try:
            if open(f"/proc/self/task/{task}/comm").read() == "gilscope helper\\n":
                return int(open(f"/proc/self/task/{task}/schedstat").read().split()[0])
        except OSError:
            pass  # it has ended
    return 0
def timed(work):
    wall, cpu, own = time.perf_counter(), time.process_time(), sampler()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(json.dumps([wall, cpu, (sampler() - own) / 1e9]))
"""
COUNTDOWN = """
def count_down(n):
    while n > 0:
        n -= 1
def work():
    threads = [threading.Thread(target=count_down, args=[5_000_000]) for _ in range(2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
timed(work)
"""
STAT = """
def work():
    stat = os.stat
    for _ in range(300_000):
        stat("/")
timed(work)
"""
PROGRAMS = {"countdown, two threads": COUNTDOWN, "300,000 × os.stat": STAT}
SAMPLING = {
    "samples": ([], ["--no-samples"]),
    "native code": ([], ["--no-native"]),
    "neither": (["--no-samples", "--no-native"], ["--no-samples", "--no-native"]),
}
"""Both kinds of run by their options; the last says what the pairs tell apart."""


class Run(NamedTuple):
    wall: float
    cpu: float
    sampler: float  # s of CPU time
    waited: float  # s
    samples: int


def run(program: str, options: list[str], directory: Path) -> Run:
    """Record a program."""
    path = directory / "program.py"
    path.write_text(TIMED + program)
    command = [sys.executable, "-m", "tracer", "-q", "--no-png", "--force", *options, str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True, env=environment)
    wall, cpu, sampler = json.loads(done.stdout)
    trace = analysis.load(directory / "program.trace")
    return Run(wall, cpu, sampler, int(trace.waits["duration"].sum()) / 1e9, len(trace.samples))


def quartiles(ratios: list[float]) -> str:
    """Return a median, and the quartiles."""
    low, median, high = statistics.quantiles(ratios, n=4)
    return f"{median:.4f} ({low:.4f} – {high:.4f})"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="few pairs: shows that it runs, proves nothing")
    parser.add_argument("--pairs", type=int, default=41)
    arguments = parser.parse_args()
    pairs = 3 if arguments.short else arguments.pairs
    with_all: dict[str, list[Run]] = {}
    print("| program | with / without | seconds, median (quartiles) | CPU time of the process |")
    print("|---|---|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="gilscope-") as directory:
        for program, source in PROGRAMS.items():
            for sampling, options in SAMPLING.items():
                wall, cpu = [], []
                for pair in range(pairs):
                    order = (0, 1) if pair % 2 == 0 else (1, 0)
                    runs = {which: run(source, options[which], Path(directory)) for which in order}
                    wall.append(runs[0].wall / runs[1].wall)
                    cpu.append(runs[0].cpu / runs[1].cpu)
                    if not options[0]:
                        with_all.setdefault(program, []).append(runs[0])
                print(f"| {program} | {sampling} | {quartiles(wall)} | {quartiles(cpu)} |", flush=True)
    print("\n| program | sampler's CPU time, of the run | for a second of waiting | samples a second of it |")
    print("|---|---:|---:|---:|")
    for program, found in with_all.items():
        share = statistics.median(each.sampler / each.wall for each in found)
        waited = sum(each.waited for each in found)
        for_each, often = "–", "–"
        if waited > 0.01 * sum(each.wall for each in found):
            for_each = f"{1000 * sum(each.sampler for each in found) / waited:.1f} ms"
            often = f"{sum(each.samples for each in found) / waited:.0f}"
        print(f"| {program} | {100 * share:.2f} % | {for_each} | {often} |")


if __name__ == "__main__":
    main()
