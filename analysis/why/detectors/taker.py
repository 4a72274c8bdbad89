"""What each thread did about one GIL: what detectors look at. From one pass, or from the tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...amounts import Amounts
from ...arrays import Int64s, Table, distinct
from ...fold.one_pass import Folded, OfGil
from ...measures.native_code import code_within, where
from ...model import Gil, State
from ...tables.gil.anatomy import ASLEEP, STALLED
from ...tables.trace import Trace
from ..code.charges_of_fold import frame_sampled_most

NEARLY: float = 0.9
"""Share of an interval from which on a wait pays for one."""

OFF = {State.STALLED: STALLED, State.HOLDING_ASLEEP: ASLEEP}
"""States of a holder that does not run, and the columns of ANATOMY that tell of them."""


@dataclass(frozen=True)
class Taker:
    """A thread that holds a GIL for some time, or waits for it. Times and durations in ns.

    Attributes
    ----------
    waits, held, median_hold : int
        How many waits, for how long it held it, and its usual hold.
    waited, longest, first, last : int
        For how long it waited, its longest wait, the first one's begin, the last one's end.
    paid, paid_time, paid_first, paid_last, median_paid
        Waits that pay for an interval: how many, how long, from when to when, and how long they usually are.
    late, overdue, worst, worst_acquired, worst_released, worst_frame : int
        Holds that were overdue by more than an interval, by how much, and the worst of them: its frame is an
        index in Trace.frames, or -1.
    native : str
        Which native code the overdue holds ran after they were asked to end; "": not known.
    off : dict
        For each of `OFF` the time of its waits in which the holder was so, the most of one wait, and that
        wait's begin and end.
    """

    thread: int
    waits: int
    held: int
    median_hold: float
    waited: int
    longest: int
    first: int
    last: int
    paid: int
    paid_time: int
    paid_first: int
    paid_last: int
    median_paid: float
    late: int
    overdue: int
    worst: int
    worst_acquired: int
    worst_released: int
    worst_frame: int
    native: str
    off: dict[State, tuple[int, int, int, int]]


def takers(trace: Trace, gil: Gil, interval: int) -> list[Taker]:
    """Return the threads that hold a GIL for some time, or wait for it, in their order."""
    if trace.folded is not None:
        return list(_of_fold(trace, gil, trace.folded))
    return list(_of_tables(trace, gil, interval))


def _median(amounts: Amounts) -> float:
    return amounts.percentile(50) if amounts.count else 0.0


def _of_fold(trace: Trace, gil: Gil, folded: Folded) -> Iterator[Taker]:
    for item in folded.of_gil(gil.index):
        if not item.held and not item.waits.count:
            continue
        frame = -1
        if item.late:
            frame = frame_sampled_most(
                trace, gil, folded.gils[gil.index], item.worst_serial, item.worst_frame
            )
        yield Taker(
            thread=item.thread,
            waits=item.waits.count,
            held=item.held,
            median_hold=_median(item.holds.with_value(0, item.unseen)),
            waited=item.waits.total,
            longest=item.waits.most,
            first=item.wait_first,
            last=item.wait_last_end,
            paid=item.paid.count,
            paid_time=item.paid.total,
            paid_first=item.paid_first,
            paid_last=item.paid_last_end,
            median_paid=_median(item.paid),
            late=item.late,
            overdue=item.overdue,
            worst=item.worst,
            worst_acquired=item.worst_acquired,
            worst_released=item.worst_released,
            worst_frame=frame,
            native=_native(trace, item.thread, *_late(folded.gils[gil.index], item.thread)),
            off={
                state: (sum(item.parts[at : at + 3]), *most)
                for state, at, most in zip(OFF, (5, 8), item.most_off, strict=True)
            },
        )


def _of_tables(trace: Trace, gil: Gil, interval: int) -> Iterator[Taker]:
    holds, mine = trace.holds(gil), trace.waits_for(gil)
    waits, anatomy = trace.waits[mine], trace.anatomy[mine]
    lengths = holds.released - holds.acquired
    asked, overdue = _overdue(trace, gil)
    late = np.flatnonzero(overdue > interval)
    frames = trace.hold_frames(gil) if len(late) else np.zeros(0, np.int32)
    who = distinct(np.concatenate([holds.thread[lengths > 0], waits["thread"]])).astype(np.int64)
    for thread in who.tolist():
        of_waits = waits["thread"] == thread
        own, parts = waits[of_waits], anatomy[of_waits]
        own_lengths = lengths[holds.thread == thread]
        paid = own[parts["politeness"] >= NEARLY * interval]
        own_late = late[holds.thread[late] == thread]
        worst = int(own_late[np.argmax(overdue[own_late])]) if len(own_late) else -1
        yield Taker(
            thread=thread,
            waits=len(own),
            held=int(own_lengths.sum()),
            median_hold=_median(Amounts.of(own_lengths)),
            waited=int(own["duration"].sum()),
            longest=int(own["duration"].max(initial=0)),
            first=int(own["start"][0]) if len(own) else 0,
            last=int(own["start"][-1] + own["duration"][-1]) if len(own) else 0,
            paid=len(paid),
            paid_time=int(paid["duration"].sum()),
            paid_first=int(paid["start"][0]) if len(paid) else 0,
            paid_last=int(paid["start"][-1] + paid["duration"][-1]) if len(paid) else 0,
            median_paid=_median(Amounts.of(paid["duration"].copy())),
            late=len(own_late),
            overdue=int(overdue[own_late].sum()),
            worst=int(overdue[worst]) if worst >= 0 else 0,
            worst_acquired=int(holds.acquired[worst]) if worst >= 0 else 0,
            worst_released=int(holds.released[worst]) if worst >= 0 else 0,
            worst_frame=int(frames[worst]) if worst >= 0 else -1,
            native=_native(trace, thread, asked[own_late], holds.released[own_late]),
            off={state: _off(own, parts, names) for state, names in OFF.items()},
        )


def _native(trace: Trace, thread: int, asked: Int64s, released: Int64s) -> str:
    return where(code_within(trace, thread, asked, released))


def _late(of: OfGil, thread: int) -> tuple[Int64s, Int64s]:
    """Return when the overdue holds of a thread were asked to end, and when they did."""
    mine = of.late_holds[of.late_holds[:, 0] == thread]
    return mine[:, 1], mine[:, 2]


def _off(waits: Table, parts: Table, names: tuple[str, ...]) -> tuple[int, int, int, int]:
    if not len(waits):
        return 0, 0, 0, 0
    of_wait = np.sum([parts[name] for name in names], axis=0)
    at = int(np.argmax(of_wait))
    begin = int(waits["start"][at])
    return int(np.sum(of_wait)), int(of_wait[at]), begin, begin + int(waits["duration"][at])


def _overdue(trace: Trace, gil: Gil) -> tuple[Int64s, Int64s]:
    """Return when each hold was asked to end, and for how long it ran on after that."""
    holds = trace.holds(gil)
    asked = np.minimum(trace.first_requests(gil), holds.released)
    overdue: Int64s = holds.released - asked
    if trace.scheduling is not None:
        for state in OFF:
            clock = trace.stall_clock(gil, state)
            overdue = overdue - (clock.asked_for(holds.released) - clock.asked_for(asked))
    return asked, overdue
