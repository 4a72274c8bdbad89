"""The text form of a trace: one line an event, for tests, reviews and grep."""

from __future__ import annotations

from typing import TextIO

import numpy as np

from .arrays import Int64s
from .format import NO_GIL, Event
from .grammar import LOST
from .trace import Trace

_AT_ONCE = 1 << 16
_NAMES = {LOST: "(events lost)", **{int(event): event.name.lower() for event in Event}}


def dump(trace: Trace, file: TextIO) -> None:
    """Write all events of a trace, in the order of time.

    Each line has the seconds since the trace's begin, pid, tid and name of the thread, the event, and what it
    is about:

             0.000001500     100     101 worker           gil_wait gil=0

    Events of one time are in the order of their threads. Not all of it is in memory as text at once.
    """
    columns = trace.columns
    lives = [_thread(trace, index) for index in range(len(trace.threads))]
    order = _in_time(trace)
    for begin in range(0, len(order), _AT_ONCE):
        at = order[begin : begin + _AT_ONCE]
        rows = zip(
            (columns.time[at] - trace.begin).tolist(),
            columns.thread_of(at).tolist(),
            columns.kind[at].tolist(),
            columns.gil[at].tolist(),
            columns.arg[at].tolist(),
            strict=True,
        )
        file.writelines(_line(time, lives[thread], kind, gil, arg) for time, thread, kind, gil, arg in rows)


def _thread(trace: Trace, index: int) -> str:
    thread = trace.threads[index]
    return f"{trace.processes[thread.process].pid:7d} {thread.tid:7d} {thread.name:<16}"


def _line(time: int, thread: str, kind: int, gil: int, arg: int) -> str:
    about = f" gil={gil}" if gil != NO_GIL else f" {arg}" if arg else ""
    return f"{time // 1_000_000_000:6d}.{time % 1_000_000_000:09d} {thread} {_NAMES[kind]}{about}\n"


def _in_time(trace: Trace) -> Int64s:
    order: Int64s = np.argsort(trace.columns.time, kind="stable")
    return order
