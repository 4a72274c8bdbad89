"""The flame graph of blame: the stacks that held the GIL while others waited, and for how long.

Every frame counts with what its holds are charged with (`charges`). Its formats: one line a stack
("a;b;c 120", what flamegraph.pl, inferno and speedscope read), and speedscope's own, which keeps files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import numpy as np

from ...arrays import Int32s, Int64s
from ...destinations import stack_frame, visible
from ...model import Code
from ...tables.trace import Trace
from .charges import code_blame, same_code

UNKNOWN = "(no Python frame recorded)"


@dataclass(frozen=True, eq=False)
class Flame:
    """Calls, merged: the same code called from the same calls is one node.

    Attributes
    ----------
    codes : tuple of Code
    parent : ndarray of int32, shape (nodes,)
        The node that calls it, always an earlier one; -1: the outermost.
    code : ndarray of int32
        Index in `codes`.
    own : ndarray of int64
        ns charged while this node was the innermost.
    total : ndarray of int64
        The same with all that it called.
    unknown : int
        ns charged to holds whose code was not recorded.
    """

    codes: tuple[Code, ...] = field(repr=False)
    parent: Int32s
    code: Int32s
    own: Int64s
    total: Int64s
    unknown: int

    def stack(self, node: int) -> list[Code]:
        """Return the codes from the outermost to this node's."""
        found = []
        while node >= 0:
            found.append(self.codes[self.code[node]])
            node = int(self.parent[node])
        return found[::-1]


def flame(trace: Trace) -> Flame:
    """Return the flame graph of blame of a trace."""
    blame = code_blame(trace)
    same = same_code(trace.codes)
    nodes: dict[tuple[int, int], int] = {}
    of_frame: list[int] = []
    for caller, code in zip(trace.frames["caller"].tolist(), trace.frames["code"].tolist(), strict=True):
        key = (of_frame[caller] if caller >= 0 else -1, int(same[code]))
        of_frame.append(nodes.setdefault(key, len(nodes)))
    own = np.zeros(len(nodes), np.int64)
    np.add.at(own, np.array(of_frame, np.int64), blame.of_frame)
    parent = np.array([parent for parent, _ in nodes], np.int32)
    total = own.copy()
    for node in range(len(nodes) - 1, -1, -1):  # children come after their parents
        if parent[node] >= 0:
            total[parent[node]] += total[node]
    code = np.array([code for _, code in nodes], np.int32)
    charged = blame.total - blame.nobody
    return Flame(trace.codes, parent, code, own, total, charged - blame.known)


def label(code: Code) -> str:
    """Return what to call a code in a flame graph: "Parser.parse (app.py:120)"."""
    return f"{code.name} ({PurePath(code.file).name}:{code.first_line})"


def collapsed(flame: Flame) -> Iterator[str]:
    """Yield a line for each stack that is charged with something: labels between semicolons, then ns."""
    for node in np.flatnonzero(flame.own).tolist():
        names = (stack_frame(label(code)) for code in flame.stack(node))
        yield f"{';'.join(names)} {flame.own[node]}"
    if flame.unknown:
        yield f"{UNKNOWN} {flame.unknown}"


def speedscope(flame: Flame, name: str) -> dict[str, Any]:
    """Return a profile in speedscope's file format (https://www.speedscope.app/file-format-schema.json)."""
    used = sorted({int(code) for code in flame.code})
    number = {code: at for at, code in enumerate(used)}
    frames: list[dict[str, Any]] = [
        {"name": visible(code.name), "file": visible(code.file), "line": code.first_line}
        for code in (flame.codes[at] for at in used)
    ]
    charged = np.flatnonzero(flame.own).tolist()
    samples = [[number[code.index] for code in flame.stack(node)] for node in charged]
    weights = flame.own[charged].tolist()
    if flame.unknown:
        samples.append([len(frames)])
        weights.append(flame.unknown)
        frames.append({"name": UNKNOWN})
    return {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "name": visible(name),
        "exporter": "gilscope",
        "shared": {"frames": frames},
        "profiles": [
            {
                "type": "sampled",
                "name": "waits charged to the code that held the GIL",
                "unit": "nanoseconds",
                "startValue": 0,
                "endValue": sum(weights),
                "samples": samples,
                "weights": weights,
            }
        ],
    }
