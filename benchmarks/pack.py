"""A trace in one file: how large it is, and how fast it is made and read.

    python -m benchmarks.pack [--short] [TRACE ...]

Without traces it records the three of `benchmarks.recordings`. Prints rows for benchmarks/RESULTS.md:
medians and spread.
"""

from __future__ import annotations

import argparse
import io
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import analysis
from analysis.reader.disk.packed import unpack
from analysis.reader.disk.packing import pack
from analysis.reader.format import EVENT_SIZE
from analysis.reader.problems import Problems
from benchmarks.recordings import record


def measure(trace: Path, runs: int, directory: Path) -> str:
    """Return a row: events, bytes an event, millions of events a second packed and unpacked, load's ratio."""
    loaded = analysis.load(trace)
    scheduled = loaded.scheduling
    events = len(loaded.columns.time) + (0 if scheduled is None else len(scheduled.time))
    del loaded, scheduled
    file = directory / "packed"
    packing, unpacking, loading = [], [], []
    for run in range(runs):
        buffer = io.BytesIO()
        begin = time.perf_counter()
        pack(trace, buffer)
        packing.append(events / (time.perf_counter() - begin) / 1e6)
        file.write_bytes(buffer.getvalue())
        target = directory / f"{trace.name}-{run}"
        target.mkdir()
        begin = time.perf_counter()
        unpack(file, target, Problems())
        unpacking.append(events / (time.perf_counter() - begin) / 1e6)
        shutil.rmtree(target)
        times = {}
        for path in (trace, file) if run % 2 else (file, trace):
            begin = time.perf_counter()
            analysis.load(path)
            times[path] = time.perf_counter() - begin
        loading.append(times[file] / times[trace])
    size, before = (
        file.stat().st_size,
        sum(path.stat().st_size for path in trace.rglob("*") if path.is_file()),
    )
    numbers = (packing, unpacking, loading)
    shown = " | ".join(f"{statistics.median(n):.1f} ({min(n):.1f} – {max(n):.1f})" for n in numbers)
    return f"| {trace.stem} | {events:,} | {before / events:.1f} | {size / events:.2f} | {shown} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="small traces, few runs")
    parser.add_argument("traces", nargs="*", type=Path)
    arguments = parser.parse_args()
    print(
        "| trace | events | bytes an event | packed | M events/s packed | unpacked | load, packed / plain |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="gilscope-") as name:
        directory = Path(name)
        traces = arguments.traces or record(directory, 100_000 if arguments.short else 10_000_000)
        for trace in traces:
            print(measure(trace, 3 if arguments.short else 9, directory), flush=True)
    print(f"\n(goals: 4 bytes an event where a trace has {EVENT_SIZE} and headers; 10 M events/s)")


if __name__ == "__main__":
    main()
