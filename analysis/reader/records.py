"""Records of a names stream, as they lie in its packets: a column for each thing but the text.

A recording that goes on for weeks is looked at once a second: what is remembered of each record is its bytes
and four numbers, and it is an object for as long as somebody looks at it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from ..arrays import Bools, Int32s, Int64s, UInt16s, UInt32s, among
from .format import HEADER_SIZE, Name

HEAD: Final = struct.Struct("<QHHI")  # format.NAME_RECORD
_OF_CODE: Final = (Name.CODE, Name.CODE_LINES, Name.FRAME, Name.LOCK, Name.LOCK_ENDED, Name.MARK_TEXT)
_KINDS: Final = {kind.value: kind for kind in Name}
_WITHOUT_REF: Final = (Name.RECORDING_FAILED, Name.THREAD_LOST)


class NameRecord(NamedTuple):
    """One record; `ref` is what the text names: a tid, an errno, a code object, a frame."""

    time: int
    kind: Name
    ref: int
    text: str

    @property
    def reason(self) -> str:
        """What `ref` means as an errno, and what failed: "No space left on device: gil_3"."""
        reason = os.strerror(self.ref)
        return reason if self.text in ("", reason) else f"{reason}: {self.text}"


class Wrong(Exception):
    """What is wrong with a record."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(found)
        self.found = found
        self.expected = expected


@dataclass(frozen=True, eq=False)
class NamePacket:
    """The records of one packet.

    Attributes
    ----------
    content : bytes
        As they were read.
    time, kind, ref : ndarray of int64, uint16, uint32
    text : ndarray of int32
        Where in `content` their texts begin.
    wrong : Wrong or None
        What is wrong after them.
    """

    content: bytes
    time: Int64s
    kind: UInt16s
    ref: UInt32s
    text: Int32s
    wrong: Wrong | None = None

    def __len__(self) -> int:
        return len(self.time)


NO_RECORDS: Final = NamePacket(
    b"", np.zeros(0, np.int64), np.zeros(0, np.uint16), np.zeros(0, np.uint32), np.zeros(0, np.int32)
)


def decode(content: bytes, begin: int, end: int, before: NamePacket = NO_RECORDS) -> NamePacket:
    """Return the records of a packet that begins and ends at these times; `before`: those that are known."""
    found: list[tuple[int, int, int, int]] = []
    last, wrong = max(begin, *before.time[-1:].tolist(), 0), None
    try:
        for time, kind, ref, text in _records(content, _aligned(len(before.content))):
            if not last <= time <= end:
                raise out_of_order(time)
            last = time
            found.append((time, kind, ref, text))
    except Wrong as error:
        wrong = error
    columns = np.array(found, np.int64).reshape(-1, 4).T
    return NamePacket(
        content,
        np.concatenate([before.time, columns[0]]),
        np.concatenate([before.kind, columns[1].astype(np.uint16)]),
        np.concatenate([before.ref, columns[2].astype(np.uint32)]),
        np.concatenate([before.text, columns[3].astype(np.int32)]),
        wrong,
    )


def out_of_order(time: int) -> Wrong:
    """Return what is wrong with a record of this time."""
    return Wrong(f"time {time}", "times that never decrease, within their packet")


def _records(content: bytes, position: int) -> Iterator[tuple[int, int, int, int]]:
    while position < len(content):
        end = content.find(0, position + HEAD.size)
        if end < 0:
            raise Wrong(f"a record without an end at byte {HEADER_SIZE + position}", "text with a NUL")
        time, kind, reserved, ref = HEAD.unpack_from(content, position)
        if kind not in _KINDS or reserved:
            raise Wrong(f"record id {kind}", "a known one")
        if ref == 0 and kind not in _WITHOUT_REF:
            of_code = kind in _OF_CODE
            raise Wrong(
                f"{Name(kind).name.lower()} of {'number' if of_code else 'tid'} 0",
                "a number from 1 on" if of_code else "the tid of a thread",
            )
        yield time, kind, ref, position + HEAD.size
        position = _aligned(end + 1)


def _aligned(position: int) -> int:
    """Return where the next record begins."""
    return (position + 7) & ~7


class NameTable(Sequence[NameRecord]):
    """Records of some packets in a row, or (`chosen`: the indices of) some of these.

    Attributes
    ----------
    time, kind, ref : ndarray of int64, uint16, uint32
        A value for each.
    """

    def __init__(self, packets: Sequence[NamePacket] = (), chosen: Int64s | None = None) -> None:
        self._packets = packets = [NO_RECORDS, *packets]
        self._first = np.cumsum([0, *map(len, packets)])
        self._chosen = np.arange(self._first[-1]) if chosen is None else chosen
        self.time: Int64s = np.concatenate([packet.time for packet in packets])[self._chosen]
        self.kind: UInt16s = np.concatenate([packet.kind for packet in packets])[self._chosen]
        self.ref: UInt32s = np.concatenate([packet.ref for packet in packets])[self._chosen]

    def __len__(self) -> int:
        return len(self._chosen)

    def __iter__(self) -> Iterator[NameRecord]:
        return self.at(np.arange(len(self)))

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        if isinstance(index, slice):
            return list(self.at(np.arange(len(self))[index]))
        return next(self.at(np.arange(len(self))[index : index + 1 or None]))

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    def which(self, *kinds: Name) -> Int64s:
        """Return the indices of the records of these kinds."""
        return np.flatnonzero(among(self.kind, kinds))

    def of(self, *kinds: Name) -> Iterator[NameRecord]:
        """Yield the records of these kinds."""
        return self.at(self.which(*kinds))

    def at(self, indices: Int64s) -> Iterator[NameRecord]:
        """Yield the records with these indices."""
        number = self._chosen[indices]
        packet = np.searchsorted(self._first, number, "right") - 1
        begin = np.concatenate([packet.text for packet in self._packets])[number]
        columns = (self.time[indices], self.kind[indices], self.ref[indices], packet, begin)
        for time, kind, ref, of, at in zip(*(column.tolist() for column in columns), strict=True):
            content = self._packets[of].content
            text = content[at : content.find(0, at)].decode(errors="replace")
            yield NameRecord(time, _KINDS[kind], ref, text)

    def only(self, wanted: Bools) -> NameTable:
        """Return the table of some of them."""
        return NameTable(self._packets, self._chosen[wanted])


class Texts:
    """The texts of one kind's records, by number; of a number that comes twice the last one."""

    def __init__(self, table: NameTable, kind: Name) -> None:
        self._table, self._kind = table, kind

    def of(self, numbers: Collection[int]) -> dict[int, str]:
        """Return those of some numbers, ascending; without those that have none."""
        which = self._table.which(self._kind)
        which = which[among(self._table.ref[which], numbers)]
        order = np.argsort(self._table.ref[which], kind="stable")
        return {record.ref: record.text for record in self._table.at(which[order])}
