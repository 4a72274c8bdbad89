"""A trace: Python's other locks."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ...arrays import Int64s, Table
from ...model import (
    Lock,
)
from ..locks.hands import Asked, Hands, asked_of, hands_of
from ..locks.locks import LockTables, hold_table, lock_tables, pause_table, spin_table
from .events import TraceEvents


class TraceLocks(TraceEvents):
    """See `Trace`."""

    @property
    def locks(self) -> tuple[Lock, ...]:
        """The locks of Python, other than GILs, that a thread waited for."""
        return self.lock_names.locks

    @property
    def stop_reasons(self) -> tuple[str, ...]:
        """The functions of the interpreter's that stopped the world."""
        return self.lock_names.reasons

    @property
    def lock_waits(self) -> Table:
        """The LOCK_WAIT table: shape (waits,), sorted by (thread, start)."""
        return self._lock_tables.waits

    @property
    def lock_wakes(self) -> Table:
        """The LOCK_WAKE table: shape (wakes,), sorted by time."""
        return self._lock_tables.wakes

    @cached_property
    def lock_hands(self) -> Hands:
        """Through whose hands locks went while threads waited for them."""
        return hands_of(self.lock_waits, self.lock_wakes, self.locks)

    @cached_property
    def lock_moments(self) -> Asked:
        """When it matters whether who had a lock waited for a GIL."""
        return asked_of(self.lock_hands)

    @property
    def moments(self) -> tuple[Int64s, Int64s]:
        """Threads and times, sorted, at which one pass is to say for how long they had waited for GILs."""
        if not len(self.lock_waits):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return self.lock_moments.thread, self.lock_moments.time

    @cached_property
    def lock_holds(self) -> Table:
        """The LOCK_HOLD table: shape (holds that were seen in waits,), sorted by (thread, time)."""
        return hold_table(self.side, self.threads, self.processes, self.stacks, self.lock_names)

    @cached_property
    def lock_spins(self) -> Table:
        """The LOCK_SPIN table: shape (spins,), sorted by (thread, start)."""
        return spin_table(self.side)

    @cached_property
    def pauses(self) -> Table:
        """The PAUSE table: shape (pauses,), sorted by start."""
        return pause_table(self._lock_tables, self.lock_names, self.threads)

    @cached_property
    def _lock_tables(self) -> LockTables:
        return lock_tables(self.side, self.ends, self.threads, self.processes, self.stacks, self.lock_names)
