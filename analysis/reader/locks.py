"""The locks of a process, as its names tell them.

A record's text is lines: kind, address, type, "<offset> <size>", and for the self of each of the innermost
frames of who waited first "<type> <address> <function>". Addresses are hexadecimal.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Int32s, UInt32s
from ..errors import TraceFormatError
from ..model import Lock, LockKind, Owner
from .format import Name
from .names import NameRecord, Names
from .problems import Problems

_LOCK = re.compile(r"([a-z]+)\n([0-9a-f]{1,16})\n([^\n]*)\n([0-9]{1,20}) ([0-9]{1,20})((?:\n[^\n]*)*)")
_OWNER = re.compile(r"(.+) ([0-9a-f]{1,16}) (.*)")


@dataclass(frozen=True)
class LockRecord:
    """A lock by its number in the events of one process."""

    number: int
    kind: LockKind
    address: int
    type: str
    offset: int
    size: int
    owners: tuple[Owner, ...]


def read_locks(names: Names, problems: Problems) -> tuple[LockRecord, ...]:
    """Return the locks of a process.

    Raises
    ------
    TraceFormatError
        A record is none; not when salvaging.
    """
    found: dict[int, LockRecord] = {}
    for record in names.of(Name.LOCK):
        lock = _lock(record)
        if lock is None or record.ref in found:
            said = f"lock {record.ref} twice" if lock else f"lock {record.ref} as {record.text!r}"
            expected = "each once" if lock else "a kind, an address, a type, a place and owners"
            problems.report(TraceFormatError(names.path, said, expected), "the names of locks from there on")
            break
        found[record.ref] = lock
    return tuple(found.values())


def _lock(record: NameRecord) -> LockRecord | None:
    said = _LOCK.fullmatch(record.text)
    if said is None or said[1] not in LockKind._value2member_map_:
        return None
    owners = [_OWNER.fullmatch(line) for line in said[6].split("\n")[1:]]
    return LockRecord(
        record.ref,
        LockKind(said[1]),
        int(said[2], 16),
        said[3],
        int(said[4]),
        int(said[5]),
        tuple(Owner(owner[1], int(owner[2], 16), owner[3]) for owner in owners if owner is not None),
    )


@dataclass(frozen=True)
class Locks:
    """The locks of a whole trace; `index` has for each process: number in its events → index, -1: none."""

    locks: tuple[Lock, ...]
    index: tuple[Int32s, ...]

    def of(self, process: int, number: UInt32s) -> Int32s:
        """Return the locks that events of a process name; -1 where they name none."""
        index = self.index[process]
        known = number < len(index)
        return np.where(known, index[np.where(known, number, 0)], np.int32(-1)).astype(np.int32)


def join_locks(processes: Sequence[Sequence[LockRecord]]) -> Locks:
    """Number the locks of processes through."""
    locks: list[Lock] = []
    indices: list[Int32s] = []
    for process, records in enumerate(processes):
        index = np.full(max((record.number for record in records), default=0) + 1, -1, np.int32)
        for record in records:
            index[record.number] = len(locks)
            locks.append(Lock(len(locks), process, **vars(record)))
        indices.append(index)
    return Locks(tuple(locks), tuple(indices))
