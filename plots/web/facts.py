"""What the page says of a trace, and how it looks there: everything but the intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from analysis.destinations import visible
from analysis.measures.statistics import Statistics, statistics
from analysis.model import HELD, WITHOUT, State
from analysis.report.rank import REST, rank
from analysis.report.sentences import why
from analysis.report.summary import to_json
from analysis.report.verdict import verdict
from analysis.states import LOCK_STATES
from analysis.tables.gil.anatomy import PARTS
from analysis.why.code.charges import code_blame
from analysis.why.detectors.pattern import patterns

from .. import style
from .said import lock_waits, said
from .words import WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.export.places import Places
    from analysis.tables.trace import Trace

    from ..timeline.window import Window
    from .lanes import Lanes
    from .shares import Shares

_WAITS: Final = 100
_LINES: Final = 200


def facts(
    trace: Trace, view: Window, places: Places, lanes: Lanes, shares: Sequence[Shares], title: str
) -> dict[str, Any]:
    """Return the page's data as what `json.dumps` takes. Times count ns from the trace's begin."""
    figures = statistics(trace)
    found = [pattern for pattern in patterns(trace) if pattern.name != "no contention"]
    return {
        "title": visible(title),
        "length": max(trace.end - trace.begin, 1),
        "step": lanes.step,
        "complete": bool(lanes.kept.all()),
        "view": [view.start - trace.begin, view.end - trace.begin],
        "planes": {
            "blocks": len(lanes.kept),
            "tags": lanes.tags_size,
            "durations": lanes.durations_size,
        },
        "states": [_state(each) for each in style.states_of(trace)],
        "groups": {
            "held": [int(state) for state in HELD],
            "waiting": int(State.WAITING),
            "without": [int(state) for state in WITHOUT],
            "unknown": int(State.UNKNOWN),
            "locked": [int(state) for state in LOCK_STATES],
        },
        "colours": _colours(),
        "lanes": _lanes(trace, lanes, shares, figures),
        "processes": [_process(trace, process.index) for process in trace.processes],
        "gils": [
            {"process": gil.process, "name": f"GIL {gil.number}" if several else "the GIL"}
            for several in [len(trace.gils) > 1]
            for gil in trace.gils
        ],
        "places": [[visible(text) for text in name] for name in places.names],
        "words": WORDS,
        "sentences": [visible(sentence) for sentence in (verdict(figures, trace), *why(trace))],
        "patterns": [
            {
                "name": pattern.name,
                "score": pattern.score,
                "begin": pattern.begin - trace.begin,
                "end": pattern.end - trace.begin,
                "lanes": list(pattern.threads),
                "sentence": visible(pattern.sentence),
            }
            for pattern in found
        ],
        "lines": _lines(trace, places),
        "waits": _waits(trace, places),
        "said": said(trace),
        "locks": lock_waits(trace),
        "summary": to_json(trace, figures),
    }


def _state(of: style.StateStyle) -> dict[str, Any]:
    return {
        "number": int(of.state),
        "name": of.state.name.lower(),
        "label": of.label,
        "colour": [of.colour, style.DARK.get(of.colour, of.colour)],
        "hatch": of.hatch[:1],
        "ink": [of.ink, style.DARK.get(of.ink, of.ink)],
        "height": of.height,
        "rare": of.rare,
    }


def _colours() -> dict[str, list[str]]:
    """Return what else is coloured: in the light theme, and in the dark one."""
    named = {
        "ground": "#FFFFFF",
        "ink": style.INK,
        "muted": style.MUTED,
        "faint": style.FAINT,
        "unknown": style.UNKNOWN,
        "alarm": style.ALARM,
        "mark": style.DROP_REQUEST,
        "flag": style.MARKED,
        "wait": style.WAIT,
        "hold": style.HOLD,
        "others": style.OTHERS,
    }
    return {name: [colour, style.DARK.get(colour, colour)] for name, colour in named.items()}


def _lanes(trace: Trace, lanes: Lanes, shares: Sequence[Shares], figures: Statistics) -> list[dict[str, Any]]:
    states = trace.states_by_column
    found = []
    for thread, of in zip(trace.threads, figures.threads, strict=True):
        first, last = int(states.first[thread.index]), int(states.first[thread.index + 1])
        grid = shares[thread.index]
        colour = style.OWNERS[thread.index % len(style.OWNERS)]
        found.append(
            {
                "name": visible(thread.name),
                "tid": thread.tid,
                "idle": rank(of.time, 0, 0, figures.duration, 0)[0] == REST,
                "process": thread.process,
                "begin": thread.begin - trace.begin,
                "end": thread.end - trace.begin,
                "intervals": last - first,
                "first": (thread.begin - trace.begin + lanes.step // 2) // lanes.step,
                "blocks": [int(lanes.first[thread.index]), int(lanes.first[thread.index + 1])],
                "bins": grid.bins,
                "width": grid.width,
                "written": list(grid.states),
                "derived": grid.derived,
                "colour": [colour, style.DARK.get(colour, colour)],
            }
        )
    return found


def _process(trace: Trace, index: int) -> dict[str, Any]:
    process = trace.processes[index]
    gils = [gil.index for gil in trace.gils if gil.process == index]
    return {
        "pid": process.pid,
        "name": visible(process.program),
        "gils": gils,
        "version": process.python_version,
    }


def _place(places: Places, code: int, line: int) -> int:
    return 0 if code < 0 else places.number.get((code, line), 0)


def _lines(trace: Trace, places: Places) -> dict[str, Any]:
    blame = code_blame(trace)
    rows = [
        {
            "place": _place(places, int(row["code"]), int(row["line"])),
            **{name: int(row[name]) for name in ("waited", "holds", "requested", "longest", "threads")},
            "longest_at": int(row["longest_at"]) - trace.begin,
        }
        for row in blame.lines[:_LINES]
    ]
    return {"total": blame.total, "nobody": blame.nobody, "rows": rows}


def _waits(trace: Trace, places: Places) -> list[dict[str, Any]]:
    """Return the longest waits, each with what it was spent on."""
    waits = trace.waits
    of = np.argsort(-waits["duration"], kind="stable")[:_WAITS]
    place = places.of_interval[trace.intervals_by_column.waiting]
    return [
        {
            "lane": int(waits["thread"][at]),
            "begin": int(waits["start"][at]) - trace.begin,
            "duration": int(waits["duration"][at]),
            "place": int(place[at]),
            "anatomy": {part: int(trace.anatomy[part][at]) for part in PARTS},
        }
        for at in of.tolist()
    ]
