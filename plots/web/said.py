"""What the page has of the program's own marks and spans, and of waits for locks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from analysis.destinations import visible
from analysis.measures.lock_names import lock_name, place_of
from analysis.report.spans import delay_words, name_of
from analysis.tables.marks import span_rows
from analysis.why.spans import PARTS, delays, slowest, span_figures, time_in_states

if TYPE_CHECKING:
    from collections.abc import Callable

    from analysis.arrays import Int64s
    from analysis.tables.trace import Trace

MOST: Final = 20_000
"""So many spans, marks, and waits for locks are in the page: the longest, the first."""

_SLOWEST: Final = 25
_DELAYS: Final = 3


def said(trace: Trace) -> dict[str, Any]:
    """Return marks and spans by column; times count ns from the trace's begin."""
    spans, marks = trace.spans, trace.marks
    rows = span_rows(spans)
    kept = np.sort(np.argsort(-spans["duration"], kind="stable")[:MOST])
    number = _Texts()
    time = time_in_states(trace, spans)
    return {
        "spans": {
            "lane": spans["thread"][kept].tolist(),
            "begin": (spans["start"][kept] - trace.begin).tolist(),
            "duration": spans["duration"][kept].tolist(),
            "row": rows[kept].tolist(),
            "name": [number(name_of(trace, name)) for name in spans["name"][kept].tolist()],
        },
        "marks": {
            "lane": marks["thread"][:MOST].tolist(),
            "time": (marks["time"][:MOST] - trace.begin).tolist(),
            "name": [number(name_of(trace, name)) for name in marks["name"][:MOST].tolist()],
        },
        "figures": [
            {
                "name": number(name_of(trace, of.name)),
                "count": len(of.rows),
                **{key: float(getattr(of.duration, key)) for key in ("p50", "p99", "max")},
                "total": int(of.time.sum()),
                "parts": _parts(of.time),
            }
            for of in span_figures(trace, time)
        ],
        "slowest": [_slow(trace, at, time[at], number) for at in slowest(trace, _SLOWEST).tolist()],
        "parts": list(PARTS),
        "left_out": len(spans) - len(kept) + max(len(marks) - MOST, 0),
        "names": number.texts,
    }


def _parts(time: Int64s) -> list[int]:
    return [int(time[list(states)].sum()) for states in PARTS.values()]


def _slow(trace: Trace, at: int, time: Int64s, number: Callable[[str], int]) -> dict[str, Any]:
    span = trace.spans[at]
    return {
        "name": number(name_of(trace, int(span["name"]))),
        "lane": int(span["thread"]),
        "begin": int(span["start"]) - trace.begin,
        "duration": int(span["duration"]),
        "parts": _parts(time),
        "delays": [visible(delay_words(trace, delay)) for delay in delays(trace, at)[:_DELAYS]],
    }


def lock_waits(trace: Trace) -> dict[str, Any]:
    """Return waits for locks by column: of which lock, where, and who let go of it when and where."""
    waits = trace.lock_waits
    kept = waits[np.sort(np.argsort(-waits["duration"], kind="stable")[:MOST])]
    woke = np.full(len(kept), -1, np.int64)
    known = kept["wake"] >= 0
    woke[known] = trace.lock_wakes["time"][kept["wake"][known]] - trace.begin
    number = _Texts()
    locks = {
        index: number(lock_name(trace.locks[index]) if index >= 0 else "a lock")
        for index in set(kept["lock"].tolist())
    }
    frames = set(kept["frame"].tolist()) | set(kept["waker_frame"].tolist())
    places = {frame: number(place_of(trace, frame)) for frame in frames}
    return {
        "lane": kept["thread"].tolist(),
        "begin": (kept["start"] - trace.begin).tolist(),
        "duration": kept["duration"].tolist(),
        "lock": [locks[index] for index in kept["lock"].tolist()],
        "place": [places[frame] for frame in kept["frame"].tolist()],
        "waker": kept["waker"].tolist(),
        "woke": woke.tolist(),
        "waker_place": [places[frame] for frame in kept["waker_frame"].tolist()],
        "names": number.texts,
    }


class _Texts:
    """Numbers for texts, each once."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        return self._number.setdefault(visible(text), len(self._number))

    @property
    def texts(self) -> list[str]:
        return list(self._number)
