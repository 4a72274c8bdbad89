"""What one pass charged, brought to code: sums of holds that are alike, and the samples among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...arrays import Bools, Int32s, Int64s, Table, distinct
from ...fold.one_pass import OfGil
from ...model import Gil
from ...tables.trace import Trace
from .portions import Parts, divided

Numbering = Callable[[Int32s], Int64s]
"""Frames → numbers of lines, or of functions."""


@dataclass(frozen=True)
class FoldCharged:
    """The holds of a GIL during which somebody waited.

    Attributes
    ----------
    parts : Parts
        Sums of holds that are alike, which are `of.charges`; then long ones that have samples of their own.
    ends, by_end : ndarray
        The frame at the end of each part, and whether that is what is charged.
    at, row, frames : ndarray
        For each sample that tells something its part, its hold (a row of `of.sampled`), and its frame.
    share : ndarray of int64, shape (2, samples)
        What each is charged with: ns of waiting, ns of contention.
    bits : ndarray of uint64, shape (samples, words)
        Who waited then.
    """

    of: OfGil
    parts: Parts
    ends: Int32s
    by_end: Bools
    at: Int64s
    row: Int64s
    frames: Int32s
    share: Int64s
    bits: np.ndarray[tuple[int, ...], np.dtype[np.uint64]]

    @property
    def _rest(self) -> Int64s:
        return np.flatnonzero(self.by_end)

    def add_to_frames(self, of_frame: Int64s) -> None:
        """Add what each frame is charged with, ns."""
        rest = self._rest
        for frames, waited in ((self.frames, self.share[0]), (self.ends[rest], self.parts.waited[rest])):
            known = frames >= 0
            np.add.at(of_frame, frames[known], waited[known])

    def _held(self, number: Numbering) -> tuple[Int64s, Int64s]:
        """Return each hold (a row of `of.sampled`) with each number that it was sampled in, once.

        Not those that are charged by their end, which has that number.
        """
        of_sample = number(self.frames)
        size = int(of_sample.max(initial=0)) + 1
        row, which = np.divmod(distinct(self.row * size + of_sample), size)
        part = self._part_of_rows[row]
        again = self.by_end[part] & (number(self.ends[part]) == which)
        return row[~again], which[~again]

    @property
    def _part_of_rows(self) -> Int64s:
        return part_of_rows(self.of)

    def sums(self, number: Numbering, size: int) -> dict[str, Int64s]:
        """Return what each number is charged with, by the names of CODE_BLAME."""
        rest, charges = self._rest, self.of.charges
        of_end, of_sample = number(self.ends[rest]), number(self.frames)
        row, which = self._held(number)

        def added(*pairs: tuple[Int64s, Int64s]) -> Int64s:
            result = np.zeros(size, np.int64)
            for where, amounts in pairs:
                np.add.at(result, where, amounts)
            return result

        slowest = np.zeros(size, np.int64)
        np.maximum.at(slowest, of_end, charges[rest, 7])
        np.maximum.at(slowest, which, self.of.sampled[row, 7])
        waited, contended = self.parts.waited[rest], self.parts.contended[rest]
        return {
            "waited": added((of_end, waited), (of_sample, self.share[0])),
            "contended": added((of_end, contended), (of_sample, self.share[1])),
            "at_ends": added((of_end, waited)),
            "samples": added((of_sample, np.ones(len(of_sample), np.int64))),
            "holds": added((of_end, charges[rest, 5]), (which, np.ones(len(which), np.int64))),
            "requested": added((of_end, charges[rest, 6]), (which, self.of.sampled[row, 6])),
            "slowest": slowest,
            "threads": self._threads(of_end, of_sample, size),
        }

    def lengths(self, number: Numbering) -> tuple[Int64s, Int64s, Int64s]:
        """Return numbers, the longest contention of holds that are theirs, and when these were released."""
        rest, charges = self._rest, self.of.charges
        row, which = self._held(number)
        return (
            np.concatenate([number(self.ends[rest]), which]),
            np.concatenate([charges[rest, 8], self.of.sampled[row, 5]]),
            np.concatenate([charges[rest, 9], self.of.sampled[row, 1]]),
        )

    def _threads(self, of_end: Int64s, of_sample: Int64s, size: int) -> Int64s:
        """Count the threads that waited for each number."""
        bits = np.zeros((size, self.of.waiters.shape[1]), np.uint64)
        np.bitwise_or.at(bits, of_end, self.of.waiters[self._rest])
        np.bitwise_or.at(bits, of_sample, self.bits)
        count: Int64s = np.unpackbits(bits.view(np.uint8), axis=1).sum(axis=1).astype(np.int64)
        return count


def part_of_rows(of: OfGil) -> Int64s:
    """Return for each of the holds with samples which part it is in, or is."""
    part = of.sampled[:, 8].copy()
    alone = part < 0
    part[alone] = len(of.charges) + np.arange(int(alone.sum()))
    return part


def charged_in_fold(trace: Trace, gil: Gil, of: OfGil, number: Numbering) -> FoldCharged:
    """Return what the holds of a GIL are charged with; `number` numbers lines."""
    alone = of.sampled[of.sampled[:, 8] < 0]

    def column(of_charges: int, of_holds: int) -> Int64s:
        return np.concatenate([of.charges[:, of_charges], alone[:, of_holds]])

    ends = trace.stacks.of(gil.process, column(0, 3).astype(np.uint32))
    parts = Parts(
        number(ends),
        column(2, 2),
        np.concatenate([of.charges[:, 1], np.zeros(len(alone), np.int64)]),
        column(3, 4),
        column(4, 5),
        np.arange(len(ends)) >= len(of.charges),
    )
    told, row = _told(of)
    at = part_of_rows(of)[row]
    share, by_end = divided(parts, at, of.sample_waiters[told])
    return FoldCharged(
        of, parts, ends, by_end, at, row, _frames(trace, gil)[told], share, of.sample_bits[told]
    )


def _told(of: OfGil) -> tuple[Int64s, Int64s]:
    """Return the samples that tell something, and the rows of their holds."""
    told = np.flatnonzero((of.sample_hold >= 0) & (of.sample_waiters > 0))
    if not len(of.sampled):
        return told[:0], told[:0]
    row = np.minimum(np.searchsorted(of.sampled[:, 0], of.sample_hold[told]), len(of.sampled) - 1)
    mine = of.sampled[row, 0] == of.sample_hold[told]
    return told[mine], row[mine]


def _frames(trace: Trace, gil: Gil) -> Int32s:
    records: Table = trace.sampled[gil.process]
    return trace.stacks.of(gil.process, records["frame"][records["gil"] == gil.number])


def frame_sampled_most(trace: Trace, gil: Gil, of: OfGil, hold: int, end: int) -> int:
    """Return the frame that a hold was sampled in most; else that at its end, numbered `end`; or -1."""
    mine = np.flatnonzero(of.sample_hold == hold)
    if len(mine):
        frames, count = np.unique(_frames(trace, gil)[mine], return_counts=True)
        return int(frames[np.lexsort((-frames, count))[-1]])
    return int(trace.stacks.of(gil.process, np.array([end], np.uint32))[0])
