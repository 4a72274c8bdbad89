"""Chrome's trace events (chrome://tracing, Perfetto, VizTracer's viewer): JSON, an event a line.

A complete event (X) for each interval, flow events (s, f) for handoffs from thread to thread, a counter (C)
of waiting threads for each process. Times are µs since the trace's begin, with the ns as decimals.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..destinations import visible
from .lanes import Scene, state_name, thread_name

if TYPE_CHECKING:
    from ..tables.trace import Trace


def lines(trace: Trace) -> Iterator[str]:
    """Yield the file, a line at a time."""
    yield '{"displayTimeUnit":"ns","traceEvents":[\n'
    separator = ""
    for event in _events(trace):
        yield separator + json.dumps(event, separators=(",", ":"))
        separator = ",\n"
    yield "\n]}\n"


def _events(trace: Trace) -> Iterator[dict[str, Any]]:
    scene = Scene(trace)
    for process in trace.processes:
        named = {"name": visible(" ".join(process.argv))}
        yield {"ph": "M", "name": "process_name", "pid": process.pid, "args": named}
    for lane in scene.lanes():
        thread = lane.thread
        at = {"pid": trace.processes[thread.process].pid, "tid": thread.tid}
        yield {"ph": "M", "name": "thread_name", **at, "args": {"name": thread_name(thread)}}
        columns = (lane.rows[name].tolist() for name in ("start", "duration", "state"))
        for start, duration, state, place in zip(*columns, lane.place.tolist(), strict=True):
            event: dict[str, Any] = {"ph": "X", "name": state_name(state), "cat": "gil", **at}
            event |= {"ts": (start - trace.begin) / 1000, "dur": duration / 1000}
            if place:
                event["args"] = {"line": scene.where(place)}
            yield event
    switches = trace.handoffs[trace.handoffs["from_thread"] != trace.handoffs["to_thread"]]
    for number, row in enumerate(switches):
        for ph, name, time in (("s", "from_thread", "released"), ("f", "to_thread", "acquired")):
            thread = trace.threads[row[name]]
            at = {"pid": trace.processes[thread.process].pid, "tid": thread.tid}
            event = {"ph": ph, "id": number, "name": "handoff", "cat": "gil", **at}
            event["ts"] = (int(row[time]) - trace.begin) / 1000
            yield event | ({"bp": "e"} if ph == "f" else {})
    for process_index, (times, counts) in scene.waiters().items():
        pid = trace.processes[process_index].pid
        for time, count in zip(times.tolist(), counts.tolist(), strict=True):
            event = {"ph": "C", "name": "threads that wait", "pid": pid, "ts": (time - trace.begin) / 1000}
            yield event | {"args": {"waiting": count}}
