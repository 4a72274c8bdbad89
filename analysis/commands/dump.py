"""The text form of a trace: one line an event, for tests, reviews and grep."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TextIO

import numpy as np

from ..arguments import Parser
from ..arrays import Int64s
from ..destinations import visible
from ..reader.format import NO_GIL, Event, Sched
from ..reader.sched.scheduling import Scheduling
from ..reader.streams.grammar import LOST
from ..tables.load import load
from ..tables.trace import Trace

_AT_ONCE = 1 << 16
_NAMES = {
    LOST: "(events lost)",
    **{int(event): event.name.lower() for event in Event},
    **{int(event): event.name.lower() for event in Sched},
}


def main(arguments: list[str]) -> int:
    """Run `python -m tracer dump TRACE`; returns the exit status.

    Raises
    ------
    GilscopeError
        It is not one trace, or not a right one.
    """
    parser = Parser(prog="gilscope dump", description="Print all events of a trace, one a line.")
    parser.add_argument("trace", metavar="TRACE", help="the directory that was recorded, or a packed one")
    trace = load(parser.parse_args(arguments).trace)
    dump(trace, sys.stdout)
    sys.stdout.flush()
    return 0


def dump(trace: Trace, file: TextIO) -> None:
    """Write all events of a trace, in the order of time.

    Each line has the seconds since the trace's begin, pid, tid and name of the thread, the event, and what it
    is about:

             0.000001500     100     101 worker           gil_wait gil=0
             0.000001900     100     101 worker           sched_in cpu=1

    Events of one time are in the order of their threads, what the scheduler did before what they did. Not all
    of it is in memory as text at once. What the scheduler saw before the trace's begin has a negative time.
    """
    columns, scheduling = trace.columns, trace.scheduling
    lives = [_thread(trace, index) for index in range(len(trace.threads))]
    # A thread that only the scheduler knows has no events of its own, just the place where they would be.
    real = np.ones(len(columns.time), bool)
    real[columns.first[:-1]] = (columns.kind[columns.first[:-1]] != LOST) | columns.seen_alive
    mine = np.flatnonzero(real)
    time, who, kind = columns.time[mine], columns.thread_of(mine), columns.kind[mine].astype(np.int64)
    gil, arg = columns.gil[mine], columns.arg[mine].astype(np.int64)
    side = trace.side
    time = np.concatenate([time, side.time])
    who = np.concatenate([who, side.thread_of(np.arange(len(side.time)))])
    kind = np.concatenate([kind, side.kind.astype(np.int64)])
    gil = np.concatenate([gil, np.full(len(side.time), NO_GIL, np.uint16)])
    arg = np.concatenate([arg, side.arg.astype(np.int64)])
    if scheduling is not None:
        task = np.repeat(np.arange(len(scheduling.tasks)), np.diff(scheduling.first))
        lives += list(_tasks(trace, scheduling))
        time = np.concatenate([scheduling.time, time])
        who = np.concatenate([task + len(trace.threads), who])
        kind = np.concatenate([scheduling.kind, kind])
        gil = np.concatenate([np.full(len(task), NO_GIL, np.uint16), gil])
        arg = np.concatenate([scheduling.cpu, arg])
    order: Int64s = np.argsort(time, kind="stable")
    for begin in range(0, len(order), _AT_ONCE):
        at = order[begin : begin + _AT_ONCE]
        rows = zip(
            (time[at] - trace.begin).tolist(),
            who[at].tolist(),
            kind[at].tolist(),
            gil[at].tolist(),
            arg[at].tolist(),
            strict=True,
        )
        file.writelines(_lines(rows, lives))


def _thread(trace: Trace, index: int) -> str:
    thread = trace.threads[index]
    return f"{trace.processes[thread.process].pid:7d} {thread.tid:7d} {visible(thread.name):<16}"


def _tasks(trace: Trace, scheduling: Scheduling) -> Iterator[str]:
    """Yield the same for the scheduler's tasks: as a thread that it is, or by its name in the OS."""
    threads = {task: index for index, task in enumerate(trace.tasks)}
    for index, task in enumerate(scheduling.tasks):
        thread = threads.get(index)
        yield (
            f"{task.pid:7d} {task.tid:7d} {visible(task.comm):<16}"
            if thread is None
            else _thread(trace, thread)
        )


def _lines(rows: Iterator[tuple[int, int, int, int, int]], lives: list[str]) -> Iterator[str]:
    for time, who, kind, gil, arg in rows:
        if kind >= min(Sched):
            about = f" cpu={arg}"
        else:
            about = f" gil={gil}" if gil != NO_GIL else f" {arg}" if arg else ""
        sign, time = ("-", -time) if time < 0 else ("", time)
        seconds = f"{sign}{time // 1_000_000_000}"
        yield f"{seconds:>6}.{time % 1_000_000_000:09d} {lives[who]} {_NAMES[kind]}{about}\n"
