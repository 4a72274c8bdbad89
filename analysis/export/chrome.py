"""Chrome's trace events (chrome://tracing, Perfetto, VizTracer's viewer): JSON, an event a line.

A complete event (X) for each interval, flow events (s, f) for handoffs and locks from thread to thread, a
counter (C) of waiting threads for each process, what the program says of itself as nestable events (b, e) and
instants (i). Times are µs since the trace's begin, with the ns as decimals.
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
    yield from _said(scene)
    switches = trace.handoffs[trace.handoffs["from_thread"] != trace.handoffs["to_thread"]]
    for number, row in enumerate(switches):
        for ph, name, time in (("s", "from_thread", "released"), ("f", "to_thread", "acquired")):
            thread = trace.threads[row[name]]
            at = {"pid": trace.processes[thread.process].pid, "tid": thread.tid}
            event = {"ph": ph, "id": number, "name": "handoff", "cat": "gil", **at}
            event["ts"] = (int(row[time]) - trace.begin) / 1000
            yield event | ({"bp": "e"} if ph == "f" else {})
    for number, (waker, woke, waiter, awake, lock) in enumerate(scene.wakes(), len(switches)):
        for ph, index, moment in (("s", waker, woke), ("f", waiter, awake)):
            event = {"ph": ph, "id": number, "name": lock, "cat": "lock", **_at(scene, index)}
            event["ts"] = (moment - trace.begin) / 1000
            yield event | ({"bp": "e"} if ph == "f" else {})
    for process_index, (times, counts) in scene.waiters().items():
        pid = trace.processes[process_index].pid
        for time, count in zip(times.tolist(), counts.tolist(), strict=True):
            event = {"ph": "C", "name": "threads that wait", "pid": pid, "ts": (time - trace.begin) / 1000}
            yield event | {"args": {"waiting": count}}


def _at(scene: Scene, index: int) -> dict[str, Any]:
    thread = scene.trace.threads[index]
    return {"pid": scene.trace.processes[thread.process].pid, "tid": thread.tid}


def _said(scene: Scene) -> Iterator[dict[str, Any]]:
    """Yield spans and marks: spans of a thread may overlap, so they are no complete events."""
    begin = scene.trace.begin
    number = 0
    for index, spans in scene.all_spans.items():
        for start, duration, name, _ in spans:
            for ph, time in (("b", start), ("e", start + duration)):
                event = {"ph": ph, "id": number, "name": name, "cat": "span", **_at(scene, index)}
                yield event | {"ts": (time - begin) / 1000}
            number += 1
    for index, marks in scene.all_marks.items():
        for time, name in marks:
            at = _at(scene, index)
            yield {"ph": "i", "s": "t", "name": name, "cat": "mark", **at, "ts": (time - begin) / 1000}
