"""The columns of a gil stream: copied out of its packets, with LOST where the recorder lost events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ...arrays import Bytes, Int64s, UInt16s, UInt32s
from ...errors import TraceFormatError
from ...parallel import together
from ..disk.packets import Packets
from ..format import EVENT_SIZE, EVENTS_PER_PACKET, HEADER_SIZE, NO_GIL, PACKET_HEADER, Event
from ..problems import Problems
from .grammar import LOST, unknown
from .side import IS_SIDE, NO_SIDE, Side
from .store import Store

_UNCOMMITTED = 4
"""Events that a killed writer may have stored behind content_size without having committed them."""

_KNOWN = np.zeros(1 << 16, bool)
_KNOWN[list(Event)] = True
_AT_ONCE = 16


@dataclass(frozen=True)
class Decoded:
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

    def cut(self, count: int) -> Decoded:
        """Return the stream up to an event."""
        return replace(
            self,
            first=self.first[self.first < count],
            time=self.time[:count],
            kind=self.kind[:count],
            gil=self.gil[:count],
            arg=self.arg[:count],
        )

    def insert(self, at: Int64s, kind: Any, arg: Any, time: Any) -> Decoded:
        """Return the stream with events of no GIL before those at these positions."""
        return replace(
            self,
            first=self.first
            + np.searchsorted(at, self.first, "left"),  # the inserted one is the packet's first
            time=np.insert(self.time, at, time),
            kind=np.insert(self.kind, at, kind),
            gil=np.insert(self.gil, at, NO_GIL),
            arg=np.insert(self.arg, at, arg),
        )

    def without_side(self) -> tuple[Decoded, Side]:
        """Return the stream without the events that are not about a GIL, and these."""
        if not self.has_side:
            return self, NO_SIDE
        aside = IS_SIDE[self.kind]
        taken = np.flatnonzero(aside)
        before = np.concatenate([[0], np.cumsum(aside)])
        side = Side(taken - before[taken], self.time[taken], self.kind[taken], self.arg[taken])
        rest = ~aside
        kept = replace(
            self,
            first=self.first - before[self.first],
            time=self.time[rest],
            kind=self.kind[rest],
            gil=self.gil[rest],
            arg=self.arg[rest],
            has_side=False,
        )
        return kept, side


@dataclass(frozen=True)
class Copied:
    """What was copied out of packets.

    Attributes
    ----------
    bad_id : tuple of int or None
        Position and id of the first event that is not ours.
    whole : bool
        It is what all packets have.
    """

    decoded: Decoded
    bad_id: tuple[int, int] | None
    whole: bool


def decode(packets: Packets, store: Store, problems: Problems) -> Copied:
    """Copy the columns of a stream into the store's room; of packets that can't be, only those before."""
    counts, whole = _counts(packets, problems)
    decoded, bad_id = _copy(packets, counts, store)
    decoded = _mark_gaps(decoded, counts)
    if packets.begun and len(decoded.time):
        decoded = _begin_inside(decoded)
    return Copied(decoded, bad_id, whole)


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


def _copy(packets: Packets, counts: Int64s, store: Store) -> tuple[Decoded, tuple[int, int] | None]:
    """Copy the columns out of the packets; also position and id of the first event that is not ours."""
    total = int(counts.sum())
    time, kind, gil, arg = store.room(total)
    words = packets.data[: len(counts)].view("<i8")[:, HEADER_SIZE // 8 :]
    ids = words.view("<u2")[:, 4::8]

    def copy(packets: range) -> int:
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
    highest = max(together([partial(copy, half) for half in halves], events=total))
    decoded = Decoded(packets, np.arange(len(counts)) * EVENTS_PER_PACKET, time, kind, gil, arg, False)
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


def _mark_gaps(decoded: Decoded, counts: Int64s) -> Decoded:
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


def _begin_inside(decoded: Decoded) -> Decoded:
    """Begin with the thread of the first packet, of which nothing is known before its first event."""
    if decoded.kind[0] == Event.THREAD_START:
        return decoded
    tid = int(decoded.packets.headers["tid"][0])
    begun = decoded.insert(np.zeros(2, np.int64), [Event.THREAD_START, LOST], [tid, 0], decoded.time[0])
    return replace(begun, first=np.concatenate([[0], begun.first[1:]]))
