"""A thread's stretches on CPUs, as a test reads them."""

from collections.abc import Sequence
from pathlib import Path

import analysis
from analysis import State
from analysis.tables.trace import Trace
from tests.analysis.scenes import one_thread
from tests.synthetic import TraceWriter


def of(trace: Trace, thread: int) -> list[tuple[int, int, State, int]]:
    rows = trace.intervals[trace.intervals["thread"] == thread]
    return [
        (start, end, State(state), cpu)
        for start, end, state, cpu in zip(
            rows["start"].tolist(),
            (rows["start"] + rows["duration"]).tolist(),
            rows["state"].tolist(),
            rows["cpu"].tolist(),
            strict=True,
        )
    ]


def tiles(trace: Trace) -> bool:
    for thread in trace.threads:
        rows = of(trace, thread.index)
        ends = [thread.begin, *(end for _, end, *_ in rows)]
        if [start for start, *_ in rows] != ends[:-1] or ends[-1] != thread.end:
            return False
    return True


def lone(
    path: Path,
    events: Sequence[tuple[int, str, int]],
    *,
    cpus: dict[int, Sequence[tuple[int, str, int]]] | None = None,
    stop: int | None = 450,
) -> Trace:
    """One thread, 0 to 450: holds 0-100, 150-250, 300-400; its CPUs."""
    one_thread(path)
    with TraceWriter(path) as trace:
        sched = trace.scheduler(0)
        for cpu, of_cpu in {0: events, **(cpus or {})}.items():
            sched.events(cpu, of_cpu)
        sched.task(100, 0, 100, "python")
        if stop is not None:
            sched.stop(stop)
    return analysis.load(path)
