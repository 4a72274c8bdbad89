"""Who woke whom: which stretches without the GIL another thread ended, and where in its work it did.

The trace has no wake-ups, so they are worked out. A stretch without the GIL that ends in a hold of another
thread, or within `LATENCY` after one, may have been ended by that thread (it released a lock, put something
into a queue, exited), or a timer or a device ended it and the thread only happened to hold the GIL. It is
taken for a wake-up

- if that thread exited then, or shortly before: a join;
- if it is the first hold of a thread that began meanwhile: `Thread.start` waits for that;
- if the code that went on is of a module that waits for other threads (`code.WAITS_FOR_THREADS`), where
  stacks were recorded, and not if it is one that waits for others;
- else by what the thread's stretches, from the third on, have in common: if more of them end in such holds
  than would by chance, given the share of the time that others hold. With n of them, k of which do, and a
  share p that k/n exceeds, chance is bounded by exp(-n × KL(k/n, p)) (Chernoff); below `CHANCE` it isn't
  chance. Where others hold nearly always (p above `ALWAYS`) that can't tell; there stretches that are about
  equally long (the 90th percentile less than `REGULAR` times the 10th) are sleeps and the like, others are
  wake-ups.

What remains takes the time that it took.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ..arrays import Bools, Float64s, Int8s, Int64s
from ..model import State
from .recorded.order import LockOrder
from .recording import Recording

LATENCY: Final = 100_000
EXIT_EARLY: Final = 1_000_000
"""ns that a thread that joins may ask for the GIL before the one that exits has released it for good."""
EXIT_LATE: Final = 20_000_000
"""ns that it may do so afterwards: on a busy machine it has to wait for a CPU."""
CHANCE: Final = 0.01
ALWAYS: Final = 0.9
REGULAR: Final = 2.0
_FEW: Final = 3


@dataclass(frozen=True)
class Wakes:
    """Wake-ups: the stretches that they end, the holds that they come from, and where in these.

    Attributes
    ----------
    gap : ndarray of int64
        The interval without the GIL that ends; a thread's first one (or its first hold): its beginning.
    hold : ndarray of int64
        The interval of the hold that does it.
    time : ndarray of int64
        ns: when, within that hold.
    delay : ndarray of int64
        ns from then to the end of the stretch.
    begins : ndarray of bool
        A thread's beginning, not the end of a stretch.
    """

    gap: Int64s
    hold: Int64s
    time: Int64s
    delay: Int64s
    begins: Bools


def find_wakes(recording: Recording, gaps: Int64s, waits_for_threads: Int8s | Int64s) -> Wakes:
    """Return the wake-ups.

    Parameters
    ----------
    gaps : ndarray of int64
        Intervals without the GIL, with time in which their threads were blocked; sorted.
    waits_for_threads : ndarray of int64, shape of `gaps`
        What the stacks say: 1: the code waits for other threads, 0: it doesn't, -1: nothing.
    """
    hold = np.full(len(gaps), -1)
    for order in recording.orders:
        mine = np.flatnonzero(_next_gil(recording, gaps) == order.gil.index)
        hold[mine] = _holds_at_end(recording, order, gaps[mine])
    sure = np.zeros(len(gaps), bool)
    begins, starters = _starts(recording, gaps, hold, sure)
    _exits(recording, gaps, hold, sure)
    sure |= waits_for_threads == 1
    open_ = ~sure & (waits_for_threads < 0)
    likely = sure | (_by_statistics(recording, gaps, hold >= 0, open_) & open_)
    at = np.flatnonzero(likely & (hold >= 0))
    gap = np.concatenate([gaps[at], begins])
    source = np.concatenate([hold[at], starters])
    is_begin = np.arange(len(gap)) >= len(at)
    until = np.where(is_begin, recording.start[gap], recording.end_of(gap))
    time = np.minimum(until, recording.end_of(source))
    return Wakes(gap, source, time, until - time, is_begin)


def _next_gil(recording: Recording, gaps: Int64s) -> Int64s:
    """Return the GIL that each thread asked for next; -1: none."""
    after = np.minimum(gaps + 1, len(recording) - 1)
    return np.where(recording.last[gaps], -1, recording.gil_of(after))


def _holds_at_end(recording: Recording, order: LockOrder, gaps: Int64s) -> Int64s:
    """Return the other thread's hold in which, or shortly after which, each stretch ends; -1: none."""
    end = recording.end_of(gaps)
    at = order.before(end)
    found = np.maximum(at, 0)
    if not len(order.at):
        return np.full(len(gaps), -1)
    hold = order.at[found].astype(np.int64)
    fits = (at >= 0) & (recording.thread_of(hold) != recording.thread_of(gaps))
    fits &= end - recording.end_of(hold) <= LATENCY
    return np.where(fits, hold, -1)


def _starts(recording: Recording, gaps: Int64s, hold: Int64s, sure: Bools) -> tuple[Int64s, Int64s]:
    """Return the first intervals of threads that others started, and the holds that these did it in.

    The one that starts a thread waits until it has begun: its stretch contains the beginning, and ends with
    the new thread's first hold. Without such a stretch it is the one that had the GIL then.
    """
    trace = recording.trace
    order_of_ends = np.argsort(recording.end_of(gaps), kind="stable")
    ends = recording.end_of(gaps)[order_of_ends]
    begins, starters = [], []
    for thread in trace.threads:
        first, last = int(recording.first[thread.index]), int(recording.first[thread.index + 1])
        process = trace.processes[thread.process]
        if thread.begin <= process.begin or recording.seen_alive[thread.index]:
            continue
        mine = first + np.flatnonzero(recording.state[first : min(first + 4, last)] == State.HOLDING)
        if not len(mine):
            continue
        own = int(mine[0])
        low = np.searchsorted(ends, recording.start[own], "right")
        high = np.searchsorted(ends, recording.end_of(np.array([own]))[0] + LATENCY, "right")
        near = order_of_ends[low:high]
        near = near[
            (recording.start[gaps[near]] <= thread.begin)
            & (recording.thread_of(gaps[near]) != thread.index)
            & (recording.state[gaps[near] - 1] == State.HOLDING)
            & (recording.thread_of(gaps[near] - 1) == recording.thread_of(gaps[near]))
            & _same_process(recording, gaps[near], thread.process)
        ]
        if len(near):
            waiter = near[np.argmax(recording.start[gaps[near]])]
            hold[waiter], sure[waiter] = own, True
            begins.append(first)
            starters.append(int(gaps[waiter]) - 1)
            continue
        order = recording.orders[int(recording.gil_of(np.array([own]))[0])]
        at = int(order.before(np.array([thread.begin]))[0])
        if at >= 0 and recording.thread_of(order.at[at : at + 1])[0] != thread.index:
            begins.append(first)
            starters.append(int(order.at[at]))
    return np.array(begins, np.int64), np.array(starters, np.int64)


def _same_process(recording: Recording, gaps: Int64s, process: int) -> Bools:
    threads = recording.trace.threads_of(recording.trace.processes[process])
    thread = recording.thread_of(gaps)
    same: Bools = (thread >= threads.start) & (thread < threads.stop)
    return same


def _exits(recording: Recording, gaps: Int64s, hold: Int64s, sure: Bools) -> None:
    """Find joins: stretches that end where another thread of the process released the GIL for good."""
    trace = recording.trace
    end = recording.end_of(gaps)
    for process in trace.processes:
        threads = trace.threads_of(process)
        # The recording may stop before the exit of a thread is seen: to have released for good is enough.
        lasts = recording.first[1:][threads] - 1
        holds = recording.last_holds[threads]
        finals = holds[(recording.state[lasts] == State.RELEASED) & (holds >= 0)]
        if not len(finals):
            continue
        finals = finals[np.argsort(recording.end_of(finals), kind="stable")]
        begins = recording.first[[threads.start, threads.stop]]
        mine = np.arange(*np.searchsorted(gaps, begins))
        mine = mine[~sure[mine]]
        at = np.searchsorted(recording.end_of(finals), end[mine] + EXIT_EARLY, "right") - 1
        mine, at = mine[at >= 0], at[at >= 0]
        final = finals[at]
        released = recording.end_of(final)
        fits = (end[mine] - released <= EXIT_LATE) & (released > recording.start[gaps[mine]])
        fits &= recording.start[final] < end[mine]
        hold[mine[fits]] = final[fits]
        sure[mine[fits]] = True


def _by_statistics(recording: Recording, gaps: Int64s, ends_in_hold: Bools, open_: Bools) -> Bools:
    """Return which stretches end with another thread's doing, judged by the thread's stretches together."""
    gil = _next_gil(recording, gaps)
    length = recording.end_of(gaps) - recording.start[gaps]
    eligible = np.flatnonzero(open_ & (gil >= 0) & (length > LATENCY))
    likely = np.zeros(len(gaps), bool)
    covered = np.zeros(len(eligible))
    for order in recording.orders:
        mine = gil[eligible] == order.gil.index
        which = gaps[eligible[mine]]
        covered[mine] = _held(recording, order, recording.start[which] + LATENCY, recording.end_of(which))
    thread = recording.thread_of(gaps[eligible])
    count = len(recording.trace.threads)
    n = np.bincount(thread, minlength=count)
    k = np.bincount(thread[ends_in_hold[eligible]], minlength=count)
    time = np.bincount(thread, length[eligible] - LATENCY, minlength=count)
    share = np.bincount(thread, covered, minlength=count) / np.maximum(time, 1)
    caused = (n >= _FEW) & (_chance(n, k, share) < CHANCE)
    for each in np.flatnonzero((n >= _FEW) & (share > ALWAYS)):
        low, high = np.percentile(length[eligible][thread == each], [10, 90])
        caused[each] = high >= REGULAR * low
    likely[eligible] = caused[thread]
    return likely


def _held(recording: Recording, order: LockOrder, begin: Int64s, end: Int64s) -> Int64s:
    """Return for how long, from each begin to each end, somebody held the GIL or had just released it."""
    if not len(order.at):
        return np.zeros(len(begin), np.int64)
    until = recording.end_of(order.at)
    until += LATENCY
    until[:-1] = np.minimum(until[:-1], order.acquired[1:])
    before = np.zeros(len(until) + 1, np.int64)
    np.cumsum(until - order.acquired, out=before[1:])

    def held_until(time: Int64s) -> Int64s:
        at = np.searchsorted(order.acquired, time, "right") - 1
        inside = np.maximum(at, 0)
        part = np.clip(time - order.acquired[inside], 0, until[inside] - order.acquired[inside])
        return np.where(at >= 0, before[inside] + part, 0)

    return held_until(end) - held_until(begin)


def _chance(n: Int64s, k: Int64s, share: Float64s) -> Float64s:
    """Return a bound of the probability that k or more of n ends fall into a share of the time."""
    rate = k / np.maximum(n, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        hit = np.where(rate > 0, rate * np.log(rate / share), 0.0)
        miss = np.where(rate < 1, (1 - rate) * np.log((1 - rate) / (1 - share)), 0.0)
    return np.where(rate > share, np.exp(-n * (hit + miss)), 1.0)
