"""How near the what-if replay comes to what happens: predictions against real runs, and how long it takes.

    python -m benchmarks.whatif [--short] [--runs N] [--python FREE-THREADED]

Each program is recorded as it is; the figures that the replay then predicts stand beside those of real runs
under the circumstances that were predicted, recorded too. Runs are interleaved, and medians compared; the
spread is that of the real runs. Prints rows for benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

import analysis
from analysis.reader.format import Event
from analysis.whatif.predict import Figures, of_trace
from analysis.whatif.program import make_program
from analysis.whatif.replay import replay
from benchmarks.analysis import thrash
from tests.synthetic import TraceWriter

ROOT = Path(__file__).resolve().parents[1]

COMMON = """
import sys, threading, time
from concurrent.futures import ThreadPoolExecutor
def count_down(n):
    while n > 0:
        n -= 1
def threads(*work):
    threads = [threading.Thread(target=each, name=str(n)) for n, each in enumerate(work)]
    begin = time.perf_counter()
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print(time.perf_counter() - begin)
"""
COUNT = COMMON + "threads(*[lambda: count_down(12_000_000)] * 2)"
ALONE = COMMON + "threads(lambda: count_down(12_000_000))"
SMALL = COMMON + "threads(*[lambda: count_down(6_000_000)] * 4)"
REQUESTS = (
    COMMON
    + """
def requests():
    for _ in range(150):
        time.sleep(0.002)
threads(lambda: count_down(24_000_000), requests)
"""
)
POOL = (
    COMMON
    + """
def pool():
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(count_down, 800_000) for _ in range(24)]: done.result()
threads(pool)
"""
)
QUEUE = (
    COMMON
    + """
import queue
items = queue.Queue(10)
def producer():
    for n in range(400):
        count_down(20_000); items.put(n)
    items.put(None)
def consumer():
    while items.get() is not None: count_down(30_000)
threads(producer, consumer)
"""
)
COMPILED = (
    COMMON
    + """
from examples._countdown import countdown_with_gil, countdown_nogil
def work(countdown):
    for _ in range(50): countdown(20_000_000)
threads(*[lambda: work({countdown})] * 2)
"""
)
HOLDING, RELEASING = (COMPILED.format(countdown=f"countdown_{name}") for name in ("with_gil", "nogil"))
PROGRAMS = {
    "two countdowns": COUNT,
    "countdown and 150 requests of 2 ms": REQUESTS,
    "pool of 3 threads, 24 tasks": POOL,
    "producer and consumer": QUEUE,
    "compiled countdown, GIL held": HOLDING,
}
SWEEP = ("two countdowns", "countdown and 150 requests of 2 ms")
INTERVALS = (100_000_000, 20_000_000, 1_000_000, 100_000, 10_000)


class Runs:
    """Programs, run again and again in turn."""

    def __init__(self, directory: Path, times: int) -> None:
        self.directory, self.times = directory, times
        self.number = 0

    def recorded(self, source: str, interval: int | None = None) -> analysis.Trace:
        """Record one run."""
        self.number += 1
        script, trace = self.directory / f"{self.number}.py", self.directory / f"{self.number}.trace"
        script.write_text(source)
        options = ["--switch-interval", str(interval / 1e9)] if interval else []
        command = [sys.executable, "-m", "tracer", "-q", "--no-png", "-o", str(trace), *options, str(script)]
        self._run(command)
        return analysis.load(trace)

    def seconds(self, source: str, python: str) -> float:
        """Run it plain, in another interpreter: what it prints."""
        return float(self._run([python, "-c", source]))

    def in_turn(self, tasks: Sequence[Callable[[], object]]) -> list[list[object]]:
        """Return the results of each task, done in turn."""
        results: list[list[object]] = [[] for _ in tasks]
        for _ in range(self.times):
            for result, task in zip(results, tasks, strict=True):
                result.append(task())
        return results

    def _run(self, command: list[str]) -> str:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


def _median(runs: Sequence[Figures], figure: Callable[[Figures], float]) -> float:
    return statistics.median(map(figure, runs))


def _compare(predicted: Sequence[Figures], real: Sequence[Figures]) -> str:
    """Return predicted, real (with its spread) and the error of wall time, total wait, and p99."""
    cells = []
    for figure in (lambda of: of.wall, lambda of: of.wait.total, lambda of: of.wait.p99):
        ours, theirs = _median(predicted, figure), _median(real, figure)
        low, high = min(map(figure, real)), max(map(figure, real))
        error = f"{100 * (ours - theirs) / theirs:+.0f} %" if theirs else "–"
        cells.append(f"{ours / 1e6:.1f} | {theirs / 1e6:.1f} ({low / 1e6:.1f} – {high / 1e6:.1f}) | {error}")
    return " | ".join(cells)


def _header(what: str, other: str) -> None:
    figures = "".join(f" {name}, ms | {other} | error |" for name in ("wall", "total wait", "p99 wait"))
    print(f"\n| {what} |{figures}\n|---{'|---:' * 9}|")


def own_configuration(runs: Runs) -> None:
    """Print how far the replay of a recording is from the recording."""
    _header("program", "recorded")
    found = runs.in_turn([partial(runs.recorded, source) for source in PROGRAMS.values()])
    for name, traces in zip(PROGRAMS, found, strict=True):
        results = [analysis.what_if(trace) for trace in traces if isinstance(trace, analysis.Trace)]
        row = _compare([each.replayed for each in results], [each.recorded for each in results])
        print(f"| {name} | {row} |", flush=True)


def interval_sweep(runs: Runs) -> None:
    """Print predictions from recordings at 5 ms, and what runs at other intervals did."""
    _header("program, interval", "real")
    for name in SWEEP:
        each = [None, *INTERVALS]
        found = runs.in_turn([partial(runs.recorded, PROGRAMS[name], at) for at in each])
        recorded = [trace for trace in found[0] if isinstance(trace, analysis.Trace)]
        scenarios = [analysis.Scenario(interval=interval) for interval in INTERVALS]
        results = [analysis.what_if(trace, *scenarios) for trace in recorded]
        for at, interval in enumerate(INTERVALS):
            predicted = [result.predictions[at][1] for result in results]
            real = [of_trace(trace) for trace in found[at + 1] if isinstance(trace, analysis.Trace)]
            print(f"| {name}, {interval / 1e6:g} ms | {_compare(predicted, real)} |", flush=True)


def no_gil(runs: Runs, python: str) -> None:
    """Print wall times in units of one countdown alone, so that an interpreter's speed cancels."""
    print("\n| program, no GIL | predicted, × alone | free-threaded, × alone | error |")
    print("|---|---:|---:|---:|")
    sources = {"two countdowns": COUNT, "four half as long": SMALL, "countdown and requests": REQUESTS}
    tasks: list[Callable[[], object]] = [lambda: runs.recorded(ALONE), lambda: runs.seconds(ALONE, python)]
    for source in sources.values():
        tasks += [partial(runs.recorded, source), partial(runs.seconds, source, python)]
    found = runs.in_turn(tasks)
    # Of a recording the thread's work alone: what comes before and after it is another interpreter's start.
    alone = [of_trace(trace).wall for trace in found[0] if isinstance(trace, analysis.Trace)]
    for at, name in enumerate(sources, 1):
        traces = [trace for trace in found[2 * at] if isinstance(trace, analysis.Trace)]
        without = analysis.Scenario(gil=False)
        ours = [analysis.what_if(trace, without).predictions[0][1].wall / base
                for trace, base in zip(traces, alone, strict=True)]  # fmt: skip
        theirs = [
            float(str(one)) / float(str(base)) for one, base in zip(found[2 * at + 1], found[1], strict=True)
        ]
        predicted, real = statistics.median(ours), statistics.median(theirs)
        print(
            f"| {name} | {predicted:.2f} | {real:.2f} ({min(theirs):.2f} – {max(theirs):.2f})"
            f" | {100 * (predicted - real) / real:+.0f} % |",
            flush=True,
        )


def release(runs: Runs) -> None:
    """Print what the compiled countdown is predicted to take without the GIL, and what it takes."""
    _header("compiled countdown", "real")
    found = runs.in_turn([lambda: runs.recorded(HOLDING), lambda: runs.recorded(RELEASING)])
    holding, releasing = ([each for each in side if isinstance(each, analysis.Trace)] for side in found)
    threads = analysis.Scenario(release_threads=("0", "1"))
    predicted = [analysis.what_if(trace, threads).predictions[0][1] for trace in holding]
    print(f"| its threads without the GIL | {_compare(predicted, [of_trace(each) for each in releasing])} |")
    if all(len(trace.frames) for trace in holding):
        predicted = [
            analysis.what_if(trace, analysis.Scenario(release=(f"{trace.path.stem}.work",))).predictions[0][1]
            for trace in holding
        ]
        print(f"| `work` without the GIL | {_compare(predicted, [of_trace(each) for each in releasing])} |")


def server(path: Path, events: int, threads: int = 8) -> None:
    """Write a trace in which threads take the GIL for 20 µs again and again, and block in between."""
    random = np.random.default_rng(0)
    turns = events // 3
    hold, pause = random.integers(10_000, 30_000, turns), random.integers(1_000, 9_000, turns)
    released = 10_000_000 + np.cumsum(hold + pause)
    acquired = released - hold
    kinds = (Event.GIL_WAIT, Event.GIL_ACQUIRED, Event.GIL_RELEASED)
    with TraceWriter(path) as trace:
        process = trace.process(100)
        process.events([(100, 1_000, "recording_start")])
        for thread in range(threads):
            acquire, release_ = acquired[thread::threads], released[thread::threads]
            times = np.stack([acquire - 5_000, acquire, release_], axis=1)
            process.columns(100 + thread, times.reshape(-1), np.tile(kinds, len(acquire)))
        process.stop(100, int(released[-1]) + 1_000)


def speed(directory: Path, events: int) -> None:
    """Print how long it takes from the files to a program, and to run that."""
    print("\n| 8 threads / 2 threads, events | read | program | steps | replay | with 1 ms |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, write in (("short holds", server), ("thrashing", thrash)):
        path = directory / name.replace(" ", "-")
        write(path, events)
        begin = time.perf_counter()
        trace = analysis.load(path)
        analysis.statistics(trace)
        read = time.perf_counter()
        program = make_program(trace)
        made = time.perf_counter()
        replay(program)
        ran = time.perf_counter()
        replay(program, analysis.Scenario(interval=1_000_000))
        again = time.perf_counter()
        print(
            f"| {name}, {events:,} | {read - begin:.2f} s | {made - read:.2f} s | {len(program.kind):,}"
            f" | {ran - made:.2f} s | {again - ran:.2f} s |",
            flush=True,
        )


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--short", action="store_true", help="one run each: shows that it runs, proves nothing"
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--python", help="a free-threaded interpreter (default: python3.13t or python3.14t, if there)"
    )
    parser.add_argument("--only", default="", help="own, sweep, nogil, release or speed")
    options = parser.parse_args()
    python = options.python or shutil.which("python3.14t") or shutil.which("python3.13t")
    with tempfile.TemporaryDirectory(prefix="gilscope-") as directory:
        runs = Runs(Path(directory), 1 if options.short else options.runs)
        tables: dict[str, Callable[[], None]] = {
            "own": lambda: own_configuration(runs),
            "sweep": lambda: interval_sweep(runs),
            "release": lambda: release(runs),
            "speed": lambda: speed(Path(directory), 1_000_000 if options.short else 10_000_000),
        }
        if python:
            tables["nogil"] = lambda: no_gil(runs, python)
        for name, table in tables.items():
            if options.only in ("", name):
                table()


if __name__ == "__main__":
    main()
