"""Waits in which the holder did not run: how long, and who held the GIL."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from ...fold.one_pass import Folded
from ...states import State
from .scene import WORTH_IT, Scene
from .taker import OFF

LEAST: Final = 0.2
"""Share of all waiting from which on it is a pattern."""


@dataclass(frozen=True)
class Evidence:
    """What there is of a state of holders in waits; durations in ns.

    Attributes
    ----------
    total : int
        How much of all waits the holder was in it.
    begin, end : int
        The wait that has most of it.
    holder : int
        The thread that was in it longest.
    longest : int
        The longest stretch of that thread's.
    frame : int
        Where the hold ended that it was in; -1: unknown.
    """

    total: int
    begin: int
    end: int
    holder: int
    longest: int
    frame: int

    def score(self, scene: Scene) -> float:
        """Return its share of all waiting."""
        return min(1.0, self.total / scene.waited)


def find_evidence(scene: Scene, state: State) -> Evidence | None:
    """Return the evidence for holders in a state, if that is much of all waiting."""
    trace = scene.trace
    if trace.scheduling is None or scene.waited < WORTH_IT * scene.span:
        return None
    total = sum(taker.off[state][0] for taker in scene.takers)
    if total < LEAST * scene.waited:
        return None
    _, _, begin, end = max((taker.off[state] for taker in scene.takers), key=lambda off: off[1])
    find = _in_tables if trace.folded is None else partial(_in_fold, folded=trace.folded)
    return Evidence(total, begin, end, *find(scene, state))


def _in_tables(scene: Scene, state: State) -> tuple[int, int, int]:
    """Return who was in the state longest, its longest stretch, and the frame at the end of that hold."""
    trace, holds = scene.trace, scene.trace.holds(scene.gil)
    states = trace.states_by_column
    at = np.flatnonzero(states.state == state)
    of_gil = np.zeros(len(trace.intervals_by_column.start), bool)
    of_gil[trace.holding(scene.gil)] = True
    at = at[of_gil[states.of[at]]]
    thread = states.thread_of(at)
    holder = int(np.argmax(np.bincount(thread, states.duration[at], minlength=1)))
    at = at[thread == holder]
    longest = at[int(np.argmax(states.duration[at]))]
    hold = int(np.searchsorted(holds.acquired, states.start[longest], "right")) - 1
    frame = int(trace.release_frames(scene.gil)[hold]) if hold >= 0 else -1
    return holder, int(states.duration[longest]), frame


def _in_fold(scene: Scene, state: State, folded: Folded) -> tuple[int, int, int]:
    """Return the same from one pass."""
    kind = list(OFF).index(state)
    most = max(folded.of_gil(scene.gil.index), key=lambda item: item.off[kind][0])
    _, longest, _, frame = most.off[kind]
    frames = scene.trace.stacks.of(scene.gil.process, np.array([frame], np.uint32))
    return most.thread, longest, int(frames[0])
