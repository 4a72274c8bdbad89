"""The recording, replayed as it was recorded, and as it might have been: the figures beside each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ..arrays import Int64s
from ..measures.distribution import Distribution, distribution
from ..tables.trace import Trace
from .code import holds_of_threads, waits_for_threads
from .program import Program, make_program
from .recording import Recording
from .released import portions_in
from .replay import Replay, Scenario, replay

LEFT_OUT: Final = (
    "caches, memory bandwidth and CPU frequency: work takes as long wherever and beside whatever it runs",
    "everything else that the machine does: what other programs took from its holds is taken again, as much",
    "what the program decides by time or by order: it takes the recorded steps, whoever comes first, and who"
    " never had to wait for another thread doesn't wait for it in the replay either",
    "other resources: I/O, sleeps and other processes take as long as they did",
)
"""What every replay leaves out."""

LEFT_OUT_WITHOUT_GIL: Final = (
    "without a GIL: what each operation costs more in a free-threaded build (slowdown), and the locks that"
    " it has inside objects instead",
)
LEFT_OUT_RELEASED: Final = (
    "short holds that nobody waited for have neither samples nor a recorded end, and stay holds",
    "what a function costs more that lets go of the GIL and takes it again",
)


@dataclass(frozen=True)
class Figures:
    """What a run amounts to; ns.

    Attributes
    ----------
    wall : int
        From the beginning of the recording until the program was over.
    wait : Distribution
        Of all waits for a GIL.
    switches : int
        How often a GIL went from one thread to another.
    finished : ndarray of int64, shape (threads,)
        When each thread ended, from the beginning; -1: not before the program was over.
    waited : ndarray of int64, shape (threads,)
        How long each thread waited.
    """

    wall: int
    wait: Distribution
    switches: int
    finished: Int64s = field(repr=False)
    waited: Int64s = field(repr=False)


@dataclass(frozen=True)
class WhatIf:
    """`recorded`, the same `replayed`, and a prediction for each scenario."""

    trace: Trace = field(repr=False)
    recorded: Figures
    replayed: Figures
    predictions: tuple[tuple[Scenario, Figures], ...]
    remarks: tuple[str, ...]
    """What the reader must know of this recording's replay."""
    left_out: tuple[str, ...]

    @property
    def error(self) -> float:
        """How far the replay's wall time is from the recorded one: (replayed - recorded) / recorded."""
        return (self.replayed.wall - self.recorded.wall) / max(self.recorded.wall, 1)


def what_if(trace: Trace, *scenarios: Scenario) -> WhatIf:
    """Replay a trace, as it was recorded and under other circumstances.

    Raises
    ------
    GilscopeError
        A scenario names a function or a thread that the trace doesn't have.
    """
    recording = Recording(trace)
    waits_for = waits_for_threads(recording)
    programs: dict[tuple[tuple[str, ...], tuple[str, ...]], Program] = {}
    for scenario in (Scenario(), *scenarios):
        key = scenario.release, scenario.release_threads
        if key not in programs:
            released = holds_of_threads(recording, scenario.release_threads)
            portions = portions_in(trace, scenario.release) if scenario.release else None
            programs[key] = make_program(trace, released, waits_for, portions, recording)
    recorded = of_recording(recording)
    del recording, waits_for, released, portions  # the replays need none of it
    predictions = tuple(
        (each, of_replay(trace, replay(programs[each.release, each.release_threads], each)))
        for each in scenarios
    )
    recorded_as = programs[(), ()]
    left_out = list(LEFT_OUT)
    if any(not each.gil for each in scenarios):
        left_out += LEFT_OUT_WITHOUT_GIL
    if any(each.release for each in scenarios):
        left_out += LEFT_OUT_RELEASED
    return WhatIf(
        trace=trace,
        recorded=recorded,
        replayed=of_replay(trace, replay(recorded_as)),
        predictions=predictions,
        remarks=recorded_as.remarks,
        left_out=tuple(left_out),
    )


def of_recording(recording: Recording) -> Figures:
    """Return the figures of what was recorded; a thread ends when its last step does."""
    trace = recording.trace
    duration, thread = recording.waits()
    return Figures(
        wall=trace.end - trace.begin,
        wait=distribution(duration.copy()),
        switches=sum(order.switches for order in recording.orders),
        finished=np.array([thread.end for thread in trace.threads], np.int64) - trace.begin,
        waited=_sums(duration, thread, len(trace.threads)),
    )


def of_trace(trace: Trace) -> Figures:
    """Return the figures of a trace."""
    return of_recording(Recording(trace))


def of_replay(trace: Trace, run: Replay) -> Figures:
    """Return the figures of a replay."""
    return Figures(
        wall=run.wall,
        wait=distribution(run.waits["duration"].copy()),
        switches=run.switches,
        finished=run.finished,
        waited=_sums(run.waits["duration"], run.waits["thread"], len(trace.threads)),
    )


def _sums(duration: Int64s, thread: Int64s, threads: int) -> Int64s:
    sums = np.zeros(threads, np.int64)
    np.add.at(sums, thread, duration)
    return sums
