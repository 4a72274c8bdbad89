"""speedscope (speedscope.app): a profile for each thread, and the flame graph of blame.

A thread's profile has its states one after the other (speedscope's "Time Order"), with the line of code in
them where it is known; where the program has spans, one more has those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ..destinations import visible
from ..why.code.flames import flame
from ..why.code.flames import speedscope as of_blame
from .lanes import Scene, state_name, thread_name

if TYPE_CHECKING:
    from ..tables.trace import Trace


def profile(trace: Trace) -> dict[str, Any]:
    """Return the file as what `json.dumps` takes."""
    scene = Scene(trace)
    result = of_blame(flame(trace), trace.path.name)
    frames: list[dict[str, Any]] = result["shared"]["frames"]
    of_state: dict[int, int] = {}
    of_place: dict[int, int] = {}
    of_span: dict[str, int] = {}
    several = len(trace.processes) > 1
    for lane in scene.lanes():
        pid = trace.processes[lane.thread.process].pid
        name = thread_name(lane.thread)
        samples, weights = [], []
        columns = (lane.rows[name].tolist() for name in ("duration", "state"))
        for duration, state, place in zip(*columns, lane.place.tolist(), strict=True):
            if state not in of_state:
                of_state[state] = len(frames)
                frames.append({"name": state_name(state)})
            stack = [of_state[state]]
            if place:
                if place not in of_place:
                    function, where, file = scene.places.names[place]
                    of_place[place] = len(frames)
                    line = int(where.rpartition(":")[2])
                    frames.append({"name": visible(function), "file": visible(file), "line": line})
                stack.append(of_place[place])
            samples.append(stack)
            weights.append(duration)
        result["profiles"].append(
            {
                "type": "sampled",
                "name": f"{pid} {name}" if several else name,
                "unit": "nanoseconds",
                "startValue": 0,
                "endValue": sum(weights),
                "samples": samples,
                "weights": weights,
            }
        )
        if spans := scene.all_spans.get(lane.thread.index):
            for *_, called, _ in spans:
                if called not in of_span:
                    of_span[called] = len(frames)
                    frames.append({"name": called})
            result["profiles"].append(_spans(f"{pid} {name}" if several else name, spans, of_span))
    return result


def _spans(name: str, spans: Sequence[tuple[int, int, str, int]], frame: Mapping[str, int]) -> dict[str, Any]:
    """Return a thread's spans: from each edge to the next those that are open, the outer ones first."""
    edges = sorted({edge for start, length, *_ in spans for edge in (start, start + length)})
    at = {edge: number for number, edge in enumerate(edges)}
    samples: list[dict[int, int]] = [{} for _ in edges[1:]]
    for start, length, called, row in spans:
        for number in range(at[start], at[start + length]):
            samples[number][row] = frame[called]
    weights = [end - begin for begin, end in pairwise(edges)]
    return {
        "type": "sampled",
        "name": f"{name}: spans",
        "unit": "nanoseconds",
        "startValue": 0,
        "endValue": sum(weights),
        "samples": [[open_[row] for row in sorted(open_)] for open_ in samples],
        "weights": weights,
    }
