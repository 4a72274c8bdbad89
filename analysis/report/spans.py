"""Spans as tables and sentences for a terminal, and for machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from rich import box
from rich.table import Table

from ..arrays import Int64s
from ..destinations import terminal
from ..measures.lock_names import lock_name
from ..model import State
from ..states import STATES
from ..tables.trace import Trace
from ..units import count, duration, share
from ..why.code.words import NOT_RECORDED, function, place
from ..why.spans import NOBODY, PARTS, Delay, SpanFigures, delays, slowest, span_figures, time_in_states

UNNAMED: Final = "(name not recorded)"
_NAMED: Final = 3
"""So many delays of a span are named."""


def name_of(trace: Trace, name: int) -> str:
    """Return what a mark or a span is called."""
    return trace.mark_names[name] if name >= 0 else UNNAMED


def span_table(trace: Trace, figures: list[SpanFigures], most: int) -> Table:
    """Return a row for each name of spans: durations, and what they consist of."""
    table = _table("span")
    parts = [part for part, states in PARTS.items() if any(of.time[list(states)].sum() for of in figures)]
    for column in ("count", "p50", "p99", "max", "in all", *parts):
        table.add_column(column, justify="right", no_wrap=True)
    for of in figures[:most]:
        took = int(of.time.sum())
        lengths = (of.duration.p50, of.duration.p99, of.duration.max) if of.duration.count else ()
        table.add_row(
            terminal(name_of(trace, of.name)),
            count(len(of.rows)) + (f" ({of.unfinished} open)" if of.unfinished else ""),
            *(tuple(duration(length) for length in lengths) or ("–",) * 3),
            duration(took),
            *(share(int(of.time[list(PARTS[part])].sum()) / max(took, 1)) for part in parts),
        )
    if len(figures) > most:
        table.add_row(f"{len(figures) - most} names more", style="dim")
    return table


def _table(first: str) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, header_style="dim"
    )
    table.add_column(first, no_wrap=True, max_width=40, overflow="ellipsis")
    return table


def marks_line(trace: Trace) -> str:
    """Return how often which marks were made; "": there are none."""
    if not len(trace.marks):
        return ""
    found = Counter(name_of(trace, name) for name in trace.marks["name"].tolist())
    said = [f"{name} ({count(times)})" for name, times in found.most_common(5)]
    more = f", and {len(found) - 5} names more" if len(found) > 5 else ""
    return f"{count(len(trace.marks))} marks: {', '.join(said)}{more}."


def sentences(trace: Trace, time: Int64s, rows: Int64s) -> Iterator[str]:
    """Yield for some spans how long each took, and by whom it was delayed."""
    for at in rows.tolist():
        span = trace.spans[at]
        thread = trace.threads[span["thread"]]
        took = int(span["duration"])
        parts = {part: int(time[at, list(states)].sum()) for part, states in PARTS.items()}
        most = sorted((part for part in parts if parts[part] > 0), key=lambda part: -parts[part])[:_NAMED]
        spent = ", ".join(f"{part} {duration(parts[part])}" for part in most)
        begin = (int(span["start"]) - trace.begin) / 1e9
        name = name_of(trace, int(span["name"]))
        yield f"{name} took {duration(took)} in {thread.name} at {begin:.6f} s: {spent}."
        for delay in delays(trace, at)[:_NAMED]:
            yield f"  {delay_words(trace, delay)}"


def delay_words(trace: Trace, delay: Delay) -> str:
    """Return "12.3 ms for the GIL: worker-2 had it, in crunch(), app.py:12"."""
    what = "the GIL" if delay.lock is None else _lock(trace, delay.lock)
    said = f"{duration(delay.time)} for {what}: "
    if delay.thread == NOBODY:
        return said + ("to be woken up" if delay.lock is None else "who let go of it is not known")
    who = trace.threads[delay.thread].name
    verb = "had it" if delay.lock is None else "let go of it"
    where = NOT_RECORDED
    if delay.code >= 0:
        code = trace.codes[delay.code]
        where = f"in {function(code)}, {place(code, delay.line)}"
    return f"{said}{who} {verb}, {where}"


def _lock(trace: Trace, lock: int) -> str:
    return lock_name(trace.locks[lock]) if lock >= 0 else "a lock"


def to_json(trace: Trace, most: int) -> dict[str, Any]:
    """Return spans and marks for machines.

    `{"spans": [{"name" (null: not recorded), "count", "unfinished", "duration_ns": {"total", "min", "mean",
    "p50", "p90", "p99", "max"} of those that ended (null: none did), "states_ns": {state: ns}}], "slowest":
    [{"name", "pid", "tid", "thread", "begin_ns" (CLOCK_MONOTONIC), "duration_ns", "states_ns", "delays":
    [{"lock" (null: the GIL), "pid", "tid", "thread" (null: not known), "function", "file", "line" (null: not
    recorded), "time_ns"}]}], "marks": [{"name", "count"}]}`: names that took longest first, longest spans
    first, states as in the summary.
    """
    time = time_in_states(trace, trace.spans)
    marks = Counter(trace.marks["name"].tolist())
    return {
        "spans": [_figures(trace, of) for of in span_figures(trace, time)],
        "slowest": [_span(trace, at, time[at]) for at in slowest(trace, most).tolist()],
        "marks": [{"name": _name(trace, name), "count": times} for name, times in marks.most_common()],
    }


def _name(trace: Trace, name: int) -> str | None:
    return trace.mark_names[name] if name >= 0 else None


def _figures(trace: Trace, of: SpanFigures) -> dict[str, Any]:
    lengths = {name: value for name, value in vars(of.duration).items() if name != "count"}
    return {
        "name": _name(trace, of.name),
        "count": len(of.rows),
        "unfinished": of.unfinished,
        "duration_ns": lengths if of.duration.count else None,
        "states_ns": _states(of.time),
    }


def _states(time: Int64s) -> dict[str, int]:
    return {STATES[State(state)].word: int(time[state]) for state in np.flatnonzero(time).tolist()}


def _span(trace: Trace, at: int, time: Int64s) -> dict[str, Any]:
    span = trace.spans[at]
    thread = trace.threads[span["thread"]]
    return {
        "name": _name(trace, int(span["name"])),
        "pid": trace.processes[thread.process].pid,
        "tid": thread.tid,
        "thread": thread.name,
        "begin_ns": int(span["start"]),
        "duration_ns": int(span["duration"]),
        "states_ns": _states(time),
        "delays": [_delay(trace, delay) for delay in delays(trace, at)],
    }


def _delay(trace: Trace, delay: Delay) -> dict[str, Any]:
    thread = trace.threads[delay.thread] if delay.thread != NOBODY else None
    code = trace.codes[delay.code] if delay.code >= 0 else None
    return {
        "lock": None if delay.lock is None else _lock(trace, delay.lock),
        "pid": trace.processes[thread.process].pid if thread else None,
        "tid": thread.tid if thread else None,
        "thread": thread.name if thread else None,
        "function": code.name if code else None,
        "file": code.file if code else None,
        "line": (delay.line or code.first_line) if code else None,
        "time_ns": delay.time,
    }
