"""What the fold is given: who there is, and where the events lie."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np

from ..amounts import Amounts, merged
from ..arrays import Bytes, Int32s, Int64s, Table
from ..model import DEFAULT_INTERVAL, Gil, Process, Thread
from ..parallel import shares
from ..reader.format import Event
from ..reader.process import Run
from ..reader.streams.mapped import Mapped
from .given import Given, has_gaps, records, unknown_until
from .passing import Fold

_OWN_REQUESTS = (3, 13)
"""The first version in which a drop request that is found is one made to the finder: tables.gil.requests."""

_ASKS = (Event.GIL_WAIT, Event.GIL_ACQUIRED)
_MOST_ITEMS = 1 << 18
"""Threads times the GILs of their processes: each such pair has sums of its own."""


class Streams(Protocol):
    """Where the events of a trace are: `tables.columns.Source`."""

    @property
    def given(self) -> Given | None: ...

    @property
    def streams(self) -> Sequence[Mapped]: ...

    @property
    def runs(self) -> Sequence[Run]: ...


class Cpus(Protocol):
    """When each task had a CPU: `tables.cpu.onto_cpu.Stretches`."""

    @property
    def start(self) -> Int64s: ...

    @property
    def duration(self) -> Int64s: ...

    @property
    def state(self) -> Bytes: ...

    @property
    def preempted_bits(self) -> Bytes: ...

    def touching(self, task: int, begin: int, end: int) -> tuple[int, int]: ...

    def until(self, task: int, low: int, high: int) -> Int64s: ...


class Recorded(Protocol):
    """What the fold has to know of a trace: `tables.trace.Trace`."""

    @property
    def processes(self) -> tuple[Process, ...]: ...

    @property
    def threads(self) -> tuple[Thread, ...]: ...

    @property
    def gils(self) -> tuple[Gil, ...]: ...

    @property
    def end(self) -> int: ...

    @property
    def source(self) -> Streams: ...

    @property
    def stretches(self) -> Cpus | None: ...

    @property
    def tasks(self) -> tuple[int, ...]: ...

    @property
    def native_sampled(self) -> Table: ...

    @property
    def sampled(self) -> tuple[Table, ...]: ...

    @property
    def lock_waits(self) -> Table: ...

    @property
    def moments(self) -> tuple[Int64s, Int64s]: ...

    @property
    def switch_intervals(self) -> tuple[int, ...]: ...


def can_be_folded(trace: Recorded) -> bool:
    """Return whether a trace can be told in one pass.

    Not where events are missing in the middle of what a thread did, nor where too many threads have too many
    GILs.
    """
    pairs = [sum(gil.process == process.index for gil in trace.gils) for process in trace.processes]
    items = sum(pairs[thread.process] for thread in trace.threads)
    given = trace.source.given
    there = bool(trace.source.streams) if given is None else len(given.time) > 0 and not has_gaps(given)
    return there and items <= _MOST_ITEMS


def timed_lengths(trace: Recorded) -> list[Amounts] | None:
    """Return how long the timed waits for each GIL that ran out were; None: nobody has looked."""
    if not trace.source.streams:
        return None
    thread_of = _threads_of(trace.source)
    found: dict[tuple[int, int], list[Amounts]] = {}
    for stream in trace.source.streams:
        process = trace.threads[thread_of[stream.first]].process
        for number, told in stream.scanned.waited.items():
            found.setdefault((process, number), []).append(Amounts.told(told))
    return [merged(found.get((gil.process, gil.number), [])) for gil in trace.gils]


def feed(trace: Recorded, native_states: Bytes, waited_by: Int64s) -> tuple[Fold, Int64s, int]:
    """Return a fold that has all it needs, the first item of each thread, and how many parts it has.

    `native_states` gets for each of `native_sampled` what its thread did then, `waited_by` for each of
    `moments` for how long it had waited.
    """
    threads, given = trace.threads, trace.source.given
    gils = [[gil for gil in trace.gils if gil.process == process.index] for process in trace.processes]
    first_item = np.cumsum([0, *(len(gils[thread.process]) for thread in threads)])
    until = _unknown_until(trace.source) if given is None else unknown_until(given)

    cursors = len(trace.source.streams) if given is None else len(threads)
    fold = Fold(len(threads), len(trace.gils), int(first_item[-1]), cursors)
    lookups = [_lookup(of) for of in gils]
    first_of = np.searchsorted([each.process for each in threads], np.arange(len(gils) + 1)).tolist()
    locks, stretches = _locks(trace), trace.stretches
    if stretches is not None:
        fold.cpus(
            stretches.start,
            stretches.state,
            stretches.preempted_bits,
            bool(len(native_states)),
        )
    native_time = np.ascontiguousarray(trace.native_sampled["time"])
    native = np.searchsorted(trace.native_sampled["thread"], np.arange(len(threads) + 1)).tolist()
    asked_of, asked_at = trace.moments
    asked = np.searchsorted(asked_of, np.arange(len(threads) + 1)).tolist()
    for index, thread in enumerate(threads):
        fold.thread(
            index,
            thread.process,
            thread.tid,
            index - first_of[thread.process],
            thread.begin,
            thread.end,
            until[index] >= 0,
            int(first_item[index]),
            lookups[thread.process],
            locks[index],
            *_touching(trace, thread),
            native_time[native[index] : native[index + 1]],
            native_states[native[index] : native[index + 1]],
        )
        mine = slice(asked[index], asked[index + 1])
        fold.ask(index, asked_at[mine], waited_by[mine])
    for process, of in zip(trace.processes, gils, strict=True):
        of_process = slice(first_of[process.index], first_of[process.index + 1])
        trusted = trace.end if process.version >= _OWN_REQUESTS else max(0, 0, *until[of_process])
        for number, gil in enumerate(of):
            samples = trace.sampled[process.index] if process.index < len(trace.sampled) else None
            times, tids = _samples(samples, gil)
            interval = trace.switch_intervals[gil.index] or DEFAULT_INTERVAL
            fold.gil(
                gil.index,
                process.index,
                number,
                gil.number,
                process.begin,
                trusted,
                interval,
                of_process.stop - of_process.start,
                times,
                tids,
            )
    if given is None:
        counts, events_of = _feed_streams(fold, trace)
    else:
        events = records(given)
        counts = np.bincount([thread.process for thread in threads], minlength=len(gils))
        events_of = np.bincount(
            [thread.process for thread in threads], np.diff(given.first), minlength=len(gils)
        )
        for index, (begin, end) in enumerate(pairwise(given.first.tolist())):
            ahead = 0 if given.ahead is None else int(given.ahead[index])
            fold.records(index, events[begin:end].view(np.uint8), np.array([index, end - begin]), ahead)
    bounds = shares(events_of.astype(np.int64).tolist())
    first_cursor = np.cumsum([0, *counts.tolist()])
    first_gil = np.cumsum([0, *(len(of) for of in gils)])
    fold.divide(np.stack([first_cursor[bounds], np.array(first_of)[bounds], first_gil[bounds]], axis=1))
    return fold, first_item, len(bounds) - 1


def _threads_of(source: Streams) -> dict[int, int]:
    """Return the threads of streams by the numbers of their first events."""
    return {run.first: index for index, run in enumerate(source.runs) if run.path is not None}


def _feed_streams(fold: Fold, trace: Recorded) -> tuple[Int64s, Int64s]:
    """Say where the streams are, process by process; return how many each has, and how many events."""
    source = trace.source
    thread_of = _threads_of(source)
    of = [trace.threads[thread_of[stream.first]].process for stream in source.streams]
    for number, at in enumerate(np.argsort(of, kind="stable").tolist()):
        stream = source.streams[at]
        scanned = stream.scanned
        lives = np.array(
            [
                (thread_of[stream.first + life], last - life)
                for life, last in scanned.lives[:, [0, 3]].tolist()
            ],
            np.int64,
        ).reshape(-1)
        fold.cursor(number, stream.data, scanned.packets, scanned.records, lives)
    events = np.array([stream.scanned.events for stream in source.streams])
    count = len(trace.processes)
    return np.bincount(of, minlength=count), np.bincount(of, events, minlength=count)


def _touching(trace: Recorded, thread: Thread) -> tuple[int, int, int]:
    """Return from which to which of `stretches` touch a thread's life, and when the last one ends."""
    task = -1 if trace.stretches is None else trace.tasks[thread.index]
    if trace.stretches is None or task < 0:
        return 0, 0, 0
    low, high = trace.stretches.touching(task, thread.begin, thread.end)
    return low, high, int(trace.stretches.until(task, high - 1, high)[0]) if high > low else 0


def _lookup(gils: Sequence[Gil]) -> Int32s:
    """Return the indices of GILs by their numbers."""
    lookup = np.full(max((gil.number for gil in gils), default=-1) + 1, -1, np.int32)
    for gil in gils:
        lookup[gil.number] = gil.index
    return lookup


def _samples(records: Table | None, gil: Gil) -> tuple[Int64s, Int64s]:
    """Return times and tids of the samples of a GIL."""
    if records is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    mine = records[records["gil"] == gil.number]
    return mine["timestamp"].astype(np.int64), mine["tid"].astype(np.int64)


def _locks(trace: Recorded) -> list[Int64s]:
    """Return for each thread begin, end and whether the world was stopped, of its waits for locks."""
    waits = trace.lock_waits
    rows = np.stack([waits["start"], waits["start"] + waits["duration"], waits["stopped"]], axis=1)
    bounds = np.searchsorted(waits["thread"], np.arange(len(trace.threads) + 1)).tolist()
    return [rows[begin:end].astype(np.int64).reshape(-1) for begin, end in pairwise(bounds)]


def _unknown_until(source: Streams) -> list[int]:
    """Return until when it is not known what each thread does, -1: it is from its begin on.

    As `tables.gil.intervals.make_intervals` has it: before the recording began, or between a fork and the
    child's first event, it may have held the GIL or waited for it.
    """
    runs, thread_of = source.runs, _threads_of(source)
    until = [run.end if run.path is None and run.seen_alive else -1 for run in runs]
    for stream in source.streams:
        lives = zip(stream.scanned.lives.tolist(), stream.scanned.forked.tolist(), strict=True)
        for (at, _, _, _, _, kind, time, first_state), forked in lives:
            index = thread_of[stream.first + at]
            run = runs[index]
            asks = kind in _ASKS
            unknown = run.seen_alive or forked or not (asks or kind in (0, Event.THREAD_EXIT))
            if unknown and not (asks and time == run.begin):
                until[index] = run.end if first_state < 0 else first_state
    return until
