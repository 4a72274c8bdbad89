"""Perfetto (ui.perfetto.dev, trace_processor): TracePackets of protos/perfetto/trace/trace_packet.proto.

A track for each thread with a slice for each interval and the program's marks, tracks below it with its
spans, flows for handoffs and for locks from thread to thread, a counter of waiting threads for each process,
a track for each CPU, and one with the patterns. Times are CLOCK_MONOTONIC.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ..destinations import visible
from ..why.detectors.pattern import patterns
from .lanes import Lane, Scene, is_held, state_name, thread_name
from .protobuf import block, fixed64, integer, text

if TYPE_CHECKING:
    from ..tables.trace import Trace

_PACKET: Final = 1
_TIMESTAMP, _SEQUENCE, _TRACK_EVENT, _INTERNED, _FLAGS, _TRACK = 8, 10, 11, 12, 13, 60
_CLEARED, _NEEDS = 1, 2
_BEGIN, _END, _INSTANT, _COUNTER = 1, 2, 3, 4
_TYPE, _UUID, _NAME, _NAME_IID, _VALUE, _FLOWS, _ENDING, _CATEGORY = 9, 11, 23, 10, 30, 47, 48, 22
_SOURCE_IID: Final = 34
_ROOT: Final = 1 << 32
_FIRST_WAKE: Final = 1 << 40
"""Flows of locks are numbered from here on: those below are handoffs'."""


def packets(trace: Trace) -> Iterator[bytes]:
    """Yield the file, a packet at a time."""
    scene = Scene(trace)
    yield _packet(integer(_FLAGS, _CLEARED), _tracks(scene), interned=_interned(scene))
    arriving, leaving = scene.flows(), scene.sources()
    for lane in scene.lanes():
        yield from _slices(lane, arriving.get(lane.thread.index, []), leaving.get(lane.thread.index, []))
    yield from _said(scene)
    for number, (waker, woke, waiter, awake, lock) in enumerate(scene.wakes(), _FIRST_WAKE):
        yield _event(
            woke, _INSTANT, _thread(waker), text(_NAME, f"lets go of {lock}") + fixed64(_FLOWS, number)
        )
        yield _event(awake, _INSTANT, _thread(waiter), text(_NAME, f"has {lock}") + fixed64(_ENDING, number))
    for process, (times, counts) in scene.waiters().items():
        for time, count in zip(times.tolist(), counts.tolist(), strict=True):
            yield _event(time, _COUNTER, _counter(process), integer(_VALUE, count))
    for row in trace.cpu_intervals.tolist():
        start, duration, cpu, thread, _ = row
        yield _event(start, _BEGIN, _cpu(cpu), text(_NAME, thread_name(trace.threads[thread])))
        yield _event(start + duration, _END, _cpu(cpu))
    for pattern in patterns(trace):
        yield _event(pattern.begin, _BEGIN, _pattern(pattern.process), text(_NAME, visible(pattern.sentence)))
        yield _event(pattern.end, _END, _pattern(pattern.process))


def _slices(lane: Lane, arriving: list[tuple[int, int]], leaving: list[tuple[int, int]]) -> Iterator[bytes]:
    """Yield each interval's begin and end; a hold's begin has the handoffs to it and from it."""
    track = _thread(lane.thread.index)
    arrivals = dict(arriving)
    # A hold that is split has its outgoing flow at its last part: the one that ends when it is released.
    departures = dict(leaving)
    columns = (lane.rows[name].tolist() for name in ("start", "duration", "state"))
    for start, duration, state, place in zip(*columns, lane.place.tolist(), strict=True):
        more = integer(_NAME_IID, state + 1)
        if place:
            more += integer(_SOURCE_IID, place)
        if is_held(state):
            if (number := arrivals.pop(start, None)) is not None:
                more += fixed64(_ENDING, number + 1)
            if (number := departures.pop(start + duration, None)) is not None:
                more += fixed64(_FLOWS, number + 1)
        yield _event(start, _BEGIN, track, more)
        yield _event(start + duration, _END, track)


def _said(scene: Scene) -> Iterator[bytes]:
    """Yield marks, and each span's begin and end: in a track those that don't overlap."""
    for thread, marks in scene.all_marks.items():
        for time, name in marks:
            yield _event(time, _INSTANT, _thread(thread), text(_NAME, name))
    for thread, spans in scene.all_spans.items():
        for start, duration, name, row in spans:
            yield _event(start, _BEGIN, _spans(thread, row), text(_NAME, name))
            yield _event(start + duration, _END, _spans(thread, row))


def _packet(*fields: bytes, interned: bytes = b"") -> bytes:
    head, *rest = fields
    first = integer(_SEQUENCE, 1) + head + interned
    return block(_PACKET, first) + b"".join(rest)


def _event(time: int, kind: int, track: int, more: bytes = b"") -> bytes:
    event = integer(_TYPE, kind) + integer(_UUID, track) + more
    content = integer(_TIMESTAMP, time) + integer(_SEQUENCE, 1) + integer(_FLAGS, _NEEDS)
    return block(_PACKET, content + block(_TRACK_EVENT, event))


def _interned(scene: Scene) -> bytes:
    """Return the names of states, and lines of code: function, file, line."""
    names = b"".join(
        block(2, integer(1, state + 1) + text(2, state_name(state)))
        for state in sorted({int(state) for state in set(scene.trace.states_by_column.state.tolist())})
    )
    lines = b"".join(
        block(4, integer(1, at) + text(2, visible(file)) + text(3, visible(function)) + _line(where))
        for at, (function, where, file) in enumerate(scene.places.names)
        if at
    )
    return block(_INTERNED, names + lines)


def _line(where: str) -> bytes:
    return integer(4, int(where.rpartition(":")[2]))


def _thread(index: int) -> int:
    return _ROOT + index


def _process(index: int) -> int:
    return 2 * _ROOT + index


def _counter(index: int) -> int:
    return 3 * _ROOT + index


def _pattern(index: int) -> int:
    return 4 * _ROOT + index


def _cpu(number: int) -> int:
    return 5 * _ROOT + number


def _spans(thread: int, row: int) -> int:
    return ((row + 6) << 32) + thread


def _tracks(scene: Scene) -> bytes:
    """Return the descriptors of all tracks."""
    trace = scene.trace
    found = []
    for process in trace.processes:
        command = b"".join(text(2, visible(argument)) for argument in process.argv)
        of = integer(1, process.pid) + command + text(6, visible(" ".join(process.argv)))
        found.append(integer(1, _process(process.index)) + block(3, of))
        parent = integer(5, _process(process.index))
        found.append(
            integer(1, _counter(process.index)) + parent + text(2, "threads that wait") + block(8, b"")
        )
        found.append(integer(1, _pattern(process.index)) + parent + text(2, "patterns"))
    for thread in trace.threads:
        process = trace.processes[thread.process]
        of = integer(1, process.pid) + integer(2, thread.tid) + text(5, thread_name(thread))
        found.append(integer(1, _thread(thread.index)) + integer(5, _process(process.index)) + block(4, of))
    for index, spans in scene.all_spans.items():
        for row in sorted({row for *_, row in spans}):
            parent = integer(5, _thread(index))
            found.append(integer(1, _spans(index, row)) + parent + text(2, "spans"))
    for cpu in sorted(set(trace.cpu_intervals["cpu"].tolist())):
        found.append(integer(1, _cpu(cpu)) + text(2, f"CPU {cpu}" if cpu >= 0 else "CPU not known"))
    return b"".join(block(_PACKET, integer(_SEQUENCE, 1) + block(_TRACK, of)) for of in found)
