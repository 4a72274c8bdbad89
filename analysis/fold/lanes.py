"""Streams and threads, as they are looked through one by one: `lane.pxd`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Bytes, Int32s, Int64s
from .feed import Recorded, _locks, _threads_of, _touching, _unknown_until

_NONE = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Part:
    """Threads of one process, in one stream or in none: what they are told with.

    Attributes
    ----------
    process : int
    threads : list of int
    data, packets, records
        The stream, how many packets of it are used, and how many events the last one has.
    lives : ndarray of int64, shape (n,)
        How many events each thread has in it.
    lanes : ndarray of int64, shape (n, 6)
        Begin, end, whether it is unknown what it does at first, which stretches on a CPU touch it, and when
        the last of these ends.
    locks : list of ndarray of int64
        Begin, end, and whether the world was stopped, of the waits of each for locks.
    places : ndarray of int32
        For each number of a GIL its place among `gils`.
    gils : list of int
        Those of the process.
    timed : int
        How many timed waits ran out in it.
    """

    process: int
    threads: list[int]
    data: Bytes
    packets: int
    records: int
    lives: Int64s
    lanes: Int64s
    locks: list[Int64s]
    places: Int32s
    gils: list[int]
    timed: int


def can_be_covered(trace: Recorded) -> bool:
    """Return whether a trace's streams lie where they can be read again."""
    return trace.source.given is None and bool(trace.source.streams)


def on_cpus(trace: Recorded, cpus: bool) -> tuple[Int64s, Bytes]:
    """Return start and state of the stretches on CPUs and off them; nothing without `cpus`."""
    stretches = trace.stretches if cpus else None
    if stretches is None:
        return _NONE, np.zeros(0, np.uint8)
    return stretches.start, stretches.state


def parts_of(trace: Recorded, cpus: bool) -> list[Part]:
    """Return all threads of a trace, part by part; `cpus`: with what their CPUs did, and their locks."""
    until = _unknown_until(trace.source)
    locks = _locks(trace) if cpus else [_NONE] * len(trace.threads)
    gils = [[gil for gil in trace.gils if gil.process == each.index] for each in trace.processes]
    places = [_places([gil.number for gil in each]) for each in gils]

    def part(threads: list[int], lives: Int64s, data: Bytes, packets: int, records: int, timed: int) -> Part:
        process = trace.threads[threads[0]].process
        touching = [_touching(trace, trace.threads[each]) if cpus else (0, 0, 0) for each in threads]
        lanes = [
            (trace.threads[each].begin, trace.threads[each].end, until[each] >= 0, *some)
            for each, some in zip(threads, touching, strict=True)
        ]
        return Part(
            process,
            threads,
            data,
            packets,
            records,
            lives,
            np.array(lanes, np.int64),
            [locks[each] for each in threads],
            places[process],
            [gil.index for gil in gils[process]],
            timed,
        )

    thread_of = _threads_of(trace.source)
    found, seen = [], set()
    for stream in trace.source.streams:
        scanned = stream.scanned
        threads = [thread_of[stream.first + at] for at in scanned.lives[:, 0].tolist()]
        counts = scanned.lives[:, 3] - scanned.lives[:, 0]
        seen.update(threads)
        timed = sum(count for count, *_ in scanned.waited.values())
        found.append(part(threads, counts.copy(), stream.data, scanned.packets, scanned.records, timed))
    nothing = np.zeros(1, np.uint8)
    for process in trace.processes:
        others = [t.index for t in trace.threads if t.process == process.index and t.index not in seen]
        if others:
            found.append(part(others, np.zeros(len(others), np.int64), nothing, 0, 0, 0))
    return found


def _places(numbers: list[int]) -> Int32s:
    """Return the places of GILs among those of their process, by their numbers."""
    places = np.full(max(numbers, default=-1) + 1, -1, np.int32)
    for place, number in enumerate(numbers):
        places[number] = place
    return places
