"""Fleets: traces summarised and ranked on Dask, many summaries added up, and what more workers bring.

    python -m benchmarks.fleet [--traces 2000] [--events 500000] [--summaries 100000] [--short]
    python -m benchmarks.fleet --only traces|recorded|summaries|workers|sleeping

Traces are one real recording (threads that call os.stat) under other ids and hosts: the processes' files are
the same, their metadata is not; `recorded` has the scheduler's records too. Printed: events/s of the fleet
beside the rate of one such trace alone, and of a process a CPU side by side, without Dask; peak memory of
this process and all its workers together (PSS: pages that are shared count once); seconds for the merge;
what 1, 2 and 4 workers take for the same traces. With `sleeping` they lie in a file system of fsspec's whose
every file comes after a pause, so that workers beyond the CPUs that are there have something to do.
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
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

import analysis
from analysis.fleet import fleet, schema, work
from analysis.fleet.sources import How, Source
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


_TIMES = 60
"""That a trace is summarised by each of several processes: some seconds."""


class Sleeping(LocalFileSystem):  # type: ignore[misc]
    """Local files as a far store has them: sleeping:///path, each PAUSE seconds away."""

    protocol = "sleeping"

    @property
    def pause(self) -> float:
        return float(os.environ["SLEEPING"])

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        return super()._strip_protocol(str(path).removeprefix("sleeping://"))

    def unstrip_protocol(self, name: str) -> str:
        return f"sleeping://{self._strip_protocol(name)}"

    def get_file(self, *arguments: Any, **options: Any) -> None:
        time.sleep(self.pause)
        super().get_file(*arguments, **options)

    def _open(self, *arguments: Any, **options: Any) -> Any:
        time.sleep(self.pause)
        return super()._open(*arguments, **options)


class Memory:
    """While it lasts: the peak of what this process and all below it take together, PSS in MB."""

    def __init__(self) -> None:
        self.most = 0.0
        self.parts: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            parts = [_pss(pid) / 1024 for pid in _below(os.getpid())]
            if sum(parts) > self.most:
                self.most, self.parts = sum(parts), parts

    def __str__(self) -> str:
        here, *others = self.parts
        return (
            f"peak {self.most:.0f} MB in all: {here:.0f} here, {', '.join(f'{each:.0f}' for each in others)}"
        )


def _below(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in children:
            yield from _below(int(child))


def _pss(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    found = re.search(r"^Pss: +(\d+) kB", text, re.MULTILINE)
    return int(found[1]) if found else 0


def record(directory: Path, events: int, *, sched: bool = False) -> Path:
    """Record some events (about two an os.stat and thread), and return the trace."""
    program = directory / "stat.py"
    program.write_text(_PROGRAM)
    trace = directory / "one.trace"
    options = ["-q", "--no-png", "--force", *([] if sched else ["--no-sched"]), "-o", str(trace)]
    command = [sys.executable, "-m", "tracer", *options, str(program), str(events // 8)]
    subprocess.run(command, check=True)
    return trace


def copies(trace: Path, directory: Path, count: int) -> None:
    """Make the trace again under other ids: the events are hard links, the metadata differs."""
    (source,) = [path for path in trace.iterdir() if path.name.isdigit()]
    metadata = (source / "metadata").read_text()
    for number in range(count):
        target = directory / f"{number:05}.trace"
        shutil.copytree(trace, target, copy_function=os.link)
        (target / source.name / "metadata").unlink()
        host = re.sub(r'hostname = "[^"]*"', f'hostname = "host-{number % 10}"', metadata)
        start = re.search(r"recording_start = +(\d+)", host)
        assert start is not None
        other = f"{int(start[1]) - number:20}"
        (target / source.name / "metadata").write_text(host.replace(start[0], f"recording_start = {other}"))


def _alone(one: Path) -> tuple[int, float]:
    """Return the events of a trace, and how many a second of one CPU's time it is summarised with.

    (The best of five. It is read by several threads, so that it takes less time than it takes of CPUs.)
    """
    times = []
    for _ in range(5):
        begin = time.process_time()
        list(summaries(analysis.load(one), {}))
        times.append(time.process_time() - begin)
    events = len(analysis.load(one).columns.time)
    return events, events / min(times)


def _side_by_side(one: Path, cores: int) -> float:
    """Return how many times a second as many processes as there are CPUs summarise it together, without Dask.

    (CPUs that are all busy are slower than one that is alone.)
    """
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        list(pool.map(_alone, [one] * cores))  # all of it is imported
        return sum(pool.map(_for_a_while, [one] * cores))


def _for_a_while(one: Path) -> float:
    begin = time.perf_counter()
    for _ in range(_TIMES):
        list(summaries(analysis.load(one), {}))
    return _TIMES / (time.perf_counter() - begin)


def _cpu() -> float:
    """Return the CPU time of this process, and of all below it that have ended, s."""
    mine, ended = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return mine.ru_utime + mine.ru_stime + ended.ru_utime + ended.ru_stime


def many_traces(directory: Path, count: int, events: int, *, sched: bool = False) -> None:
    """Summarise and rank traces, against one alone."""
    one = record(directory, events, sched=sched)
    copies(one, directory / "copies", count)
    begin, before = time.perf_counter(), _cpu()
    with Memory() as memory:
        found = fleet([str(directory / "copies")])
    took, cpu = time.perf_counter() - begin, _cpu() - before
    size, alone = _alone(one)
    rate = count * size / took
    cores = os.cpu_count() or 1
    beside = size * _side_by_side(one, cores)
    print(
        f"{count:,} traces{' with the scheduler' if sched else ''}, {count * size:,} events: {took:.1f} s,"
        f" {rate / 1e6:.2f} M events/s,"
        f" {rate / cores / alone:.2f} x one trace's rate ({alone / 1e6:.2f} M/s) a core"
        f" ({count * size / cpu / alone:.2f} by {cpu:.1f} s of CPU time),"
        f" {rate / beside:.2f} x that of {cores} processes side by side ({beside / 1e6:.2f} M/s);"
        f" {found.processes:,} processes, {memory}",
        flush=True,
    )
    if found.processes != count:
        raise SystemExit(f"{count} were asked for: {found.problems}")


def many_summaries(directory: Path, count: int, files: int, events: int) -> None:
    """Add up many summaries."""
    row = next(iter(summaries(analysis.load(record(directory, events)), {"release": "1"})))
    (directory / "rows").mkdir()
    for number in range(files):
        rows = [
            {**row, "pid": 1 + at, "host": f"host-{number % 10}", "started_ns": row["started_ns"] + number}
            for at in range(count // files)
        ]
        schema.write(schema.table(rows), str(directory / "rows" / f"{number}.parquet"))
    begin = time.perf_counter()
    with Memory() as memory:
        found = fleet([str(directory / "rows")])
    took = time.perf_counter() - begin
    print(f"{found.summaries:,} summaries in {files:,} files: {took:.1f} s, {memory}", flush=True)


@contextmanager
def _workers(number: int, one: str) -> Iterator[str]:
    """While it lasts there are so many, which have summarised one trace; gives the scheduler's address."""
    from distributed import Client, LocalCluster

    how: dict[str, Any] = {"threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(
        n_workers=number, scheduler_kwargs={"dashboard_address": "127.0.0.1:0"}, **how
    ) as cluster:
        with Client(cluster) as client:
            client.run(_know_sleeping)
            client.run(work.scan, [Source(one, True)], How({}))  # all of it is imported
        yield cluster.scheduler_address


def _know_sleeping() -> None:
    from fsspec import register_implementation

    register_implementation("sleeping", "benchmarks.fleet.Sleeping", clobber=True)


def workers(directory: Path, count: int, events: int, *, pause: float = 0, sleeping: bool = False) -> None:
    """Time the same traces with 1, 2 and 4 workers; on CPUs, no more than there are."""
    copies(record(directory, events), directory / "copies", count)
    os.environ["SLEEPING"] = str(pause)  # for the workers too
    _know_sleeping()
    where = f"{'sleeping://' if sleeping else ''}{directory}"
    took = {}
    for number in (1, 2, 4):
        if not sleeping and number > (os.cpu_count() or 1):
            continue
        with _workers(number, f"{where}/one.trace") as address:
            begin = time.perf_counter()
            fleet([f"{where}/copies"], scheduler=address)
            took[number] = time.perf_counter() - begin
    far = f"files {1000 * pause:.0f} ms away" if sleeping else "on CPUs"
    figures = (f"{n} {time_:.1f} s ({took[1] / time_ / n:.2f} of ideal)" for n, time_ in took.items())
    print(f"{count:,} traces, {far}, by workers: {', '.join(figures)}", flush=True)


def main() -> None:
    """Print a line for each question."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--traces", type=int, default=2000)
    parser.add_argument("--events", type=int, default=500_000, help="of a trace, about")
    parser.add_argument("--summaries", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=1000, help="that the summaries are in")
    parser.add_argument("--pause", type=float, default=0.1, help="of sleeping files, seconds")
    parser.add_argument("--only", choices=["traces", "recorded", "summaries", "workers", "sleeping"])
    parser.add_argument("--short", action="store_true", help="in some seconds")
    given = parser.parse_args()
    if given.short:
        given.traces, given.events, given.summaries, given.files = 8, 20_000, 500, 10
        given.pause = 0.01
    some = max(given.traces // 20, 4)
    questions: dict[str, Callable[[Path], None]] = {
        "traces": lambda place: many_traces(place, given.traces, given.events),
        "recorded": lambda place: many_traces(place, some, given.events, sched=True),
        "summaries": lambda place: many_summaries(place, given.summaries, given.files, given.events),
        "workers": lambda place: workers(place, some, given.events),
        "sleeping": lambda place: workers(place, some, given.events // 10, pause=given.pause, sleeping=True),
    }
    for name, ask in questions.items():
        if given.only in (None, name):
            with tempfile.TemporaryDirectory(prefix="fleet-") as place:
                ask(Path(place))


if __name__ == "__main__":
    main()
