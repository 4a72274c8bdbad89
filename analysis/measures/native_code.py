"""Which native code threads ran while they had a CPU, with the GIL and without.

How long a thread ran in a state is known exactly; the kernel's samples of it say which code that was. So the
time of a thread in a state is divided among what it was sampled in there. Samples are of a thread's own
instructions: what it does in the kernel counts where it came from, in proportion.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..arrays import Int64s, Table
from ..model import HELD, State
from ..reader.code.native import NativeCode
from ..tables.trace import Trace

ENOUGH: Final = 8
"""Samples from which on they say something."""

_MOSTLY: Final = 0.5
_ALSO: Final = 0.2

UNKNOWN: Final = NativeCode("code not known", "")


@dataclass(frozen=True)
class NativeTime:
    """What a thread ran in a state: `time` in ns, `samples` that say so."""

    thread: int
    state: State
    code: NativeCode
    samples: int
    time: int

    @property
    def held(self) -> bool:
        """Whether it had the GIL."""
        return self.state in HELD


def native_times(trace: Trace) -> tuple[NativeTime, ...]:
    """Return what threads ran, the longest first; nothing where it was not recorded."""
    samples = trace.native_samples
    if not len(samples):
        return ()
    size = len(trace.native_codes) + 1
    key = (samples["thread"].astype(np.int64) * len(State) + samples["state"]) * size + samples["code"] + 1
    keys, count = np.unique(key, return_counts=True)
    of_state, code = keys // size, keys % size - 1
    thread, state = of_state // len(State), of_state % len(State)
    in_state = _times(trace)[thread, state]
    _, group = np.unique(of_state, return_inverse=True)
    part = in_state * count // np.bincount(group, count).astype(np.int64)[group]
    order = np.lexsort((keys, -part))
    return tuple(
        NativeTime(
            int(thread[at]), State(int(state[at])), _code(trace, int(code[at])), int(count[at]), int(part[at])
        )
        for at in order.tolist()
    )


def _times(trace: Trace) -> Int64s:
    """Return how long each thread was in each state: shape (threads, states), ns."""
    if trace.folded is not None:
        return trace.folded.times
    states = trace.states_by_column
    thread = np.repeat(np.arange(len(states.first) - 1), np.diff(states.first))
    table = np.zeros((len(trace.threads), len(State)), np.int64)
    np.add.at(table, (thread, states.state), states.duration)
    return table


def _code(trace: Trace, code: int) -> NativeCode:
    return trace.native_codes[code] if code >= 0 else UNKNOWN


def code_within(trace: Trace, thread: int, begin: Int64s, end: Int64s) -> list[tuple[NativeCode, int]]:
    """Return what a thread was sampled in during stretches, in order: code and samples, most first."""
    samples = trace.native_samples
    mine: Table = samples[slice(*np.searchsorted(samples["thread"], [thread, thread + 1]).tolist())]
    at = np.searchsorted(begin, mine["time"], "right") - 1
    inside = (
        mine["code"][(at >= 0) & (mine["time"] < end[np.maximum(at, 0)])] if len(begin) else mine["code"][:0]
    )
    codes, count = np.unique(inside, return_counts=True)
    order = np.argsort(-count, kind="stable")
    return [(_code(trace, int(codes[at])), int(count[at])) for at in order.tolist()]


def by_code(times: Iterable[NativeTime]) -> list[tuple[NativeCode, int]]:
    """Return code and samples of all of them, most first."""
    total: dict[NativeCode, int] = {}
    for each in times:
        total[each.code] = total.get(each.code, 0) + each.samples
    return sorted(total.items(), key=lambda item: (-item[1], item[0]))


def where(found: Sequence[tuple[NativeCode, int]]) -> str:
    """Return what most of it was, if there is such a thing: "libopenblas: dgemm_kernel", "libz", or "".

    A library that Python calls says more than Python itself: it is named if a good part was in it.
    """
    total = sum(samples for _, samples in found)
    if total < ENOUGH:
        return ""
    libraries: dict[str, int] = {}
    for code, samples in found:
        libraries[code.library] = libraries.get(code.library, 0) + samples
    own = {code.library for code, _ in found if code.interpreter or code == UNKNOWN}
    others = [library for library in libraries if library not in own]
    best = max(others, key=lambda library: libraries[library], default="")
    if best and libraries[best] >= _ALSO * total:
        library = best
    else:
        library = max(libraries, key=lambda library: libraries[library])
        if libraries[library] < _MOSTLY * total or library == UNKNOWN.library:
            return ""
    code, samples = next((code, samples) for code, samples in found if code.library == library)
    return code.name if samples >= _MOSTLY * libraries[library] else library
