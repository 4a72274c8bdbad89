"""Waits for locks in the states: what no wait touches stays, and the rest is as if all had been looked at."""

import numpy as np
import pytest

from analysis.arrays import Table
from analysis.model import LOCK_WAIT
from analysis.states import WITHOUT, State
from analysis.tables.cpu.states import States
from analysis.tables.locks.states import with_lock_waits

THREADS = 3
KINDS = (State.RUNNING, State.WAITING, State.NATIVE, State.READY, State.BLOCKED, State.RELEASED)


def random_states(random: np.random.Generator) -> States:
    """Return states that tile the lives of some threads, each GIL interval in one to three parts."""
    counts = random.integers(0, 12, THREADS)
    first = np.concatenate([[0], np.cumsum(counts)])
    duration = random.integers(0, 9, first[-1])
    start = np.concatenate([100 + np.cumsum(each) - each for each in np.split(duration, first[1:-1])])
    return States(
        start,
        duration,
        random.choice(KINDS, first[-1]).astype(np.uint8),
        random.integers(-1, 2, first[-1]).astype(np.int16),
        np.cumsum(random.integers(0, 2, first[-1])),
        first,
    )


def random_waits(random: np.random.Generator, states: States) -> Table:
    """Return waits within the lives of the threads, none of a thread overlapping."""
    rows: list[tuple[int, int, int]] = []
    for thread in range(THREADS):
        low, high = states.first[thread : thread + 2]
        end = 100 + int(states.duration[low:high].sum())
        edges = np.sort(random.integers(100, end + 1, 2 * int(random.integers(0, 3)))).reshape(-1, 2)
        rows += [(thread, since, until) for since, until in edges.tolist()]
    waits = np.zeros(len(rows), LOCK_WAIT)
    for at, (thread, since, until) in enumerate(rows):
        waits["thread"][at], waits["start"][at], waits["duration"][at] = thread, since, until - since
    waits["stopped"] = random.integers(0, 2, len(rows))
    return waits


def by_moment(states: States, thread: int) -> list[tuple[int, int]]:
    """Return what a thread's state was at each ns, and where it ran."""
    rows = range(int(states.first[thread]), int(states.first[thread + 1]))
    return [
        (int(states.state[row]), int(states.cpu[row]))
        for row in rows
        for _ in range(int(states.duration[row]))
    ]


@pytest.mark.parametrize("seed", range(200))
def test_each_moment_is_what_it_was_or_a_wait(seed: int) -> None:
    random = np.random.default_rng(seed)
    states = random_states(random)
    waits = random_waits(random, states)
    found = with_lock_waits(states, waits)
    for thread in range(THREADS):
        expected = by_moment(states, thread)
        for wait in waits[waits["thread"] == thread]:
            for at in range(int(wait["start"]) - 100, int(wait["start"] + wait["duration"]) - 100):
                if expected[at][0] in WITHOUT:
                    expected[at] = (int(State.STOPPED if wait["stopped"] else State.LOCKED), -1)
        assert by_moment(found, thread) == expected
        mine = slice(int(found.first[thread]), int(found.first[thread + 1]))
        ends = found.start[mine] + found.duration[mine]
        assert (found.start[mine][1:] == ends[:-1]).all()
