"""Firefox Profiler (profiler.firefox.com): its processed format, version 57, as Python 3.15 writes it too.

A marker for each interval, with its line of code and, for a wait, what it was spent on or whose lock it was
for, and one for each of the program's marks and spans; samples are the stacks that let go of the GIL while
others waited, weighted with what they are charged with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..destinations import visible
from ..model import State
from ..states import LOCK_STATES, STATES
from ..tables.gil.anatomy import PARTS
from ..why.code.flames import UNKNOWN, Flame, flame
from .lanes import Lane, Scene, state_name, thread_name

if TYPE_CHECKING:
    from ..tables.trace import Trace

_VERSION: Final = 57
_SPAN, _MARK = "span", "mark"
_COLOURS: Final = ("grey", "blue", "orange", "lightblue", "green", "lightgreen", "purple", "yellow", "red")


def profile(trace: Trace) -> dict[str, Any]:
    """Return the file as what `json.dumps` takes; times are ms since the trace's begin."""
    scene = Scene(trace)
    strings: dict[str, int] = {}
    found = flame(trace)
    threads = [_thread(scene, lane, strings) for lane in scene.lanes()]
    threads.append(_blame(trace, found, strings))
    first = trace.processes[0] if trace.processes else None
    start = (trace.begin + (first.utc_offset if first else 0)) / 1e6
    return {
        "meta": {
            "interval": 1,
            "startTime": start,
            "profilingEndTime": (trace.end - trace.begin) / 1e6,
            "abi": "",
            "misc": "",
            "oscpu": "",
            "platform": "Linux",
            "processType": 0,
            "categories": _categories(),
            "product": visible(" ".join(first.argv)) if first else "gilscope",
            "stackwalk": 0,
            "debug": False,
            "gcpoison": False,
            "asyncstack": True,
            "version": 24,
            "preprocessedProfileVersion": _VERSION,
            "physicalCPUs": 0,
            "logicalCPUs": 0,
            "symbolicated": True,
            "markerSchema": _schemas(),
            "importedFrom": "gilscope",
            "extensions": {"id": [], "name": [], "baseURL": [], "length": 0},
            "keepProfileThreadOrder": True,
        },
        "libs": [],
        "threads": threads,
        "pages": [],
        "shared": {"stringArray": list(strings), "sources": {"length": 0, "uuid": [], "filename": []}},
    }


def _categories() -> list[dict[str, Any]]:
    return [
        {
            "name": kind.label,
            "color": _COLOURS[at % len(_COLOURS)],
            "subcategories": ["Other"],
        }
        for at, kind in enumerate(STATES.values())
    ]


def _schemas() -> list[dict[str, Any]]:
    """Return what a marker's table shows: one kind of marker for each state."""
    display = ["marker-chart", "marker-table", "timeline-overview"]
    parts = [{"key": part, "label": part, "format": "duration"} for part in PARTS]
    locks = [
        {"key": key, "label": label, "format": "string"}
        for key, label in (("lock", "lock"), ("let_go_by", "let go by"))
    ]
    said = [
        {
            "name": name,
            "display": display,
            "chartLabel": "{marker.name}",
            "tooltipLabel": "{marker.name}",
            "tableLabel": "{marker.name}",
            "fields": [],
        }
        for name in (_SPAN, _MARK)
    ]
    return said + [
        {
            "name": kind.state.name,
            "display": display,
            "chartLabel": kind.label,
            "tooltipLabel": kind.label,
            "tableLabel": "{marker.data.line}",
            "fields": [
                {"key": "line", "label": "line", "format": "string"},
                *(parts if kind.state == State.WAITING else locks if kind.state in LOCK_STATES else []),
            ],
        }
        for kind in STATES.values()
    ]


def _intern(strings: dict[str, int], text: str) -> int:
    return strings.setdefault(text, len(strings))


def _thread(scene: Scene, lane: Lane, strings: dict[str, int]) -> dict[str, Any]:
    trace, rows = scene.trace, lane.rows
    categories = {kind.state: at for at, kind in enumerate(STATES.values())}
    starts = ((rows["start"] - trace.begin) / 1e6).tolist()
    ends = ((rows["start"] + rows["duration"] - trace.begin) / 1e6).tolist()
    states = rows["state"].tolist()
    # Waits are in the order of their thread's intervals.
    mine = trace.waits["thread"] == lane.thread.index
    parts = {part: iter((trace.anatomy[part][mine] / 1e6).tolist()) for part in PARTS}
    data = []
    locks = scene.locks(lane)
    for row, (state, place) in enumerate(zip(states, lane.place.tolist(), strict=True)):
        of: dict[str, Any] = {"type": State(state).name}
        if row in locks:
            of["lock"], of["let_go_by"] = locks[row]
        if place:
            of["line"] = scene.where(place)
        if state == State.WAITING:
            of |= {part: next(values) for part, values in parts.items()}
        data.append(of)
    made = _empty(trace, lane.thread.process, thread_name(lane.thread), lane.thread.tid, lane.thread.main)
    made["markers"] = {
        "name": [_intern(strings, state_name(state)) for state in states],
        "startTime": starts,
        "endTime": ends,
        "phase": [1] * len(states),
        "category": [categories[State(state)] for state in states],
        "data": data,
        "length": len(states),
    }
    _add_said(scene, lane.thread.index, made["markers"], strings)
    made["registerTime"], made["unregisterTime"] = starts[0], ends[-1]
    return made


def _add_said(scene: Scene, thread: int, markers: dict[str, Any], strings: dict[str, int]) -> None:
    """Add a thread's spans and marks to its markers."""
    begin = scene.trace.begin
    said: list[tuple[str, float, float | None, str]] = [
        (name, (start - begin) / 1e6, (start + length - begin) / 1e6, _SPAN)
        for start, length, name, _ in scene.all_spans.get(thread, [])
    ]
    said += [(name, (time - begin) / 1e6, None, _MARK) for time, name in scene.all_marks.get(thread, [])]
    for name, start, end, kind in said:
        markers["name"].append(_intern(strings, name))
        markers["startTime"].append(start)
        markers["endTime"].append(end)
        markers["phase"].append(0 if end is None else 1)
        markers["category"].append(0)
        markers["data"].append({"type": kind})
    markers["length"] += len(said)


def _blame(trace: Trace, found: Flame, strings: dict[str, int]) -> dict[str, Any]:
    """Return a thread that is none: each of its samples a stack, weighted with the ms that others waited."""
    made = _empty(trace, 0, "blame: who held the GIL while others waited", 0, False)
    codes = sorted({int(code) for code in found.code})
    number = {code: at for at, code in enumerate(codes)}
    names = [visible(found.codes[code].name) for code in codes] + [UNKNOWN]
    lines: list[int | None] = [found.codes[code].first_line for code in codes] + [None]
    files = [_intern(strings, visible(found.codes[code].file)) for code in codes]
    count = len(names)
    none: list[None] = [None] * count
    made["funcTable"] = {
        "name": [_intern(strings, name) for name in names],
        "isJS": [False] * count,
        "relevantForJS": [False] * count,
        "resource": [-1] * count,
        "fileName": [*files, None],
        "lineNumber": lines,
        "columnNumber": none,
        "length": count,
    }
    made["frameTable"] = {
        "address": [-1] * count,
        "inlineDepth": [0] * count,
        "category": [0] * count,
        "subcategory": [0] * count,
        "func": list(range(count)),
        "nativeSymbol": none,
        "innerWindowID": none,
        "implementation": none,
        "line": lines,
        "column": none,
        "length": count,
    }
    parents = [None if parent < 0 else parent for parent in found.parent.tolist()]
    frames = [number[code] for code in found.code.tolist()]
    made["stackTable"] = _columns(
        frame=[*frames, count - 1],
        prefix=[*parents, None],
        category=[0] * (len(frames) + 1),
        subcategory=[0] * (len(frames) + 1),
    )
    charged = np.flatnonzero(found.own).tolist()
    stacks = [*charged, *([len(frames)] if found.unknown else [])]
    weights = [*(found.own[charged] / 1e6).tolist(), *([found.unknown / 1e6] if found.unknown else [])]
    length = (trace.end - trace.begin) / 1e6
    made["samples"] = _columns(
        stack=stacks,
        time=[length * at / max(len(stacks), 1) for at in range(len(stacks))],
        weight=weights,
    )
    made["samples"]["weightType"] = "tracing-ms"
    return made


def _columns(**columns: Sequence[Any]) -> dict[str, Any]:
    return {**columns, "length": len(next(iter(columns.values())))}


def _empty(trace: Trace, process: int, name: str, tid: int, main: bool) -> dict[str, Any]:
    """Return a thread with nothing in it."""
    of = trace.processes[process] if trace.processes else None
    pid = of.pid if of else 0
    return {
        "name": name,
        "isMainThread": main,
        "processStartupTime": 0,
        "processShutdownTime": None,
        "registerTime": 0,
        "unregisterTime": None,
        "pausedRanges": [],
        "pid": str(pid),
        "tid": tid,
        "processType": "default",
        "processName": visible(of.program if of else "") or f"process {pid}",
        "stackTable": _columns(frame=[], prefix=[], category=[], subcategory=[]),
        "frameTable": _columns(
            **{name: [] for name in ("address", "category", "subcategory", "func", "innerWindowID")},
            **{name: [] for name in ("implementation", "line", "column", "inlineDepth", "nativeSymbol")},
        ),
        "funcTable": _columns(
            **{name: [] for name in ("name", "isJS", "relevantForJS", "resource", "fileName")},
            **{name: [] for name in ("lineNumber", "columnNumber")},
        ),
        "resourceTable": _columns(lib=[], name=[], host=[], type=[]),
        "nativeSymbols": _columns(libIndex=[], address=[], name=[], functionSize=[]),
        "samples": {**_columns(stack=[], time=[]), "weight": None, "weightType": "samples"},
        "markers": _columns(name=[], startTime=[], endTime=[], phase=[], category=[], data=[]),
    }
