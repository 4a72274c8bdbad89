"""Pools of short threads: many threads that do one kind of work one after the other, each for a moment.

A server with a thread a request has thousands. None of them is worth a line, all together they are the
program; so summary and verdict speak of them as one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..measures.statistics import ThreadStatistics
from ..model import State, Thread

MOST_OF_A_LIFE: Final = 0.2
"""A thread is short that lives less than this share of its process's time."""

MANY: Final = 10

_NUMBER: Final = re.compile(r"[0-9]+")
_TARGET: Final = re.compile(r"Thread-[0-9]+ \((.+)\)")


@dataclass(frozen=True)
class Pool:
    """Threads of a name but for its number, each short beside the time that their process was recorded."""

    name: str
    """What they do, if their names say it: "process_request_thread"; else the name: "worker-*"."""
    threads: tuple[ThreadStatistics, ...]

    @property
    def lifetime(self) -> int:
        """Their lives, added up, in ns."""
        return sum(thread.lifetime for thread in self.threads)

    @property
    def held(self) -> int:
        """How long they held the GIL, in ns."""
        return sum(thread.held for thread in self.threads)

    @property
    def waited(self) -> int:
        """How long they waited for it, in ns."""
        return sum(thread.time[State.WAITING] for thread in self.threads)

    def at_a_time(self, duration: int) -> float:
        """Return how many there were on average."""
        return self.lifetime / duration if duration else 0.0


def find_pools(threads: Sequence[ThreadStatistics], duration: int) -> list[Pool]:
    """Return the pools among the threads of one process, which was recorded for so long."""
    lives = [thread.lifetime for thread in threads]
    found = alike([thread.thread for thread in threads], lives, duration)
    return [Pool(name, tuple(threads[at] for at in members)) for name, members in found]


def alike(threads: Sequence[Thread], lives: Sequence[float], duration: float) -> list[tuple[str, list[int]]]:
    """Return what the pools among some threads are called, and which threads they are.

    Parameters
    ----------
    threads : sequence of Thread
        Of one process.
    lives : sequence of float
        How long each of them was there.
    duration : float
        How long it was looked at, in the same unit.
    """
    found: dict[str, list[int]] = {}
    for at, (thread, life) in enumerate(zip(threads, lives, strict=True)):
        named = thread.name != f"thread {thread.tid}"
        if named and 0 < life < MOST_OF_A_LIFE * duration and not thread.main:
            found.setdefault(_NUMBER.sub("*", thread.name), []).append(at)
    return [
        (_called(name, threads[members[0]]), members)
        for name, members in found.items()
        if len(members) >= MANY
    ]


def _called(name: str, one: Thread) -> str:
    target = _TARGET.fullmatch(one.name)
    return target[1] if target else name
