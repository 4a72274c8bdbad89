"""What a stream says must have been possible: what is not ends what is believed of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ...errors import TraceFormatError
from ..format import NO_GIL, Event
from ..problems import Problems
from .decode import Decoded
from .grammar import LOST, first_impossible, first_misplaced_gil

_Wrong = tuple[int, str, str]
Check = Callable[[Decoded], _Wrong | None]


def believe(
    decoded: Decoded, bad_id: tuple[int, int] | None, checks: Sequence[Check], problems: Problems
) -> tuple[Decoded, bool]:
    """Return the events before the first that is wrong, and whether that is all of them.

    Each check believes what the ones before it have passed.
    """
    total = len(decoded.time)
    wrong = next(_wrong(decoded, bad_id, checks), None)
    while wrong is not None:
        at, found, expected = wrong
        packet = int(np.searchsorted(decoded.first, at, "right")) - 1
        problems.report(
            TraceFormatError(decoded.packets.path, found, expected, f"packet {packet}"),
            f"{total - at} events from there on",
        )
        decoded = decoded.cut(at)
        wrong = next(_wrong(decoded, bad_id, checks), None)
    return decoded, len(decoded.time) == total


def _wrong(decoded: Decoded, bad_id: tuple[int, int] | None, checks: Sequence[Check]) -> Iterator[_Wrong]:
    """Yield what is wrong: position, what was found, what was expected. Order matters: see each check."""
    if bad_id is not None and bad_id[0] < len(decoded.time):
        yield bad_id[0], f"event id {bad_id[1]}", "a known one"
    for check in checks:
        found = check(decoded)
        if found is not None:
            yield found


def _time(decoded: Decoded) -> _Wrong | None:
    """Times never decrease, and lie within what the packet's header says."""
    time, first = decoded.time, decoded.first
    if not len(time):
        return None
    headers = decoded.packets.headers[: len(first)]
    last = np.append(first[1:], len(time)) - 1
    wrong: list[_Wrong] = []
    earlier = time[1:] < time[:-1]
    if earlier.any():
        at = int(np.argmax(earlier)) + 1
        wrong.append((at, f"time {time[at]} after {time[at - 1]}", "times that never decrease"))
    for where, outside in (
        (first, time[first] < headers["timestamp_begin"].astype(np.int64)),
        (last, time[last] > headers["timestamp_end"].astype(np.int64)),
    ):
        # A LOST put before a packet's first event has the time of the packet before.
        outside &= decoded.kind[where] != LOST
        if outside.any():
            at = int(where[np.argmax(outside)])
            wrong.append((at, f"time {time[at]}", "one between timestamp_begin and timestamp_end"))
    return min(wrong) if wrong else None


def _gil(decoded: Decoded) -> _Wrong | None:
    at = first_misplaced_gil(decoded.kind, decoded.gil)
    if at is None:
        return None
    name = Event(decoded.kind[at]).name.lower()
    expected = "none" if decoded.gil[at] != NO_GIL else "the number of one"
    return at, f"{name} with gil {decoded.gil[at]}", expected


def _order(decoded: Decoded) -> _Wrong | None:
    at = first_impossible(decoded.kind, decoded.gil)
    if at is None:
        return None
    name = Event(decoded.kind[at]).name.lower()
    if at == 0:
        return at, f"{name} first", "thread_start"
    before = Event(decoded.kind[at - 1]).name.lower() if decoded.kind[at - 1] != LOST else "lost events"
    gils = (
        ""
        if NO_GIL in decoded.gil[at - 1 : at + 1]
        else f" (gil {decoded.gil[at - 1]} then {decoded.gil[at]})"
    )
    return at, f"{name} after {before}{gils}", "an event that can follow it"


def _tid(decoded: Decoded) -> _Wrong | None:
    """Tids are there, and headers and events agree on them. Every stream begins with a thread_start."""
    kind, arg, first, starts = decoded.kind, decoded.arg, decoded.first, decoded.starts
    if not len(starts):
        return None
    wrong: list[_Wrong] = []
    if not arg[starts].all():
        wrong.append((int(starts[np.argmin(arg[starts])]), "tid 0", "the tid of a thread"))
    named = decoded.bookkeeping
    named = named[(kind[named] != Event.THREAD_START) & (kind[named] != Event.PROCESS_FORK)]
    at = np.concatenate([first, named])
    said = np.concatenate([decoded.packets.headers["tid"][: len(first)], arg[named]])
    thread = arg[starts[np.searchsorted(starts, at, "right") - 1]]
    bad = np.flatnonzero(said != thread)
    if len(bad):
        which = bad[np.argmin(at[bad])]
        found, expected = f"tid {said[which]}", f"{thread[which]}, the thread that started there"
        wrong.append((int(at[which]), found, expected))
    return min(wrong) if wrong else None


TIMES: tuple[Check, ...] = (_time,)
"""What holds for all events."""

ABOUT_GILS: tuple[Check, ...] = (_gil, _order, _tid)
"""What holds for those that are left without the others (`Decoded.without_side`)."""
