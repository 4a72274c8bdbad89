"""Fleets: traces summarised and ranked on Dask, many summaries added up, and what more workers bring.

    python -m benchmarks.fleet [--traces 2000] [--events 500000] [--summaries 100000] [--short]

Traces are one real recording (threads that call os.stat) under other ids and hosts: the processes' files are
the same, their metadata is not. Printed: events/s of the fleet beside the rate of one such trace alone, peak
memory of the workers and of the command, seconds for the merge, and the ratio of one worker's time to two's.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import analysis
from analysis.fleet import fleet, schema
from analysis.fleet.summarise import summaries

_PROGRAM = """
import os, sys, threading
def stat():
    for _ in range(int(sys.argv[1])):
        os.stat("/")
threads = [threading.Thread(target=stat) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def record(directory: Path, events: int) -> Path:
    """Record some events (about two an os.stat and thread), and return the trace."""
    program = directory / "stat.py"
    program.write_text(_PROGRAM)
    trace = directory / "one.trace"
    command = [sys.executable, "-m", "tracer", "-q", "--no-png", "--no-sched", "--force", "-o", str(trace)]
    subprocess.run([*command, str(program), str(events // 8)], check=True)
    return trace


def copies(trace: Path, directory: Path, count: int) -> list[Path]:
    """Return the trace under other ids: the events are hard links, the metadata differs."""
    (source,) = [path for path in trace.iterdir() if path.name.isdigit()]
    metadata = (source / "metadata").read_text()
    made = []
    for number in range(count):
        target = directory / f"{number:05}.trace" / source.name
        target.mkdir(parents=True)
        for file in source.iterdir():
            if file.name != "metadata":
                os.link(file, target / file.name)
        host = re.sub(r'hostname = "[^"]*"', f'hostname = "host-{number % 10}"', metadata)
        start = re.search(r"recording_start = +(\d+)", host)
        assert start is not None
        other = f"{int(start[1]) - number:20}"
        (target / "metadata").write_text(host.replace(start[0], f"recording_start = {other}"))
        made.append(target.parent)
    return made


def peak(who: int) -> int:
    """Return the peak memory of this process, or of the largest of its children, in MB."""
    return resource.getrusage(who).ru_maxrss // 1024


def many_traces(directory: Path, count: int, events: int) -> None:
    """Summarise and rank traces, against one alone."""
    one = record(directory, events)
    begin = time.perf_counter()
    trace = analysis.load(one)
    list(summaries(trace, {}))
    alone = len(trace.events) / (time.perf_counter() - begin)
    size = len(trace.events)
    del trace
    copies(one, directory / "copies", count)
    begin = time.perf_counter()
    found = fleet([str(directory / "copies")])
    took = time.perf_counter() - begin
    rate = count * size / took
    cores = os.cpu_count() or 1
    print(
        f"{count:,} traces, {count * size:,} events: {took:.1f} s, {rate / 1e6:.2f} M events/s,"
        f" {rate / cores / alone:.2f} x one trace's rate ({alone / 1e6:.2f} M/s) a core;"
        f" {found.processes:,} processes, peak {peak(resource.RUSAGE_CHILDREN)} MB a worker,"
        f" {peak(resource.RUSAGE_SELF)} MB here"
    )
    shutil.rmtree(directory / "copies")


def many_summaries(directory: Path, count: int, files: int) -> None:
    """Add up many summaries."""
    row = next(iter(summaries(analysis.load(directory / "one.trace"), {"release": "1"})))
    (directory / "rows").mkdir()
    for number in range(files):
        rows = [
            {**row, "pid": 1 + at, "host": f"host-{number % 10}", "started_ns": row["started_ns"] + number}
            for at in range(count // files)
        ]
        schema.write(schema.table(rows), str(directory / "rows" / f"{number}.parquet"))
    begin = time.perf_counter()
    found = fleet([str(directory / "rows")])
    print(
        f"{found.summaries:,} summaries in {files:,} files: {time.perf_counter() - begin:.1f} s,"
        f" peak {peak(resource.RUSAGE_CHILDREN)} MB a worker, {peak(resource.RUSAGE_SELF)} MB here"
    )


def workers(directory: Path, count: int, events: int) -> None:
    """Time the same traces with 1 and 2 workers."""
    from distributed import LocalCluster

    record(directory, events)
    copies(directory / "one.trace", directory / "copies", count)
    took = {}
    for number in (1, 2):
        with LocalCluster(n_workers=number, threads_per_worker=1, dashboard_address=None) as cluster:
            begin = time.perf_counter()
            fleet([str(directory / "copies")], scheduler=cluster.scheduler_address)
            took[number] = time.perf_counter() - begin
    print(f"1 worker {took[1]:.1f} s, 2 workers {took[2]:.1f} s: {took[1] / took[2] / 2:.2f} of ideal")


def main() -> None:
    """Print a line for each question."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--traces", type=int, default=2000)
    parser.add_argument("--events", type=int, default=500_000, help="of a trace, about")
    parser.add_argument("--summaries", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=1000, help="that the summaries are in")
    parser.add_argument("--short", action="store_true", help="in some seconds")
    given = parser.parse_args()
    if given.short:
        given.traces, given.events, given.summaries, given.files = 8, 20_000, 500, 10
    for measure, *arguments in (
        (many_traces, given.traces, given.events),
        (workers, max(given.traces // 20, 4), given.events),
    ):
        with tempfile.TemporaryDirectory(prefix="fleet-") as name:
            measure(Path(name), *arguments)
    with tempfile.TemporaryDirectory(prefix="fleet-") as name:
        record(Path(name), given.events)
        many_summaries(Path(name), given.summaries, given.files)


if __name__ == "__main__":
    main()
