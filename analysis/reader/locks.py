"""The locks of a process, as its names tell them.

A record's text is lines: kind, address, type, "<offset> <size>", and for the self of each of the innermost
frames of who waited first "<type> <address> <function>". Addresses are hexadecimal. Perhaps a last line,
which begins with a tab, says which variable has it: how, scope, name and type, between tabs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..arrays import Int32s, UInt32s, among
from ..errors import TraceFormatError
from ..model import Lock, LockKind, Owner, Variable
from .format import Name
from .names import Names
from .problems import Problems
from .records import NameRecord

_REMEMBERED = 128
_LOCK = re.compile(r"([a-z]+)\n([0-9a-f]{1,16})\n([^\n]*)\n([0-9]{1,20}) ([0-9]{1,20})((?:\n[^\n]*)*)")
_VARIABLE = re.compile(r"\t(is|attributes|owner)\t(global|local)\t([^\t]+)\t([^\t]*)")
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
    variable: Variable | None


def read_locks(
    names: Names, problems: Problems, wanted: Collection[int] | None = None
) -> tuple[LockRecord, ...]:
    """Return the locks of a process; `wanted`: only those with these numbers.

    Raises
    ------
    TraceFormatError
        A record is none; not when salvaging.
    """
    found: dict[int, LockRecord] = {}
    which = names.records.which(Name.LOCK)
    if wanted is not None:
        which = which[among(names.records.ref[which], wanted)]
    for record in names.records.at(which):
        lock = _lock(record)
        if lock is None or record.ref in found:
            said = f"lock {record.ref} twice" if lock else f"lock {record.ref} as {record.text!r}"
            expected = "each once" if lock else "a kind, an address, a type, a place and owners"
            problems.report(TraceFormatError(names.path, said, expected), "the names of locks from there on")
            break
        found[record.ref] = lock
    return tuple(found.values())


@lru_cache(_REMEMBERED)  # who looks at a recording that goes on meets the same locks again and again
def _lock(record: NameRecord) -> LockRecord | None:
    said = _LOCK.fullmatch(record.text)
    if said is None or said[1] not in LockKind._value2member_map_:
        return None
    lines = said[6].split("\n")[1:]
    owners = [_OWNER.fullmatch(line) for line in lines if not line.startswith("\t")]
    variable = next((found for line in lines if (found := _VARIABLE.fullmatch(line)) is not None), None)
    return LockRecord(
        record.ref,
        LockKind(said[1]),
        int(said[2], 16),
        said[3],
        int(said[4]),
        int(said[5]),
        tuple(Owner(owner[1], int(owner[2], 16), owner[3]) for owner in owners if owner is not None),
        Variable(*variable.groups()) if variable is not None else None,
    )


@dataclass(frozen=True)
class Locks:
    """The locks of a whole trace; `numbers` has for each process those in its events in order, `index` which.

    (A program that makes locks as long as it runs has high numbers, and few at a time.)
    `reasons` are functions of the interpreter's that stopped the world, `reason_index` has for each process
    the numbers of their calls → index.
    """

    locks: tuple[Lock, ...]
    numbers: tuple[UInt32s, ...]
    index: tuple[Int32s, ...]
    reasons: tuple[str, ...] = ()
    reason_index: tuple[Mapping[int, int], ...] = ()

    def of(self, process: int, number: UInt32s) -> Int32s:
        """Return the locks that events of a process name; -1 where they name none."""
        numbers, index = self.numbers[process], self.index[process]
        if not len(numbers):
            return np.full(len(number), -1, np.int32)
        at = np.minimum(np.searchsorted(numbers, number), len(numbers) - 1)
        return np.where(numbers[at] == number, index[at], np.int32(-1)).astype(np.int32)

    def reasons_of(self, process: int, number: UInt32s) -> Int32s:
        """Return the reasons that calls of a process tell; -1 where they tell none."""
        index = self.reason_index[process] if process < len(self.reason_index) else {}
        return np.array([index.get(each, -1) for each in number.tolist()], np.int32)


def join_locks(processes: Sequence[Sequence[LockRecord]], reasons: Sequence[Mapping[int, str]] = ()) -> Locks:
    """Number the locks of processes through, and why these stopped the world."""
    locks: list[Lock] = []
    numbers: list[UInt32s] = []
    indices: list[Int32s] = []
    for process, records in enumerate(processes):
        mine = np.array([record.number for record in records], np.uint32)
        order = np.argsort(mine)
        numbers.append(mine[order])
        indices.append((order + len(locks)).astype(np.int32))
        locks += [Lock(at, process, **vars(record)) for at, record in enumerate(records, len(locks))]
    all_reasons = sorted({reason for mine in reasons for reason in mine.values()})
    rank = {reason: at for at, reason in enumerate(all_reasons)}
    return Locks(
        tuple(locks),
        tuple(numbers),
        tuple(indices),
        tuple(all_reasons),
        tuple({number: rank[reason] for number, reason in mine.items()} for mine in reasons),
    )
