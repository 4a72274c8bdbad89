"""A gil stream's events by column, checked: what can't have happened is an error, not a strange figure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...arrays import Bytes, Int64s, UInt16s, UInt32s
from ...errors import TraceFormatError
from ...parallel import together
from ..disk.packets import EVER, Packets, read_packets
from ..format import EVENT_SIZE, EVENTS_PER_PACKET, HEADER_SIZE, NO_GIL, PACKET_HEADER, STREAM_GIL, Event
from ..problems import Problems
from .grammar import LOST, first_impossible, first_misplaced_gil, gil_numbers, unknown
from .side import IS_SIDE, NO_SIDE, Side
from .store import Store

_UNCOMMITTED = 4
"""Events that a killed writer may have stored behind content_size without having committed them."""

_KNOWN = np.zeros(1 << 16, bool)
_KNOWN[list(Event)] = True
_AT_ONCE = 16


class Life(NamedTuple):
    """A thread: its events are first to last; until: the time of its exit, None where that was not seen."""

    tid: int
    since: int
    until: int | None
    first: int
    last: int


@dataclass(frozen=True)
class Stream:
    """Where the events of one gil stream are in the store, in the order of the file.

    Attributes
    ----------
    first, last : int
        Its events are first to last.
    lives : tuple of Life
    gils : tuple of int
        Numbers of the GILs that the events are about.
    discarded : int
        Events that the recorder lost.
    begin, end : int
        Times of its first and its last event.
    stopped : bool
        A recording_stop is among them.
    side : Side
        Its events that are not in the store.
    """

    path: Path
    first: int
    last: int
    lives: tuple[Life, ...]
    gils: tuple[int, ...]
    discarded: int
    begin: int
    end: int
    stopped: bool
    side: Side = NO_SIDE


@dataclass(frozen=True)
class _Decoded:
    """A stream's columns before they are checked; `first` is the position of each packet's first event."""

    packets: Packets
    first: Int64s
    time: Int64s
    kind: Bytes
    gil: UInt16s
    arg: UInt32s
    has_side: bool

    @cached_property
    def bookkeeping(self) -> Int64s:
        """Positions of the few events that are not about a GIL."""
        return np.flatnonzero(self.kind >= Event.THREAD_START)

    @property
    def starts(self) -> Int64s:
        """Positions of the thread_start events."""
        starts: Int64s = self.bookkeeping[self.kind[self.bookkeeping] == Event.THREAD_START]
        return starts

    def cut(self, count: int) -> _Decoded:
        return replace(
            self,
            first=self.first[self.first < count],
            time=self.time[:count],
            kind=self.kind[:count],
            gil=self.gil[:count],
            arg=self.arg[:count],
        )

    def insert(self, at: Int64s, kind: Any, arg: Any, time: Any) -> _Decoded:
        return replace(
            self,
            first=self.first
            + np.searchsorted(at, self.first, "left"),  # the inserted one is the packet's first
            time=np.insert(self.time, at, time),
            kind=np.insert(self.kind, at, kind),
            gil=np.insert(self.gil, at, NO_GIL),
            arg=np.insert(self.arg, at, arg),
        )


def read_stream(
    path: Path, *, pid: int, store: Store, problems: Problems, within: tuple[int, int] = EVER
) -> Stream:
    """Read a gil stream into the store; what follows the first error is skipped when `problems` lets it.

    Of packets that are not about `within` nothing is read.

    Raises
    ------
    TraceFormatError
        The file is no gil stream of this process, or says something impossible; not when salvaging.
    """
    packets = read_packets(path, stream_class=STREAM_GIL, pid=pid, problems=problems, within=within)
    discarded = packets.discarded
    counts, whole = _counts(packets, problems)
    decoded, bad_id = _decode(packets, counts, store)
    decoded = _mark_gaps(decoded, counts)
    if packets.begun and len(decoded.time):
        decoded = _begin_inside(decoded)
    believed, all_known = _believe(decoded, bad_id, [_time], problems)
    decoded, side = _take_out_side(believed)
    decoded, all_possible = _believe(decoded, None, [_gil, _order, _tid], problems)
    end = len(decoded.time)
    cut = packets.cut or not whole or not all_known or not all_possible or _lost_at_end(packets)
    if cut and end and decoded.kind[-1] != Event.THREAD_EXIT:
        decoded = decoded.insert(np.array([end]), LOST, 0, decoded.time[-1])
    first = store.keep(decoded.time, decoded.kind, decoded.gil, decoded.arg)
    if not end:
        return Stream(path, first, first, (), (), discarded, 0, 0, False)
    return Stream(
        path,
        first,
        store.used,
        tuple(_lives(decoded, first)),
        gil_numbers(decoded.gil),
        discarded,
        int(decoded.time[0]),
        int(decoded.time[-1]),
        bool((decoded.kind == Event.RECORDING_STOP).any()),
        side.moved(first) if len(side.at) else side,
    )


def _lives(decoded: _Decoded, first: int) -> Iterator[Life]:
    starts = decoded.starts
    last = np.append(starts[1:], len(decoded.time))
    exited = decoded.kind[last - 1] == Event.THREAD_EXIT
    columns = (decoded.arg[starts], decoded.time[starts], exited, decoded.time[last - 1], starts, last)
    for tid, since, gone, until, at, to in zip(*(column.tolist() for column in columns), strict=True):
        yield Life(tid, since, until if gone else None, first + at, first + to)


def _believe(
    decoded: _Decoded, bad_id: tuple[int, int] | None, checks: list[_Check], problems: Problems
) -> tuple[_Decoded, bool]:
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


def _take_out_side(decoded: _Decoded) -> tuple[_Decoded, Side]:
    """Return a stream without the events that are not about a GIL, and these."""
    if not decoded.has_side:
        return decoded, NO_SIDE
    aside = IS_SIDE[decoded.kind]
    taken = np.flatnonzero(aside)
    before = np.concatenate([[0], np.cumsum(aside)])
    side = Side(taken - before[taken], decoded.time[taken], decoded.kind[taken], decoded.arg[taken])
    rest = ~aside
    kept = replace(
        decoded,
        first=decoded.first - before[decoded.first],
        time=decoded.time[rest],
        kind=decoded.kind[rest],
        gil=decoded.gil[rest],
        arg=decoded.arg[rest],
        has_side=False,
    )
    return kept, side


def _lost_at_end(packets: Packets) -> bool:
    """Whether the recorder lost events after the last that it could write."""
    lost = packets.headers["events_discarded"][-2:]
    return len(lost) > 0 and int(lost[-1]) > (int(lost[0]) if len(lost) > 1 else 0)


def _counts(packets: Packets, problems: Problems) -> tuple[Int64s, bool]:
    """Return the events of each packet, and whether that is all of them."""
    counts, rest = np.divmod(packets.content, EVENT_SIZE)
    short = counts < EVENTS_PER_PACKET
    short[-1:] = False
    bad = np.flatnonzero(short | (rest != 0))
    if len(bad):
        at = int(bad[0])
        found = f"content_size of {packets.content[at]} bytes"
        expected = "whole events, and a full packet before the next"
        problems.report(
            TraceFormatError(packets.path, found, expected, f"packet {at}"),
            f"packets {at} to {len(packets) - 1}",
        )
        return counts[:at], False
    if len(packets):
        at = len(packets) - 1
        behind = packets.data[at, HEADER_SIZE + EVENT_SIZE * (int(counts[at]) + _UNCOMMITTED) :]
        # While it is being recorded, a packet goes on growing after its header was copied.
        now = packets.data[at, :HEADER_SIZE].view(PACKET_HEADER)[0]
        if behind.any() and now["content_size"] == packets.headers[at]["content_size"]:
            found = f"a content_size for {counts[at]} events with more behind them"
            error = TraceFormatError(packets.path, found, "zeros behind the content", f"packet {at}")
            problems.report(error, "what is behind content_size")
            return counts, False
    return counts, True


def _decode(packets: Packets, counts: Int64s, store: Store) -> tuple[_Decoded, tuple[int, int] | None]:
    """Copy the columns out of the packets; also position and id of the first event that is not ours."""
    total = int(counts.sum())
    time, kind, gil, arg = store.room(total)
    words = packets.data[: len(counts)].view("<i8")[:, HEADER_SIZE // 8 :]
    ids = words.view("<u2")[:, 4::8]

    def decode(packets: range) -> int:
        """Fill the columns and return the highest id."""
        highest = 0
        # A few packets at a time: each is looked at five times, and stays in the cache meanwhile.
        for packet in packets[::_AT_ONCE]:
            some = words[packet : min(packet + _AT_ONCE, packets.stop)]
            part = slice(packet * EVENTS_PER_PACKET, (packet + len(some)) * EVENTS_PER_PACKET)
            _fill(time[part], some[:, ::2])
            _fill(kind[part], some.view("<u2")[:, 4::8])
            _fill(gil[part], some.view("<u2")[:, 5::8])
            _fill(arg[part], some.view("<u4")[:, 3::4])
            highest = max(highest, int(ids[packet : packet + len(some)].max()))
        return highest

    middle = len(counts) // 2
    halves = [range(middle), range(middle, len(counts))]
    highest = max(together([partial(decode, half) for half in halves], events=total))
    decoded = _Decoded(packets, np.arange(len(counts)) * EVENTS_PER_PACKET, time, kind, gil, arg, False)
    if highest <= Event.RECORDING_STOP and not unknown(kind).any():
        return decoded, None
    decoded = replace(decoded, has_side=True)
    known = _KNOWN[ids].reshape(-1)[:total]
    at = int(np.argmin(known)) if total else 0
    return decoded, None if not total or known[at] else (at, int(ids.flat[at]))


def _fill(column: npt.NDArray[Any], source: npt.NDArray[Any]) -> None:
    """Copy a strided column of some packets; the last packet of all may not be full."""
    if len(column) == source.size:
        column.reshape(source.shape)[...] = source
    else:
        column[...] = source.reshape(-1)[: len(column)]


def _mark_gaps(decoded: _Decoded, counts: Int64s) -> _Decoded:
    """Put LOST where the recorder had no next packet in time: between two packets, after the count rose.

    A thread may have begun in the gap; the packet's header then names another than the events before it.
    """
    lost = decoded.packets.headers["events_discarded"][: len(counts)].astype(np.int64)
    at = np.flatnonzero(np.diff(lost, prepend=0)[:-1] > 0) + 1  # the packet after the gap
    if not len(at):
        return decoded
    tid = decoded.packets.headers["tid"][at]
    starts = decoded.starts
    before = np.searchsorted(starts, decoded.first[at], "left") - 1
    same = (before >= 0) & (decoded.arg[starts[np.maximum(before, 0)]] == tid) if len(starts) else before >= 0
    same &= decoded.kind[decoded.first[at] - 1] != Event.THREAD_EXIT
    kind = np.where(same, LOST, Event.THREAD_START)
    time = np.where(same, decoded.time[decoded.first[at] - 1], decoded.time[decoded.first[at]])
    return decoded.insert(decoded.first[at], kind, np.where(same, 0, tid), time)


def _begin_inside(decoded: _Decoded) -> _Decoded:
    """Begin with the thread of the first packet, of which nothing is known before its first event."""
    if decoded.kind[0] == Event.THREAD_START:
        return decoded
    tid = int(decoded.packets.headers["tid"][0])
    begun = decoded.insert(np.zeros(2, np.int64), [Event.THREAD_START, LOST], [tid, 0], decoded.time[0])
    return replace(begun, first=np.concatenate([[0], begun.first[1:]]))


_Wrong = tuple[int, str, str]


_Check = Callable[[_Decoded], _Wrong | None]


def _wrong(decoded: _Decoded, bad_id: tuple[int, int] | None, checks: list[_Check]) -> Iterator[_Wrong]:
    """Yield what is wrong: position, what was found, what was expected. Order matters: see each check."""
    if bad_id is not None and bad_id[0] < len(decoded.time):
        yield bad_id[0], f"event id {bad_id[1]}", "a known one"
    for check in checks:
        found = check(decoded)
        if found is not None:
            yield found


def _time(decoded: _Decoded) -> _Wrong | None:
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


def _gil(decoded: _Decoded) -> _Wrong | None:
    at = first_misplaced_gil(decoded.kind, decoded.gil)
    if at is None:
        return None
    name = Event(decoded.kind[at]).name.lower()
    expected = "none" if decoded.gil[at] != NO_GIL else "the number of one"
    return at, f"{name} with gil {decoded.gil[at]}", expected


def _order(decoded: _Decoded) -> _Wrong | None:
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


def _tid(decoded: _Decoded) -> _Wrong | None:
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
