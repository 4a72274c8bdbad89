"""How fast a trace becomes figures: events a second from disk (page cache warm) to statistics.

    python -m benchmarks.analysis [--short]
    python -m benchmarks.analysis --against TREE [--pairs N] [--command WHAT ...] TRACE ...

The trace is the hardest kind for its size, two threads that thrash: five events a turn, every one of them
matters to a handoff. Then how long it takes to say why threads waited. Prints rows for benchmarks/RESULTS.md.

With `--against` it is whole commands, beside those of another build: all that the summary says as JSON, the
timeline as a PNG, and a what-if. The other build is a git worktree of an earlier commit, compiled in place
(`make build`). The two take turns, and must say the same; the traces are those of `benchmarks.recordings -o`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import analysis
from analysis.reader.format import Event
from benchmarks import two_builds
from tests.synthetic import TraceWriter

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
ANSWERS: dict[str, Callable[[analysis.Trace], object]] = {
    "anatomy": analysis.wait_anatomy,
    "blame by thread": analysis.blame,
    "blame by code": analysis.code_blame,
    "patterns": analysis.patterns,
}
_TURN = (Event.GIL_WAIT, Event.GIL_TIMEOUT, Event.GIL_ACQUIRED, Event.GIL_RELEASED, Event.GIL_DROP_REQUESTED)


def thrash(path: Path, events: int, threads: int = 2) -> None:
    """Write a trace in which threads take the GIL from each other, a switch interval each."""
    random = np.random.default_rng(0)
    turns = events // len(_TURN)
    hold = random.integers(4_000_000, 6_000_000, turns)
    handoff = random.integers(5_000, 50_000, turns)
    released = 10_000_000 + np.cumsum(hold + handoff)
    acquired = released - hold
    with TraceWriter(path) as trace:
        process = trace.process(100)
        process.events([(100, 1_000, "recording_start")])
        for thread in range(threads):
            acquire, release = acquired[thread::threads], released[thread::threads]
            ask = np.concatenate([[2_000 + thread], release[:-1] + 1_000])
            times = np.stack([ask, acquire - 1_000_000, acquire, release, release], axis=1)
            # Nobody asks for the GIL in the last turn.
            count = times.size - (thread == (turns - 1) % threads)
            process.columns(100 + thread, times.reshape(-1)[:count], np.tile(_TURN, len(acquire))[:count])
        process.stop(100, int(released[-1]) + 1_000)


def seconds(path: Path) -> float:
    """Return how long it takes from the files to statistics."""
    begin = time.perf_counter()
    trace = analysis.load(path)
    analysis.statistics(trace)
    return time.perf_counter() - begin


def print_row(path: Path, events: int, repeats: int) -> None:
    """Print how long that takes, after once for nothing."""
    seconds(path)
    times = [seconds(path) for _ in range(repeats)]
    median = statistics.median(times)
    spread = f"{1e3 * median:.1f} ms ({1e3 * min(times):.1f} – {1e3 * max(times):.1f})"
    print(f"| {events:,} | {spread} | {events / median / 1e6:.1f} |", flush=True)


def seconds_of_answers(path: Path) -> dict[str, float]:
    """Return how long each answer to why threads waited takes, when the statistics are there."""
    trace = analysis.load(path)
    analysis.statistics(trace)
    took: dict[str, float] = {}
    for name, ask in ANSWERS.items():
        begin = time.perf_counter()
        ask(trace)
        took[name] = time.perf_counter() - begin
    return took


def main() -> None:
    """Print a row for each size, or for each trace."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="up to a million events, fewer repetitions")
    parser.add_argument("--against", type=Path, metavar="TREE", help="another build")
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--command", action="append", choices=two_builds.COMMANDS, help="default: all")
    parser.add_argument("traces", nargs="*", type=Path)
    arguments = parser.parse_args()
    if arguments.against:
        what = arguments.command or list(two_builds.COMMANDS)
        two_builds.against(arguments.against, arguments.traces, what, arguments.pairs)
        return
    short = arguments.short
    sizes, repeats = (SIZES[:-1], 5) if short else (SIZES, 11)
    print("| events | from disk to statistics, median (min – max) | million events/s |")
    print("|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="gilscope-") as directory:
        for size in sizes:
            path = Path(directory) / str(size)
            thrash(path, size)
            print_row(path, size, repeats)
        print()
        print(f"| events | {' | '.join(ANSWERS)} |")
        print(f"|---:|{'---:|' * len(ANSWERS)}")
        for size in sizes[-2:]:
            taken = [seconds_of_answers(Path(directory) / str(size)) for _ in range(3)]
            cells = [f"{1e3 * statistics.median(each[name] for each in taken):.0f} ms" for name in ANSWERS]
            print(f"| {size:,} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
