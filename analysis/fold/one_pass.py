"""What one pass over all events says, by name: figures, reports and patterns are made from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np

from ..amounts import Amounts, merged
from ..arrays import Bytes, Int64s
from ..parallel import WORTH_IT, together
from .feed import Recorded, can_be_folded, feed


@dataclass(frozen=True)
class ThreadAndGil:
    """A thread and a GIL of its process: all that it did about it. Times and durations in ns.

    Attributes
    ----------
    waits, holds : Amounts
        Durations; `holds` without those whose begin was not seen, which are `unseen`, of no length.
    paid : Amounts
        Durations of waits that paid for a switch interval, or most of one; from paid_first to paid_last_end.
    parts : list of int
        What the waits were spent on: `tables.gil.anatomy`'s PARTS, STALLED, ASLEEP.
    contended_acquires, requested : int
        Waits that ended with the GIL; releases that answered a drop request.
    late, overdue : int
        Holds that went on for more than an interval after they were asked to end, and by how much in all;
        `worst` is the most of one of them, which the other `worst_…` are about.
    most_off : list of (int, int, int)
        The most that the holder was stalled, and asleep, in one of its waits; begin and end of that wait.
    off : list of (int, int, int, int)
        For how long it was stalled, and asleep, in its holds; the longest stretch of that, its begin, and the
        frame at the end of that hold.
    """

    thread: int
    gil: int
    waits: Amounts
    holds: Amounts
    paid: Amounts
    parts: list[int]
    unseen: int
    held: int
    contended_acquires: int
    requested: int
    wait_first: int
    wait_last_end: int
    paid_first: int
    paid_last_end: int
    late: int
    overdue: int
    worst: int
    worst_acquired: int
    worst_released: int
    worst_serial: int
    worst_frame: int
    most_off: list[tuple[int, int, int]]
    off: list[tuple[int, int, int, int]]


@dataclass(frozen=True)
class OfGil:
    """A GIL, in ns.

    Attributes
    ----------
    contended : int
        For how long at least one thread waited; from `first_wait` to `last_wait_end`, -1: nobody ever did.
    handoffs, switches, requested : int
        Releases that another take followed; of another thread; that answered a drop request.
    contended_switches, free : int
        Switches while somebody waited, and how long they took.
    flow : ndarray of int64, shape (n, 4)
        from, to, count, requested: sorted.
    charges : ndarray of int64, shape (n, 10)
        Holds during which somebody waited, those that ended in one frame, of one thread, and contended for
        about as long together: frame (its number in the process), octave of the contention, thread, waited,
        contended, holds, requested, slowest response, longest contention, and when that was released.
    waiters : ndarray of uint64, shape (n, words)
        Who waited for them: a bit for each thread of the process.
    sampled : ndarray of int64, shape (n, 9)
        Holds with samples: number, released, thread, frame, waited, contended, requested, response, and which
        of `charges` it is part of, -1: it is charged by itself.
    long_sampled : ndarray of int64, shape (n, 6)
        Holds longer than an interval that have samples: number, acquired, released, thread, frame, contended.
    long_holds : ndarray of int64, shape (n, 7)
        The others, by the frame at their end: frame, time, holds, longest, its begin, contended, its thread.
    late_holds : ndarray of int64, shape (n, 3)
        Those that were overdue by more than an interval: thread, when it was asked to end, when it did. Empty
        where no native code was sampled.
    sample_hold, sample_waiters, sample_contended : ndarray of int64
        For each sample the hold, -1: none, how many waited then (`sample_bits`: who; 0 too where its thread
        had long had no CPU, so that it does not tell what ran), and for how long at least one thread had
        waited by then.
    """

    contended: int
    first_wait: int
    last_wait_end: int
    handoffs: int
    switches: int
    requested: int
    contended_switches: int
    free: int
    flow: Int64s
    charges: Int64s
    waiters: Any
    sampled: Int64s
    long_sampled: Int64s
    long_holds: Int64s
    late_holds: Int64s
    sample_hold: Int64s
    sample_waiters: Int64s
    sample_contended: Int64s
    sample_bits: Any


@dataclass(frozen=True)
class Folded:
    """A trace in one pass.

    Attributes
    ----------
    times : ndarray of int64, shape (threads, states)
    timeouts, releases, abandons : ndarray of int64, shape (threads,)
    cpu_times : ndarray of int64, shape (threads, len(Cpu))
        For how long each was what (`states.Cpu`).
    retries : ndarray of int64, shape (threads,)
        Its wake-ups for nothing.
    stretches : list of list of Amounts
        Of each thread those in which it was stalled, asleep with the GIL, ready.
    native_states : ndarray of uint8, shape (samples,)
        What threads did at each of `native_sampled`.
    waited_by : ndarray of int64, shape (moments,)
        For how long threads had waited for GILs at each of the trace's `moments`, ns.
    items : list of ThreadAndGil
        Those of thread i are `first_item[i]` to `first_item[i + 1]`, in the order of the process's GILs.
    gils : list of OfGil
    blame : ndarray of int64, shape (n, 4)
        blocked, holder (-1: nobody), time, waits: sorted.
    waiting : ndarray of int64, shape (n, 6)
        process, frame (its number there, -1: not known), waited, waits, longest, when that began.
    """

    times: Int64s
    timeouts: Int64s
    releases: Int64s
    abandons: Int64s
    cpu_times: Int64s
    retries: Int64s
    stretches: list[list[Amounts]]
    native_states: Bytes
    waited_by: Int64s
    items: list[ThreadAndGil]
    first_item: Int64s
    gils: list[OfGil]
    blame: Int64s
    waiting: Int64s
    _together: dict[tuple[str, tuple[tuple[int, int], ...]], Amounts] = field(
        default_factory=dict, repr=False, compare=False
    )

    def of_thread(self, index: int) -> list[ThreadAndGil]:
        """Return what a thread did about each GIL of its process."""
        return self.items[self.first_item[index] : self.first_item[index + 1]]

    @cached_property
    def parts(self) -> Int64s:
        """How many waits each thread had, and what they were spent on: shape (threads, 12)."""
        table = np.zeros((len(self.times), 12), np.int64)
        for item in self.items:
            table[item.thread] += [item.waits.count, *item.parts]
        return table

    def of_gil(self, gil: int) -> list[ThreadAndGil]:
        """Return what each thread did about a GIL, in their order."""
        return [item for item in self.items if item.gil == gil]

    def waits_of(self, items: Sequence[ThreadAndGil]) -> Amounts:
        """Return the waits of some of the items together."""
        return self._merged("waits", items)

    def holds_of(self, items: Sequence[ThreadAndGil]) -> Amounts:
        """Return the holds of some of the items together."""
        return self._merged("holds", items)

    def _merged(self, what: str, items: Sequence[ThreadAndGil]) -> Amounts:
        # A process with one GIL has them for the GIL, for itself, and for the whole trace.
        key = (what, tuple((item.thread, item.gil) for item in items))
        if key not in self._together:
            self._together[key] = merged([getattr(item, what) for item in items])
        return self._together[key]


def fold_trace(trace: Recorded) -> Folded | None:
    """Return what one pass over a trace says; None: it can't be told so.

    That is where `feed.can_be_folded` says no, and where the order of the lock is not clear: two threads hold
    it at once, or take it in one nanosecond.
    """
    if not can_be_folded(trace):
        return None
    native_states = np.zeros(len(trace.native_sampled), np.uint8)
    waited_by = np.zeros(len(trace.moments[0]), np.int64)
    fold, first_item, parts = feed(trace, native_states, waited_by)
    # Where there are several, there is enough to do for each.
    if not all(together([partial(fold.run, part) for part in range(parts)], events=WORTH_IT)):
        return None
    times, counts = fold.of_threads()
    blame, waiting = fold.pairs()
    threads = len(trace.threads)
    cpu_times, retries = fold.of_cpus()
    return Folded(
        times=times,
        timeouts=counts[:, 0],
        releases=counts[:, 1],
        abandons=counts[:, 2],
        cpu_times=cpu_times,
        retries=retries,
        stretches=[[Amounts.told(told) for told in fold.stretches(at)] for at in range(threads)],
        native_states=native_states,
        waited_by=waited_by,
        items=_items(trace, fold, first_item),
        first_item=first_item,
        gils=[_gil(fold.of_gil(gil.index), threads) for gil in trace.gils],
        blame=_blame(blame, threads),
        waiting=np.stack(
            [
                waiting[:, 0] >> 34,
                (waiting[:, 0] & ((1 << 34) - 1)) - 1,
                waiting[:, 1],
                waiting[:, 2],
                np.maximum(waiting[:, 3], 0),
                waiting[:, 4],
            ],
            axis=1,
        ),
    )


def _items(trace: Recorded, fold: Any, first_item: Int64s) -> list[ThreadAndGil]:
    gils = [[gil.index for gil in trace.gils if gil.process == process.index] for process in trace.processes]
    items = []
    for thread in trace.threads:
        for number, gil in enumerate(gils[thread.process]):
            told = fold.of_item(int(first_item[thread.index]) + number)
            for name in ("waits", "holds", "paid"):
                told[name] = Amounts.told(told[name])
            items.append(ThreadAndGil(thread.index, gil, **told))
    return items


def _gil(told: dict[str, Any], threads: int) -> OfGil:
    hold, waiters, bits, contended = told.pop("samples") or (np.zeros(0, np.int64),) * 4
    flow = told.pop("flow")
    pairs = np.stack([*np.divmod(flow[:, 0], max(threads, 1)), flow[:, 2], flow[:, 1]], axis=1)
    words = told["waiters"].shape[1]
    return OfGil(
        **told,
        flow=pairs,
        sample_hold=hold,
        sample_waiters=waiters,
        sample_contended=contended,
        sample_bits=bits.view(np.uint64).reshape(len(hold), words),
    )


def _blame(rows: Int64s, threads: int) -> Int64s:
    blocked, holder = np.divmod(rows[:, 0], threads + 1)
    holder = np.where(holder == threads, -1, holder)
    order = np.lexsort((holder, blocked))
    return np.stack([blocked, holder, rows[:, 1], rows[:, 2]], axis=1)[order]
