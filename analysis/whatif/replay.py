"""Run a program on a machine: another switch interval, other CPUs, no GIL."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..arrays import Bools, Int64s, Table
from ..errors import GilscopeError
from ..units import duration
from .kinds import NATIVE, PYTHON
from .machine import Machine
from .program import Program

SPAN: Final = np.dtype(
    [("thread", "<i8"), ("gil", "<i8"), ("start", "<i8"), ("duration", "<i8")],
)
"""Waits and holds of a replay, in the order in which they ended; ns from the beginning."""


@dataclass(frozen=True)
class Scenario:
    """What is to be different from the recording; nothing, by default.

    Attributes
    ----------
    interval : int or None
        Switch interval in ns.
    cpus : int or None
        Number of CPUs.
    gil : bool
        False: no GIL at all.
    slowdown : float
        Without a GIL: work takes this many times as long, as a free-threaded build's does.
    release : tuple of str
        Functions, "module.function", that let go of the GIL while they run: holds of theirs need none.
    release_threads : tuple of str
        Threads, by name, that never need the GIL.
    """

    interval: int | None = None
    cpus: int | None = None
    gil: bool = True
    slowdown: float = 1.0
    release: tuple[str, ...] = ()
    release_threads: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.interval is not None and self.interval <= 0:
            raise GilscopeError(f"a switch interval of {self.interval} ns: it must be more than 0")
        if self.cpus is not None and self.cpus < 1:
            raise GilscopeError(f"{self.cpus} CPUs: it takes at least 1")
        if not self.slowdown > 0:
            raise GilscopeError(f"a slowdown of {self.slowdown}: it must be more than 0")
        if self.slowdown != 1 and self.gil:
            raise GilscopeError("a slowdown is that of a free-threaded build: it goes with no GIL only")

    @property
    def title(self) -> str:
        """The scenario in a few words: "interval 1.00 ms, 4 CPUs"."""
        parts = [] if self.interval is None else [f"interval {duration(self.interval)}"]
        if self.cpus is not None:
            parts.append("1 CPU" if self.cpus == 1 else f"{self.cpus} CPUs")
        if not self.gil:
            parts.append("no GIL" if self.slowdown == 1 else f"no GIL, work × {self.slowdown:g}")
        parts += [f"{name} without the GIL" for name in (*self.release, *self.release_threads)]
        return ", ".join(parts) or "as recorded"


@dataclass(frozen=True)
class Replay:
    """What happened in a replay; times in ns, from the beginning.

    Attributes
    ----------
    wall : int
        When the last essential thread ended.
    waits : ndarray of SPAN
        Waits for a GIL, those too that the end cut.
    holds : ndarray of SPAN
        Holds, if they were asked for; else empty.
    switches : int
        How often a GIL went from one thread to another.
    requests : int
        Drop requests made.
    finished : ndarray of int64, shape (threads,)
        When each thread ended; -1: it had not when the program was over.
    """

    wall: int
    waits: Table = field(repr=False)
    holds: Table = field(repr=False)
    switches: int
    requests: int
    finished: Int64s = field(repr=False)


def replay(
    program: Program, scenario: Scenario | None = None, *, holds: bool = False, machine: Any = Machine
) -> Replay:
    """Run a program.

    Of a scenario only what is about the machine counts; what runs without the GIL is the program's matter
    (`release`).

    Parameters
    ----------
    holds : bool
        Write down the holds too.
    machine : class
        `Machine`, compiled or not.
    """
    scenario = scenario or Scenario()
    program = without_gil(program, scenario.slowdown) if not scenario.gil else program
    interval = (
        program.interval if scenario.interval is None else np.full_like(program.interval, scenario.interval)
    )
    threads = len(program.first) - 1
    run = machine(
        _columns(program),
        [_numbers(program.pools.first), _as_is(program.pools.value, np.int64)],
        _numbers(interval),
        scenario.cpus or program.cpus or max(threads, 1),
        holds,
    )
    wall = run.run()
    return Replay(
        wall=wall,
        waits=_spans(run.waits.told()),
        holds=_spans(run.holds.told()),
        switches=run.switches,
        requests=run.requests,
        finished=np.array(run.finished, np.int64),
    )


def without_gil(program: Program, slowdown: float = 1.0) -> Program:
    """Return a program whose work with the GIL needs none, and takes `slowdown` times as long."""
    python = program.kind == PYTHON
    posts = np.repeat(python, np.diff(program.post_first))

    def slowed(amount: Int64s, which: Bools) -> Int64s:
        if slowdown == 1:
            return amount
        return np.where(which, np.rint(amount * slowdown), amount).astype(np.int64)

    return replace(
        program,
        kind=np.where(python, NATIVE, program.kind),
        gil=np.full_like(program.gil, -1),
        amount=slowed(program.amount, python),
        post_at=slowed(program.post_at, posts),
    )


def _columns(program: Program) -> Sequence[memoryview]:
    return (
        _as_is(program.first, np.int64),
        _as_is(program.kind, np.int8),
        _as_is(program.gil, np.int16),
        _as_is(program.amount, np.int64),
        _as_is(program.post_first, np.int32),
        _as_is(program.post_at, np.int64),
        _as_is(program.post_event, np.int64),
        _as_is(program.post_delay, np.int64),
        _as_is(program.call_first, np.int32),
        _as_is(program.call_begin, np.int64),
        _as_is(program.call_end, np.int64),
        _as_is(program.essential, np.int64),
    )


def _as_is(column: npt.NDArray[Any], kind: type[np.integer[Any]]) -> memoryview:
    """Return a column in the machine's type (machine.pxd): where it has that, no copy."""
    return np.require(column, kind, ["C", "W"]).data


def _numbers(column: Int64s) -> array[int]:
    numbers = array("q")
    numbers.frombytes(np.ascontiguousarray(column, np.int64).view(np.uint8).data)
    return numbers


def _spans(flat: array[int]) -> Table:
    spans = np.frombuffer(flat, np.int64).reshape(-1, 4).view(SPAN).reshape(-1)
    spans["duration"] -= spans["start"]
    return spans
