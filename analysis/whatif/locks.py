"""What if a lock were held for less, or not needed: a replay of the waits for locks other than GILs.

Each thread does again what it did between its waits, in as long a time, whoever has a CPU or the GIL. A lock
goes as a semaphore does: whoever lets it go wakes the first that waits, which tries for it as long after as
it recorded, and may find it taken by another one. What is not recorded is worked out:

- A take that found the lock free is taken to be as late as it can have been: when the first thread came that
  waited for it, or when it was last let go.
- A release that nobody waited for is taken to come after the lock's median hold, before its thread's next
  wait for it.

Waits for what nobody has (a notify, an event, a thread's end) end with what ended them; threads begin when
who started them gets there.
"""

from __future__ import annotations

import heapq
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from statistics import median
from typing import Final

import numpy as np

from ..arrays import Table
from ..dtypes import LockOutcome
from ..errors import GilscopeError, there
from ..measures.lock_names import lock_name
from ..tables.trace import Trace

TAKE, LET_GO, AWAIT, POST, START, END = range(6)

_NEVER: Final = 1 << 62
_VARIABLE: Final = re.compile(r" `([^`]*)`")


@dataclass(frozen=True)
class Step:
    """One thing that a thread does about others, `work` ns after its last one.

    `about`: a lock, the number of a wake, or a thread; `latency`: ns from being let go to going on.
    """

    work: int
    kind: int
    about: int
    latency: int


@dataclass(frozen=True)
class LockScenario:
    """How long locks are held, as a factor, by index in Trace.locks; 0: the lock is not needed at all."""

    scale: Mapping[int, float] = field(default_factory=dict)
    without: frozenset[int] = frozenset()


@dataclass(frozen=True)
class LockReplay:
    """When each thread ended, ns from the trace's begin (-1: it did not), and how long it waited."""

    ended: tuple[int, ...]
    waited: tuple[int, ...]


def locks_named(trace: Trace, wanted: str) -> frozenset[int]:
    """Return the locks that are called so, with * and ?; GilscopeError: there is none.

    "Lock `jobs`" is also called "Lock jobs", "jobs" and, as all that are of its type, "Lock".
    """
    names = {lock.index: lock_name(lock) for lock in trace.locks if lock.mutual}
    found = frozenset(
        index
        for index, name in names.items()
        if any(called == wanted or fnmatchcase(called, wanted) for called in _called(name))
    )
    if not found:
        raise GilscopeError(f"no lock {wanted!r} in the trace; {there(wanted, names.values())}")
    return found


def _called(name: str) -> set[str]:
    variable = _VARIABLE.search(name)
    bare = {_VARIABLE.sub("", name), variable[1]} if variable else set()
    return {name, name.replace("`", ""), *bare}


def lock_program(trace: Trace, starters: Sequence[int]) -> list[list[Step]]:
    """Return what each thread does about others.

    Parameters
    ----------
    starters : sequence of int
        For each thread who started it; -1: it was there, or came by itself.
    """
    rows: list[list[tuple[int, int, int, int, int]]] = [[] for _ in trace.threads]  # at, after, kind, …
    waits, wakes = trace.lock_waits, trace.lock_wakes
    mutual = np.array([lock.mutual for lock in trace.locks] + [False])
    for at, wait in enumerate(waits):
        if wait["wake"] < 0 or wait["outcome"] != LockOutcome.ACQUIRED or wait["stopped"]:
            continue
        start, end = int(wait["start"]), int(wait["start"] + wait["duration"])
        let_go = min(max(int(wakes["time"][wait["wake"]]), start), end)
        kind, about = (TAKE, int(wait["lock"])) if mutual[wait["lock"]] else (AWAIT, int(wait["wake"]))
        rows[int(waits["thread"][at])].append((start, end, kind, about, end - let_go))
    for number, wake in enumerate(wakes):
        time, thread = int(wake["time"]), int(wake["thread"])
        if not mutual[wake["lock"]]:
            rows[thread].append((time, time, POST, number, 0))
    lives = [thread.end for thread in trace.threads]
    for lock in np.flatnonzero(mutual[:-1]).tolist():
        _holds(waits[waits["lock"] == lock], wakes[wakes["lock"] == lock], lock, rows, lives)
    for thread, starter in enumerate(starters):
        begin = trace.threads[thread].begin
        if starter >= 0:
            # Who starts a thread may wait already until it has begun.
            at = min([row[0] for row in rows[starter] if row[0] < begin < row[1]], default=begin)
            rows[starter].append((at, at, START, thread, begin - at))
    program = []
    for thread, mine in enumerate(rows):
        mine.sort(key=lambda row: (row[0], row[2] != START, row[1]))
        now, steps = trace.threads[thread].begin, []
        for at, after, kind, about, latency in mine:
            steps.append(Step(max(at - now, 0), kind, about, latency))
            now = max(now, after)
        end = trace.threads[thread].end
        program.append([*steps, Step(max(end - now, 0), END, thread, 0)])
    return program


def _holds(
    waits: Table, wakes: Table, lock: int, rows: list[list[tuple[int, int, int, int, int]]], lives: list[int]
) -> None:
    """Add the takes and releases of a lock that no wait says: rows of each thread."""
    got = waits[(waits["outcome"] == LockOutcome.ACQUIRED) & (waits["wake"] >= 0)]
    ends = got["start"] + got["duration"]
    starts, stops = waits["start"], waits["start"] + waits["duration"]
    lengths: list[int] = []
    released: dict[int, list[int]] = {}
    previous = 0
    for wake in wakes:
        time, thread = int(wake["time"]), int(wake["thread"])
        mine = ends[(got["thread"] == thread) & (ends <= time)]
        last = int(mine.max()) if len(mine) else -1
        if last < max(released.get(thread, [-1])[-1], 0) or last < 0:
            open_ = starts[(starts < time) & (stops >= time)]
            last = max(previous, int(open_.min()) if len(open_) else time)
            last = min(last, time)
            rows[thread].append((last, last, TAKE, lock, 0))
        rows[thread].append((time, time, LET_GO, lock, 0))
        lengths.append(time - last)
        released.setdefault(thread, []).append(time)
        previous = time
    usual = int(median(lengths)) if lengths else 0
    for row, end in zip(got, ends.tolist(), strict=True):
        thread = int(row["thread"])
        later = [time for time in released.get(thread, []) if time >= end]
        following = got["start"][(got["thread"] == thread) & (got["start"] >= end)]
        until = min([*later[:1], _NEVER]), min([*following.tolist(), _NEVER])
        if until[1] <= until[0]:  # it waits for it again before it is seen to let it go
            time = min(end + usual, until[1], lives[thread])
            rows[thread].append((time, time, LET_GO, lock, 0))


def replay_locks(
    trace: Trace, program: list[list[Step]], starters: Sequence[int], scenario: LockScenario
) -> LockReplay:
    """Run the program again, with locks that are held for less, or not at all."""
    return _Machine(trace, program, starters, scenario).run()


class _Machine:
    def __init__(
        self, trace: Trace, program: list[list[Step]], starters: Sequence[int], scenario: LockScenario
    ) -> None:
        self.program, self.scenario = program, scenario
        count = len(program)
        self.at = [0] * count
        self.worked = [False] * count
        self.held: list[dict[int, int]] = [{} for _ in program]
        self.since = [0] * count
        self.waited, self.ended = [0] * count, [-1] * count
        self.owner: dict[int, int] = {}
        self.queue: dict[int, deque[int]] = {}
        self.trying: set[int] = set()
        self.posted: dict[int, int] = {}
        self.awaits: dict[int, int] = {}
        self.agenda: list[tuple[int, int, int]] = []
        self.number = 0
        for thread, starter in enumerate(starters):
            if starter < 0:
                self._later(trace.threads[thread].begin - trace.begin, thread)

    def run(self) -> LockReplay:
        while self.agenda:
            now, _, thread = heapq.heappop(self.agenda)
            self._go_on(now, thread)
        return LockReplay(tuple(self.ended), tuple(self.waited))

    def _later(self, time: int, thread: int) -> None:
        self.number += 1
        heapq.heappush(self.agenda, (time, self.number, thread))

    def _go_on(self, now: int, thread: int) -> None:
        """Do what a thread does at a moment; it comes back when it has worked, or was let go."""
        steps = self.program[thread]
        if self.at[thread] >= len(steps):
            return
        step = steps[self.at[thread]]
        if not self.worked[thread]:
            self.worked[thread] = True
            self.since[thread] = now + round(step.work * self._scale(thread))
            self._later(self.since[thread], thread)
            return
        if not self._done(now, thread, step):
            return
        if step.kind in (TAKE, AWAIT):
            self.waited[thread] += now - self.since[thread]
        self.at[thread] += 1
        self.worked[thread] = False
        self._later(now, thread)

    def _scale(self, thread: int) -> float:
        scale = 1.0
        for lock in self.held[thread]:
            scale = min(scale, self.scenario.scale.get(lock, 1.0))
        return scale

    def _done(self, now: int, thread: int, step: Step) -> bool:
        about = step.about
        if step.kind == TAKE:
            return self._take(thread, about)
        if step.kind == LET_GO:
            self._let_go(now, thread, about)
        elif step.kind == AWAIT:
            if about not in self.posted:
                self.awaits[about] = thread
                return False
            ready = self.posted[about] + step.latency
            if now < ready and self.posted[about] >= self.since[thread]:
                self._later(ready, thread)
                return False
        elif step.kind == POST:
            self.posted[about] = now
            if about in self.awaits:
                self._later(now, self.awaits.pop(about))
        elif step.kind == START:
            self._later(now + step.latency, about)
        else:
            self.ended[thread] = now
        return True

    def _take(self, thread: int, lock: int) -> bool:
        if lock in self.scenario.without:
            return True
        self.trying.discard(thread)
        waiting = self.queue.setdefault(lock, deque())
        if lock in self.owner:
            if thread not in waiting:
                waiting.append(thread)
            return False
        if thread in waiting:
            waiting.remove(thread)
        self.owner[lock] = thread
        self.held[thread][lock] = 1
        return True

    def _let_go(self, now: int, thread: int, lock: int) -> None:
        self.held[thread].pop(lock, None)
        if self.owner.get(lock) != thread:
            return
        del self.owner[lock]
        for waiting in self.queue.get(lock, ()):
            if waiting not in self.trying:
                self.trying.add(waiting)
                self._later(now + self.program[waiting][self.at[waiting]].latency, waiting)
                return
