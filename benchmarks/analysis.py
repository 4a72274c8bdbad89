"""How fast a trace becomes figures: events a second from disk (page cache warm) to statistics.

    python -m benchmarks.analysis [--short]
    python -m benchmarks.analysis --against TREE [--pairs N] TRACE ...

The trace is the hardest kind for its size, two threads that thrash: five events a turn, every one of them
matters to a handoff. Then how long it takes to say why threads waited. Prints rows for benchmarks/RESULTS.md.

With `--against` it is the whole command, `python -m analysis TRACE --json`, beside that of another build: a
git worktree of an earlier commit, compiled in place (`make build`). The two take turns, and must say the
same; the traces are those of `benchmarks.recordings -o`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import analysis
from analysis.reader.format import Event
from tests.synthetic import TraceWriter

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
ANSWERS: dict[str, Callable[[analysis.Trace], object]] = {
    "anatomy": analysis.wait_anatomy,
    "blame by thread": analysis.blame,
    "blame by code": analysis.code_blame,
    "patterns": analysis.patterns,
}
ROOT = Path(__file__).resolve().parents[1]
_PERCENTILES = ("p50", "p90", "p99")
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


@dataclass(frozen=True)
class Run:
    """One run of the command: what it said, s that it took and had a CPU, and the most MB it had."""

    said: Any
    took: float
    cpu: float
    memory: float


def run(tree: Path, trace: Path) -> Run:
    """Let a build say all that it says of a trace."""
    own = tree / ".venv/bin/python"
    environment = {**os.environ, "PYTHONPATH": str(tree.resolve())}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # neither is to compile itself at each run
    with tempfile.TemporaryFile() as output:
        begin = time.perf_counter()
        process = subprocess.Popen(
            [str(own) if own.exists() else sys.executable, "-m", "analysis", str(trace.resolve()), "--json"],
            cwd="/",
            env=environment,
            stdout=output,
        )
        _, status, used = os.wait4(process.pid, 0)
        took = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{tree}: the command failed, is it built? (make build there)")
        output.seek(0)
        return Run(json.load(output), took, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def differing(one: Any, other: Any, name: str = "") -> int:
    """Count the figures that two builds don't agree in; percentiles of very many may be 0.1 % apart."""
    if isinstance(one, dict) and isinstance(other, dict):
        return sum(differing(one.get(key), other.get(key), key) for key in {*one, *other})
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return sum(differing(a, b, name) for a, b in zip(one, other, strict=True))
    if name in _PERCENTILES and one and other:
        return int(abs(one - other) > 0.001 * max(one, other) + 1)
    return int(one != other)


def compare(tree: Path, trace: Path, pairs: int) -> str:
    """Return a row: both builds in turns."""
    before, now = [], []
    for _ in range(pairs):
        before.append(run(tree, trace))
        now.append(run(ROOT, trace))
    cells = []
    for unit, figure in (("s", "took"), ("s", "cpu"), ("MB", "memory")):
        old, new = ([getattr(each, figure) for each in runs] for runs in (before, now))
        ratio = statistics.median(a / b for a, b in zip(old, new, strict=True))
        shown = f"{statistics.median(old):.3g} → {statistics.median(new):.3g} {unit}"
        cells.append(f"{shown}, 1/{ratio:.1f}")
    return f"| {trace.stem} | {' | '.join(cells)} | {differing(before[-1].said, now[-1].said)} |"


def against(tree: Path, traces: list[Path], pairs: int) -> None:
    """Print a row for each trace."""
    print(f"{pairs} pairs, medians; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs\n")
    print("| trace | time | CPU time | memory | figures that differ |")
    print("|---|---:|---:|---:|---:|")
    for trace in traces:
        print(compare(tree, trace, pairs), flush=True)


def main() -> None:
    """Print a row for each size, or for each trace."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="up to a million events, fewer repetitions")
    parser.add_argument("--against", type=Path, metavar="TREE", help="another build")
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("traces", nargs="*", type=Path)
    arguments = parser.parse_args()
    if arguments.against:
        against(arguments.against, arguments.traces, arguments.pairs)
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
