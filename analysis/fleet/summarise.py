"""A trace as summaries: a row of `schema` for each process, or for each window of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from ..arrays import Int64s, Table
from ..measures.histogram import Histogram, histogram, histogram_of
from ..measures.locks import LockFigures
from ..measures.statistics import ProcessStatistics, statistics
from ..model import WITHOUT, Gil, Process, total
from ..tables.trace import Trace
from ..why.code.charges import CodeBlame, code_blame
from ..why.detectors.pattern import patterns
from .tags import parse_tags

MOST_LINES: Final = 500
OTHER_LINES: Final = "(other lines)"
_MOST: Final = 50
_SUMS: Final = ("waited", "contended", "at_ends", "samples", "holds", "requested")
_GREATEST: Final = ("longest", "slowest")


def summaries(trace: Trace, tags: Mapping[str, str], *, every: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the rows of a trace.

    Parameters
    ----------
    trace : Trace
    tags : mapping
        For all its rows, over what the recording was tagged with. "service" and "host" are columns.
    every : int
        ns of a window; 0: one window, the whole recording.
    """
    made = time.time_ns()
    begin = trace.begin
    while begin < trace.end:
        end = min(begin + every, trace.end) if every else trace.end
        window = trace if (begin, end) == (trace.begin, trace.end) else trace.between(begin, end)
        yield from _of_window(trace, window, tags, made)
        begin = end


def _of_window(whole: Trace, trace: Trace, tags: Mapping[str, str], made: int) -> Iterator[dict[str, Any]]:
    figures, found = statistics(trace), patterns(trace)
    for of in figures.processes:
        process = of.process
        began = whole.processes[process.index]
        if "unrecorded" in process.environment or process.end <= process.begin:
            continue
        utc = process.utc_offset
        tagged = {**_tags_of(began.environment), **tags}
        code = code_blame(trace, process)
        yield {
            "host": tagged.pop("host", process.hostname),
            "service": tagged.pop("service", "") or process.program,
            "pid": process.pid,
            "started_ns": _started(process) + utc,
            "begin_ns": process.begin + utc,
            "end_ns": process.end + utc,
            "summarised_ns": made,
            "argv": list(process.argv),
            "python": process.python_version,
            "gilscope": str(process.environment.get("gilscope_version", "")),
            "tags": list(tagged.items()),
            "ended": process.ended if process.end == began.end else "running",
            "threads": len(of.threads),
            "discarded": process.discarded,
            **_amounts(trace, of),
            "nobody_ns": code.nobody,
            "lines": _lines(trace, code, utc),
            "waiting": _waiting(trace, code, utc),
            "locks": _locks(figures.locks, process.index),
            "patterns": [
                {
                    "name": pattern.name,
                    "score": pattern.score,
                    "begin_ns": pattern.begin + utc,
                    "end_ns": pattern.end + utc,
                    "sentence": pattern.sentence,
                }
                for pattern in found[:_MOST]
                if pattern.process == process.index
            ],
        }


def _started(process: Process) -> int:
    """Return when its recording began, also where only the newest part of it is there."""
    recorded = process.environment.get("recording_start")
    return recorded if isinstance(recorded, int) else process.begin


def _tags_of(environment: Mapping[str, Any]) -> dict[str, str]:
    """Return what the program itself was tagged with when it was recorded."""
    try:
        return parse_tags(str(environment.get("tags", "")))
    except ValueError:
        return {}  # whoever set it was told by the recorder


def _amounts(trace: Trace, of: ProcessStatistics) -> dict[str, Any]:
    waits, holds = _waits_and_holds(trace, [gil.gil for gil in of.gils])
    return {
        "acquires": of.counts.acquires,
        "contended_acquires": of.counts.contended_acquires,
        "timeouts": of.counts.timeouts,
        "requested_releases": of.counts.requested_releases,
        "held_ns": sum(gil.held for gil in of.gils),
        "contended_ns": sum(gil.contended for gil in of.gils),
        "released_ns": total(of.time, WITHOUT),
        "wait": _histogram(waits),
        "hold": _histogram(holds),
        "lock_wait": _histogram(histogram(_lock_waits(trace, of.process.index))),
    }


def _waits_and_holds(trace: Trace, gils: Sequence[Gil]) -> tuple[Histogram, Histogram]:
    folded = trace.folded
    if folded is not None:  # as every figure of such a trace: no table is made of it
        items = [item for gil in gils for item in folded.of_gil(gil.index)]
        return histogram_of(folded.waits_of(items)), histogram_of(folded.holds_of(items))
    durations = trace.intervals_by_column.duration

    def of_gils(positions: list[Int64s]) -> Histogram:
        every = np.concatenate([durations[at] for at in positions]) if positions else np.zeros(0, np.int64)
        return histogram(every.astype(np.int64))

    return of_gils([trace.waiting(gil) for gil in gils]), of_gils([trace.holding(gil) for gil in gils])


def _lock_waits(trace: Trace, process: int) -> Int64s:
    waits = trace.lock_waits
    mine = np.array([thread.process == process for thread in trace.threads], bool)
    some = ~waits["stopped"] & mine[waits["thread"]] if len(waits) else slice(0)
    return waits["duration"][some].astype(np.int64)


def _histogram(of: Histogram) -> dict[str, Any]:
    return {
        "count": of.count,
        "total_ns": of.total,
        "min_ns": of.min,
        "max_ns": of.max,
        "bins": of.bins,
        "counts": of.counts,
    }


def _place(trace: Trace, row: Any) -> dict[str, Any]:
    if row["code"] < 0:
        return {"function": None, "file": None, "line": 0}
    code = trace.codes[row["code"]]
    return {"function": code.name, "file": code.file, "line": int(row["line"])}


def _lines(trace: Trace, code: CodeBlame, utc: int) -> list[dict[str, Any]]:
    rows = code.lines
    kept = [_line(_place(trace, row), row, utc) for row in rows[:MOST_LINES]]
    rest = rows[MOST_LINES:]
    if len(rest):
        kept.append(_line({"function": OTHER_LINES, "file": None, "line": 0}, _summed(rest), utc))
    return kept


def _line(place: dict[str, Any], row: Any, utc: int) -> dict[str, Any]:
    return {
        **place,
        "waited_ns": int(row["waited"]),
        "contended_ns": int(row["contended"]),
        "at_ends_ns": int(row["at_ends"]),
        "samples": int(row["samples"]),
        "holds": int(row["holds"]),
        "requested": int(row["requested"]),
        "longest_ns": int(row["longest"]),
        "longest_at_ns": int(row["longest_at"]) + utc,
        "slowest_ns": int(row["slowest"]),
    }


def _summed(rows: Table) -> dict[str, int]:
    worst = int(np.argmax(rows["longest"]))
    return {
        **{name: int(rows[name].sum()) for name in _SUMS},
        **{name: int(rows[name].max()) for name in _GREATEST},
        "longest_at": int(rows["longest_at"][worst]),
    }


def _waiting(trace: Trace, code: CodeBlame, utc: int) -> list[dict[str, Any]]:
    return [
        {
            **_place(trace, row),
            "waited_ns": int(row["waited"]),
            "waits": int(row["waits"]),
            "longest_ns": int(row["longest"]),
            "longest_at_ns": int(row["longest_at"]) + utc,
        }
        for row in code.waiting[:MOST_LINES]
    ]


def _locks(figures: LockFigures, process: int) -> list[dict[str, Any]]:
    return [
        {
            "name": of.name,
            "kind": of.lock.kind.value,
            "waits": of.wait.count,
            "waited_ns": of.wait.total,
            "longest_ns": of.wait.max,
            "where": of.where,
        }
        for of in figures.locks
        if of.lock.process == process
    ][:_MOST]
