"""Portions of waiting: which code each second of it is charged to.

Each hold has so much waiting to be charged, to the nanosecond (`charges`); samples say which code ran in it.
A long hold is charged to its own samples. A short one may have none by chance: so short holds are charged
together, all that they made others wait to all the samples in them. Together are holds that ended on the
same line after about as long, if they have samples enough, else those that ended on the same line, then
those of the same thread, then all of the same GIL. Within such a group each moment of waiting was as likely
to be sampled as any other, so its samples say how its waiting divides; and the sums stay exact. Holds that
are left share the samples that others have had. Only where there are hardly any samples are holds charged to
the code at their ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from ...arrays import Bools, Int32s, Int64s, Table

_LONG: Final = 2_000_000
"""ns of contention from which on a hold is charged by itself: the sampler pauses for a good ms at most."""

_ENOUGH: Final = 8
"""Samples from which on a group is one."""

_SPARSE: Final = 10_000_000
"""ns of contention a sample, beyond which samples are of something else: the sampler was not there."""


@dataclass(frozen=True)
class Portions:
    """Pieces of the waiting for one GIL, by column.

    Attributes
    ----------
    hold : ndarray of int64
        Index in the holds given: the one that was sampled, or that ended there.
    frame : ndarray of int32
    time : ndarray of int64
        When it was sampled; -1: charged by the hold's end.
    waited, contended : ndarray of int64
        ns. They sum to those of the holds.
    """

    hold: Int64s
    frame: Int32s
    time: Int64s
    waited: Int64s
    contended: Int64s


@dataclass(frozen=True)
class Parts:
    """What is to be charged: holds, or sums of holds that are alike; by column.

    Attributes
    ----------
    lines, threads, octave : ndarray of int64
        Of the code at its end, a number; of its holder; of its contention: `octave`.
    waited, contended : ndarray of int64
        ns.
    alone : ndarray of bool
        A long hold with samples of its own.
    """

    lines: Int64s
    threads: Int64s
    octave: Int64s
    waited: Int64s
    contended: Int64s
    alone: Bools


def portions(
    samples: Table,
    hold: Int64s,
    ends: Int32s,
    lines: Int64s,
    threads: Int32s,
    waited: Int64s,
    contended: Int64s,
) -> Portions:
    """Charge holds, in the order of the lock, to code.

    Parameters
    ----------
    samples : SAMPLE table
        Of this GIL.
    hold : ndarray of int64
        The holds, as `samples` numbers them, during which somebody waited.
    ends, lines : ndarray
        For each of them the frame at its end, and a number for its line.
    threads : ndarray of int32
    waited, contended : ndarray of int64
        ns to be charged.
    """
    at, told = _told(samples, hold)
    sampled = np.zeros(len(hold), bool)
    sampled[at] = True
    parts = Parts(
        lines, threads.astype(np.int64), octave(contended), waited, contended, sampled & (contended >= _LONG)
    )
    share, by_end = divided(parts, at, samples["waiters"][told].astype(np.int64))
    rest = np.flatnonzero(by_end)
    return Portions(
        hold=np.concatenate([at, rest]),
        frame=np.concatenate([samples["frame"][told], ends[rest]]),
        time=np.concatenate([samples["time"][told], np.full(len(rest), -1, np.int64)]),
        waited=np.concatenate([share[0], waited[rest]]),
        contended=np.concatenate([share[1], contended[rest]]),
    )


def octave(contended: Int64s) -> Int64s:
    """Return about how long holds were contended: the same number up to twice as long."""
    return np.frexp(contended.astype(np.float64))[1].astype(np.int64)


def divided(parts: Parts, at: Int64s, weight: Int64s) -> tuple[Int64s, Bools]:
    """Divide what is to be charged among samples, and return what is charged by the ends of holds.

    Parameters
    ----------
    at, weight : ndarray of int64
        For each sample, in time order, the part that it is of, and how many waited then.

    Returns
    -------
    share : ndarray of int64, shape (2, samples)
        ns of waiting, and of contention, for each sample.
    by_end : ndarray of bool
        Parts that are not divided among samples.
    """
    share = np.zeros((2, len(at)), np.int64)
    by_end = np.ones(len(parts.lines), bool)
    free = np.ones(len(at), bool)
    everyone = np.ones(len(parts.lines), bool)
    for group, of_part, enough, again in _groups(parts):
        size = int(group.max(initial=-1)) + 1
        left = by_end & of_part
        mine = np.ones(len(at), bool) if again else free & left[at]
        count = np.bincount(group[at[mine]], minlength=size)
        stands_for = everyone if again else left
        good = enough(count, np.bincount(group[stands_for], parts.contended[stands_for], size))
        take = left & good[group]
        mine &= good[group[at]]
        for row, amount, weights in (
            (0, parts.waited, weight),
            (1, parts.contended, np.ones_like(weight)),
        ):
            whole = _sums(group[take], amount[take], size)
            share[row, mine] += _divide(whole, group[at[mine]], weights[mine])
        by_end &= ~take
        free &= ~mine
    return share, by_end


def _told(samples: Table, hold: Int64s) -> tuple[Int64s, Int64s]:
    """Return for each sample that tells something the hold it is of, an index in `hold`, and the sample."""
    if not len(hold):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    at = np.minimum(np.searchsorted(hold, samples["hold"]), len(hold) - 1)
    told = np.flatnonzero((hold[at] == samples["hold"]) & (samples["waiters"] > 0))
    return at[told], told


class _Enough:
    """Whether groups have samples enough, for their number and the contention that they stand for."""

    def __init__(self, least: int, sparse: int | None = None) -> None:
        self._least = least
        self._sparse = sparse

    def __call__(self, count: Int64s, contended: Int64s) -> Bools:
        good: Bools = count >= self._least
        if self._sparse is not None:
            good &= contended <= self._sparse * count
        return good


def _groups(parts: Parts) -> Iterator[tuple[Int64s, Bools, _Enough, bool]]:
    """Yield ways to put parts together, the closest first: a group each, who may be in one, and when.

    At last come those that share the samples of parts which have had theirs: what is left are holds that had
    none by chance, or because the sampler itself had no CPU.
    """
    everyone = np.ones(len(parts.lines), bool)
    yield np.arange(len(parts.lines)), parts.alone, _Enough(1), False
    yield parts.lines * 64 + parts.octave, everyone, _Enough(_ENOUGH), False
    yield parts.lines, everyone, _Enough(_ENOUGH), False
    yield parts.threads, everyone, _Enough(_ENOUGH), False
    for group in (parts.lines, parts.threads):
        yield group, everyone, _Enough(_ENOUGH, _SPARSE), True
    yield np.zeros(len(parts.lines), np.int64), everyone, _Enough(1, _SPARSE), True


def _sums(group: Int64s, amount: Int64s, size: int) -> Int64s:
    whole = np.zeros(size, np.int64)
    np.add.at(whole, group, amount)
    return whole


def _divide(whole: Int64s, group: Int64s, weight: Int64s) -> Int64s:
    """Divide the whole of each group among its members, by weight, to the last ns."""
    order = np.argsort(group, kind="stable")
    group, weight = group[order], weight[order]
    every = np.cumsum(weight)
    first = np.flatnonzero(np.diff(group, prepend=-1))
    before = np.repeat(every[first] - weight[first], np.diff(first, append=len(group)))
    total = _sums(group, weight, len(whole))
    quotient, rest = np.divmod(whole, np.maximum(total, 1))
    # By parts: a whole of hours times a weight does not fit into 64 bits.
    until, since = every - before, every - before - weight
    part = (
        quotient[group] * weight + rest[group] * until // total[group] - rest[group] * since // total[group]
    )
    divided = np.empty(len(part), np.int64)
    divided[order] = part
    return divided
