"""Take portions of work out of a program's steps, so that they need no GIL."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import Bools, Int8s, Int32s, Int64s, distinct
from .kinds import BLOCKED, NATIVE, PYTHON

if TYPE_CHECKING:
    from .program import Program


@dataclass(frozen=True)
class Stretches:
    """Stretches of work, ns into their steps, by column."""

    step: Int64s
    begin: Int64s
    end: Int64s

    def of(self, which: Bools) -> Stretches:
        """Return some of them."""
        return Stretches(self.step[which], self.begin[which], self.end[which])


def without_gil_in(program: Program, released: Stretches, asleep: Stretches) -> Program:
    """Return a program in which stretches of steps with the GIL are steps without it.

    Parameters
    ----------
    released : Stretches
        What needs no GIL.
    asleep : Stretches
        Where the thread slept with the GIL: that takes no CPU once it needs no GIL.
    """
    some = released.end > released.begin
    if not some.any():
        return program
    parts = _parts(program, released.of(some), asleep)
    count = np.ones(len(program.kind), np.int64)
    cut = distinct(parts.step)
    count[cut] = np.bincount(parts.step, minlength=len(count))[cut]
    before = np.concatenate([[0], np.cumsum(count)])
    source = np.repeat(np.arange(len(count)), count)
    kind, gil, amount = program.kind[source], program.gil[source], program.amount[source]
    at = np.flatnonzero(np.isin(source, cut))  # the parts, in order
    kind[at], amount[at] = parts.kind, parts.end - parts.begin
    gil[at] = np.where(parts.kind == PYTHON, gil[at], -1)
    begin = np.zeros(len(source), np.int64)
    begin[at] = parts.begin
    post_step, post_at = _moved_posts(program, before, begin, kind, amount)
    call_step, call_begin, call_end = _moved_calls(program, before, begin, kind, amount)
    return replace(
        program,
        first=before[program.first],
        kind=kind,
        gil=gil,
        amount=amount,
        post_first=firsts(post_step, len(kind)),
        post_at=post_at,
        call_first=firsts(call_step, len(kind)),
        call_begin=call_begin,
        call_end=call_end,
    )


@dataclass(frozen=True)
class _Parts:
    """The parts of steps that are cut, in order; they tile their steps."""

    step: Int64s
    begin: Int64s
    end: Int64s
    kind: Int64s


def _parts(program: Program, released: Stretches, asleep: Stretches) -> _Parts:
    cut = distinct(released.step)
    asleep = asleep.of(np.isin(asleep.step, cut))
    zero = np.zeros(len(cut), np.int64)
    step = np.concatenate([cut, cut, *[released.step] * 2, *[asleep.step] * 2])
    at = np.concatenate([zero, program.amount[cut], released.begin, released.end, asleep.begin, asleep.end])
    edges = len(released.step), len(asleep.step)
    free = np.concatenate([zero, zero, *_edges(edges[0]), *_zeros(edges[1])])
    sleep = np.concatenate([zero, zero, *_zeros(edges[0]), *_edges(edges[1])])
    order = np.lexsort((at, step))
    step, at, free, sleep = step[order], at[order], np.cumsum(free[order]), np.cumsum(sleep[order])
    kind = np.where(free == 0, PYTHON, np.where(sleep > 0, BLOCKED, NATIVE))
    some = np.flatnonzero((step[1:] == step[:-1]) & (at[1:] > at[:-1]))
    step, begin, end, kind = step[some], at[some], at[some + 1], kind[some]
    new = np.ones(len(step), bool)
    new[1:] = (step[1:] != step[:-1]) | (kind[1:] != kind[:-1])
    starts = np.flatnonzero(new)
    last = np.append(starts[1:], len(step)) - 1
    return _Parts(step[starts], begin[starts], end[last], kind[starts])


def _edges(count: int) -> tuple[Int64s, Int64s]:
    return np.ones(count, np.int64), np.full(count, -1)


def _zeros(count: int) -> tuple[Int64s, Int64s]:
    return np.zeros(count, np.int64), np.zeros(count, np.int64)


def _part_at(before: Int64s, begin: Int64s, step: Int64s, at: Int64s) -> Int64s:
    """Return in which of the new steps a place in an old one is; `before`: the first of each old one."""
    order = np.repeat(np.arange(len(before) - 1), np.diff(before))
    span = int(max(begin.max(initial=0), at.max(initial=0))) + 1
    found: Int64s = np.searchsorted(order * span + begin, step * span + at, "right") - 1
    return found


def _moved_posts(
    program: Program, before: Int64s, begin: Int64s, kind: Int8s | Int64s, amount: Int64s
) -> tuple[Int64s, Int64s]:
    """Return where posts are now: what sleeps posts nothing, so that is done before it, or after."""
    step = np.repeat(np.arange(len(program.kind)), np.diff(program.post_first))
    part = _part_at(before, begin, step, program.post_at)
    at = program.post_at - begin[part]
    in_sleep = np.flatnonzero((kind[part] == BLOCKED) & (np.diff(before)[step] > 1))
    earlier = part[in_sleep] > before[step[in_sleep]]
    part[in_sleep] += np.where(earlier, -1, 1)
    at[in_sleep] = np.where(earlier, amount[part[in_sleep]], 0)
    return part, at


def _moved_calls(
    program: Program, before: Int64s, begin: Int64s, kind: Int8s | Int64s, amount: Int64s
) -> tuple[Int64s, Int64s, Int64s]:
    """Return the calls that are left: those that need the GIL, or what of them does."""
    step = np.repeat(np.arange(len(program.kind)), np.diff(program.call_first))
    first = _part_at(before, begin, step, program.call_begin)
    last = _part_at(before, begin, step, np.maximum(program.call_end - 1, program.call_begin))
    count = last - first + 1
    call = np.repeat(np.arange(len(step)), count)
    part = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count) + first[call]
    since = np.maximum(program.call_begin[call] - begin[part], 0)
    until = np.minimum(program.call_end[call] - begin[part], np.maximum(amount[part], since))
    left = (kind[part] == PYTHON) & (until > since)
    return part[left], since[left], until[left]


def firsts(step: Int64s, steps: int) -> Int32s:
    """Return where what belongs to each step begins, when sorted by step: shape (steps + 1,)."""
    first = np.zeros(steps + 1, np.int32)
    np.add.at(first, step + 1, 1)
    np.cumsum(first, out=first)
    return first
