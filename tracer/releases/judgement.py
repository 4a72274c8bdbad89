"""What the runs of a statement mean: it holds the GIL, lets go of it, partly, or nobody can say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

from tracer.releases.locked import Locked
from tracer.releases.windows import Measured, Run

Verdict = Literal["holds", "lets go", "partly", "unsure", "no GIL"]

VERDICTS: Final[tuple[Verdict, ...]] = ("holds", "lets go", "partly", "unsure", "no GIL")

MOSTLY: Final = 0.8
HARDLY: Final = 0.2
"""Shares of its time: above, it holds; below, it lets go."""

_CAN_BE_CUT: Final = 1_000_000
"""ns: holds that are shorter are over before anybody's request matters."""

_EXTREMES: Final = 5
"""From so many runs on the one that is farthest from the others has no say."""

_MARGIN: Final = 0.02
"""A share that is nearer than this to a bound may be on its other side; or by half as much as runs differ."""

_BUSY: Final = 0.1
"""Share of the time without a CPU from which on the machine is busy with others."""

_FEW: Final = 3
_FEW_DIFFER: Final = 0.15
"""On a busy machine the share of fewer runs than that may be so much more or less."""

_COLD: Final = 0.08
"""So much more or less where others had the CPU all the time: caches are theirs, then."""

_BESIDE: Final = 0.25
"""Two threads ran at once where the other one had this share of the CPU time of the first, at least."""

_DISTURBED: Final = 0.1
"""A run whose share may be that much more or less, by the machine's doing, has no say if there are others."""

_SPREAD: Final = 0.05
"""Shares that are this far apart tell that memory matters."""


@dataclass(frozen=True)
class Judgement:
    """The verdict on a statement, and its figures: of one call, ns, medians over the runs.

    Where it touches much memory for the first time these are of the runs in which that was there already;
    whether it is depends on what the process freed before.

    Attributes
    ----------
    wall, own : float
        `own`: without what it waited for a CPU. `walls` are the least and the greatest.
    share : float
        Median share of its own time that it held the GIL; `shares` are the least and the greatest, and
        `bounds` what it may have been on a machine of its own.
    piece : int
        How long it kept the GIL at most after another thread had asked for it, in the middle one of the
        runs where one did: a hold in one piece, that nobody can interrupt.
    yields : bool
        Asked to let go it does, long before it is through: Python does so between its instructions.
    released : float
        How often it lets go.
    native, asleep, elsewhere : float
        Shares of its time: without the GIL on a CPU, and off it; CPU time of other threads.
    fresh_share, pages : float
        Its share where each call's memory comes fresh from the kernel, and how many pages that are; 0: that
        makes no difference.
    busy : float
        Share of the wall time in which it wanted a CPU and had none. It counts nowhere else.
    together : float
        Without a GIL: how long two threads at once take, in times of one. 0: not measured.
    locks, locked
        Without a GIL: what two threads at once waited for, in one run, the longest first; and the share of
        their time that they waited for locks.
    """

    name: str
    verdict: Verdict
    number: int
    share: float
    shares: tuple[float, float]
    bounds: tuple[float, float]
    own: float
    wall: float
    walls: tuple[float, float]
    held: float
    piece: int
    yields: bool
    released: float
    native: float
    asleep: float
    elsewhere: float
    first_wall: int
    first_share: float
    together: float
    function: tuple[str, ...]
    locks: tuple[Locked, ...] = ()
    locked: float = 0.0
    fresh_share: float = 0.0
    pages: float = 0.0
    busy: float = 0.0


def judge(measured: Measured) -> Judgement:
    """Return what the runs of a call mean."""
    fresh = measured.of("alone")
    alone = _undisturbed(measured.of("kept") or fresh)
    shares = [run.share for run in alone]
    walls = [run.wall / run.number for run in alone]
    first = measured.of("first")[0]
    worst = _middle(measured.of("asked"))
    touches = abs(median(shares) - median(run.share for run in fresh)) > _SPREAD
    return Judgement(
        name=measured.name,
        verdict=_verdict(alone) if measured.gil or max(shares) > 0 else "no GIL",
        number=alone[0].number,
        share=median(shares),
        shares=(min(shares), max(shares)),
        bounds=_bounds(alone),
        own=median(run.own / run.number for run in alone),
        wall=median(walls),
        walls=(min(walls), max(walls)),
        held=median(run.held / run.number for run in alone),
        piece=worst.overdue if worst else 0,
        yields=_yields(alone, worst),
        released=median(run.released / run.number for run in alone),
        native=_of_own(alone, "native"),
        asleep=_of_own(alone, "asleep"),
        elsewhere=_of_own(alone, "elsewhere"),
        first_wall=first.wall,
        first_share=first.share,
        together=_together(measured),
        function=worst.function if worst else (),
        locks=_locks(measured),
        locked=_locked(measured),
        fresh_share=median(run.share for run in fresh) if touches else 0.0,
        pages=median(run.pages / run.number for run in fresh) if touches else 0.0,
        busy=_busy(alone),
    )


def class_of(share: float) -> Verdict:
    """Return the verdict on one share."""
    return "holds" if share > MOSTLY else "lets go" if share < HARDLY else "partly"


def _verdict(runs: Sequence[Run]) -> Verdict:
    """Return the verdict that all runs agree on, also at the ends of what they may have been; of many, all
    but one.
    """
    middle = median(run.share for run in runs)
    kept = sorted(runs, key=lambda run: abs(run.share - middle))
    if len(kept) >= _EXTREMES:
        kept.pop()
    verdict = class_of(middle)
    low, high = _bounds(kept)
    busy = _busy(kept)
    spread = max(run.share for run in kept) - min(run.share for run in kept)
    margin = max(_MARGIN, spread / 2, _COLD * busy, _FEW_DIFFER * (len(kept) < _FEW and busy > _BUSY))
    sure = class_of(low - margin) == verdict == class_of(high + margin)
    return verdict if sure else "unsure"


def _undisturbed(runs: Sequence[Run]) -> Sequence[Run]:
    """Return those whose shares are known well, if there are enough of them; else all."""
    known = [run for run in runs if run.bounds[1] - run.bounds[0] < _DISTURBED]
    return known if len(known) >= _FEW else runs


def _bounds(runs: Sequence[Run]) -> tuple[float, float]:
    return min(run.bounds[0] for run in runs), max(run.bounds[1] for run in runs)


def _busy(runs: Sequence[Run]) -> float:
    return float(median(run.ready / max(run.wall, 1) for run in runs))


def _yields(alone: Sequence[Run], worst: Run | None) -> bool:
    """Whether holds within a call are cut when somebody asks. Calls shorter than that can't show it."""
    held = median(run.held / run.number for run in alone)
    return worst is not None and held > _CAN_BE_CUT and worst.overdue < held / 4


def _middle(asked: Sequence[Run]) -> Run | None:
    ordered = sorted(asked, key=lambda run: run.overdue)
    return ordered[len(ordered) // 2] if ordered else None


def _of_own(runs: Sequence[Run], what: str) -> float:
    return float(median(getattr(run, what) / max(run.own, 1) for run in runs))


def _together(measured: Measured) -> float:
    single, together = measured.of("single"), _side_by_side(measured)
    if not single or not together:
        return 0.0
    return median(run.own for run in together) / median(run.own for run in single)


def _side_by_side(measured: Measured) -> Sequence[Run]:
    """Return the runs of two threads at once in which the other one had a CPU, too."""
    return [
        run
        for run in measured.of("together")
        if run.elsewhere >= _BESIDE * run.native or run.native < HARDLY * run.own
    ]


def _locks(measured: Measured) -> tuple[Locked, ...]:
    """Return what two threads waited for in the middle one of the runs by that."""
    together = sorted(_side_by_side(measured), key=lambda run: sum(of.waited for of in run.locks))
    return together[len(together) // 2].locks if together else ()


def _locked(measured: Measured) -> float:
    """Return the share of two threads' time that they waited for locks."""
    together = _side_by_side(measured)
    waited = (sum(of.waited for of in run.locks) / max(2 * run.wall, 1) for run in together)
    return median(waited) if together else 0.0
