"""How fast a trace with OS scheduling becomes figures in five states, from disk to statistics.

    python -m benchmarks.states [--short]

Half of the events are the GIL's, half the scheduler's: threads that get a CPU, hold the GIL and block again.
Prints rows for benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from analysis.reader.format import Event, Sched
from benchmarks.analysis import SIZES, print_row
from tests.synthetic import TraceWriter

THREADS = 8
CPUS = 2


def take_turns(path: Path, events: int) -> None:
    """Write a trace in which threads run one after the other, 6 µs each, on the CPUs in turn."""
    random = np.random.default_rng(0)
    turns = events // 4 // THREADS * THREADS
    came = 1_000 + np.cumsum(random.integers(8_000, 12_000, turns))
    left = came + random.integers(5_000, 7_000, turns)
    turn = np.arange(turns)
    tid = 100 + turn % THREADS
    with TraceWriter(path) as trace:
        process, scheduler = trace.process(100), trace.scheduler(0, cpus=CPUS)
        process.events([(100, 1, "recording_start")])
        for thread in range(THREADS):
            times = np.stack([came[thread::THREADS] + 500, left[thread::THREADS] - 500], axis=1).reshape(-1)
            kinds = np.tile([Event.GIL_ACQUIRED, Event.GIL_RELEASED], len(times) // 2)
            process.columns(100 + thread, times, kinds)
            scheduler.task(100 + thread, int(came[thread]), 100, "python")
        for cpu in range(CPUS):
            mine = turn // THREADS % CPUS == cpu
            times = np.stack([came[mine], left[mine]], axis=1).reshape(-1)
            kinds = np.tile([Sched.SCHED_IN, Sched.SCHED_OUT], len(times) // 2)
            scheduler.columns(cpu, times, kinds, np.repeat(tid[mine], 2))
        process.stop(100, int(left[-1]) + 100)
        scheduler.stop(int(left[-1]) + 200)


def main() -> None:
    """Print a row for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="up to a million events, fewer repetitions")
    short = parser.parse_args().short
    sizes, repeats = (SIZES[:-1], 3) if short else (SIZES, 5)
    print("| events, GIL and scheduler | from disk to statistics, median (min – max) | million events/s |")
    print("|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="gilscope-") as directory:
        for size in sizes:
            path = Path(directory) / str(size)
            take_turns(path, size)
            print_row(path, size, repeats)


if __name__ == "__main__":
    main()
