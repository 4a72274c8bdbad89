"""The rows of a trace's tables: their dtypes, and what the numbers in their columns mean.

All times are int64 nanoseconds of CLOCK_MONOTONIC. `thread` and `gil` columns are indices into
`Trace.threads` and `Trace.gils`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np


class Outcome(IntEnum):
    """How a wait ended; numbers are those of `WAIT`'s `outcome` column."""

    UNFINISHED = 0  # still waiting when the recording ended
    ACQUIRED = 1
    ABANDONED = 2  # the thread exited instead


def _table(*columns: tuple[str, str]) -> np.dtype[np.void]:
    return np.dtype(list(columns), align=True)  # aligned: numpy works on unaligned columns through a buffer


EVENT: Final = _table(
    ("time", "<i8"),
    ("thread", "<i4"),
    ("gil", "<i4"),  # -1: about no GIL
    ("kind", "<u2"),  # format.Event
    ("arg", "<u4"),
)
"""Events, grouped by thread, in time order within a thread."""

INTERVAL: Final = _table(
    ("start", "<i8"),
    ("duration", "<i8"),
    ("thread", "<i4"),
    ("gil", "<i4"),  # the GIL held or waited for; -1 in the other states
    ("state", "u1"),  # State
    ("unfinished", "?"),  # its end was not seen: cut by the end of the recording
    ("cpu", "<i2"),  # where it ran, RUNNING or NATIVE; else, or where that is not known, -1
)
"""Intervals, sorted by (thread, start); those of one thread tile its life."""

HANDOFF: Final = _table(
    ("released", "<i8"),
    ("acquired", "<i8"),
    ("gil", "<i4"),
    ("from_thread", "<i4"),
    ("to_thread", "<i4"),  # equal to from_thread: the same thread took it again
    ("requested", "?"),  # the release answered a drop request
    ("contended", "?"),  # somebody was waiting at the release
)
"""Release → next acquire, per GIL, in the order of the lock."""

WAIT: Final = _table(
    ("start", "<i8"),
    ("duration", "<i8"),
    ("thread", "<i4"),
    ("gil", "<i4"),
    ("timeouts", "<i4"),  # switch intervals that passed meanwhile
    ("outcome", "u1"),  # Outcome
)
"""Waits, sorted by (thread, start)."""


ON_CPU: Final = _table(
    ("start", "<i8"),
    ("duration", "<i8"),
    ("thread", "<i4"),  # -1: one that is not in the trace, as it was before its GIL was recorded
    ("tid", "<i4"),
    ("cpu", "<i2"),  # -1: not known
    ("preempted", "?"),  # left the CPU though it could have gone on
)
"""When each thread had a CPU, sorted by (tid, start); also before and after its life in the trace."""

CPU_INTERVAL: Final = _table(
    ("start", "<i8"),
    ("duration", "<i8"),
    ("cpu", "<i2"),
    ("thread", "<i4"),
    ("state", "u1"),  # RUNNING, NATIVE, WAITING, or UNKNOWN: what is known of the GIL
)
"""Who ran on which CPU, sorted by (cpu, start): the lives of the trace's threads, where they had a CPU."""

RETRY: Final = _table(
    ("start", "<i8"),
    ("duration", "<i8"),
    ("thread", "<i4"),
    ("wait", "<i8"),  # index in the WAIT table
    ("cpu", "<i2"),
)
"""Wake-ups for nothing: a thread that waits gets a CPU, and blocks again without the GIL."""


SAMPLE: Final = _table(
    ("time", "<i8"),
    ("gil", "<i4"),
    ("hold", "<i8"),  # index in Trace.holds(gil)
    ("frame", "<i4"),  # index in Trace.frames; -1: the thread ran no Python code
    ("waiters", "<i4"),  # threads that waited for the GIL then
    ("ran", "?"),  # its thread had a CPU, or slept in a call: False says where it was preempted, not what ran
)
"""Samples of the code that ran while a GIL was held, GIL after GIL, in time order."""

NATIVE_SAMPLE: Final = _table(
    ("time", "<i8"),
    ("thread", "<i4"),
    ("code", "<i4"),  # index in Trace.native_codes; -1: of memory that nothing is known of
    ("state", "u1"),  # State: what the thread did
)
"""Samples of the native code that threads ran while they had a CPU, sorted by (thread, time)."""

FRAME: Final = _table(
    ("caller", "<i4"),  # index of the frame that called it; -1: none, or it is too far out
    ("code", "<i4"),  # index in Trace.codes
    ("line", "<i4"),  # 0: the instruction has none
)
"""Python frames, each once: a place in a code object and how it was reached. Callers come first."""


class LockOutcome(IntEnum):
    """How a wait for a lock ended; numbers are those of `LOCK_WAIT`'s `outcome` column."""

    UNFINISHED = 0  # its end was not seen
    ACQUIRED = 1  # it has the lock, or was woken and tries again
    TIMEOUT = 2
    INTERRUPTED = 3  # by a signal, or the thread was cancelled


LOCK_WAIT: Final = _table(
    ("start", "<i8"),
    ("duration", "<i8"),
    ("thread", "<i4"),
    ("lock", "<i4"),  # index in Trace.locks; -1: not known
    ("outcome", "u1"),  # LockOutcome
    ("frame", "<i4"),  # where it waits: index in Trace.frames; -1: not known
    ("wake", "<i4"),  # the row of LOCK_WAKE that ended it; -1: none was seen
    ("waker", "<i4"),  # whose that is: a thread; -1: not known
    ("waker_frame", "<i4"),  # where that one was; -1: not known
    ("stopped", "?"),  # the world was stopped: it waits at its own thread state
    ("spin", "<i8"),  # ns that it tried before it slept
)
"""Waits for Python's other locks, each a sleep, sorted by (thread, start)."""

LOCK_WAKE: Final = _table(
    ("time", "<i8"),
    ("thread", "<i4"),
    ("lock", "<i4"),
    ("waiter", "<i4"),  # the thread that it woke; -1: not known
    ("frame", "<i4"),  # where the waker was; -1: not known
    ("wait", "<i4"),  # the row of LOCK_WAIT that it ended; -1: none
)
"""Who let a waiting thread go, sorted by time."""

LOCK_HOLD: Final = _table(
    ("time", "<i8"),
    ("thread", "<i4"),
    ("lock", "<i4"),  # index in Trace.locks; -1: not known
    ("frame", "<i4"),  # whose `with` it is: index in Trace.frames; -1: not known
    ("wait", "<i8"),  # the row of LOCK_WAIT in which the thread has it
)
"""Locks that a waiting thread has by `with` as its wait begins, sorted by (thread, time)."""

LOCK_SPIN: Final = _table(
    ("start", "<i8"),
    ("duration", "<i8"),
    ("thread", "<i4"),
    ("parked", "?"),  # it slept in the end, else it got the lock by trying
)
"""When threads tried for a lock again and again (free-threaded builds), sorted by (thread, start)."""

PAUSE: Final = _table(
    ("start", "<i8"),  # the first thread stood
    ("duration", "<i8"),  # until the first was let go
    ("process", "<i4"),
    ("thread", "<i4"),  # who stopped the world
    ("frame", "<i4"),  # where that one let it go; -1: not known
    ("reason", "<i4"),  # what it wanted that for: index in Trace.stop_reasons; -1: not known
    ("asked", "<i8"),  # when it began to wait for the others; start: it did not have to
    ("stopped", "<i8"),  # when the last one stood that it had to wait for; start: it did not have to
    ("threads", "<i4"),  # how many stood
    ("stood", "<i8"),  # ns, summed over these
)
"""When the world was stopped, sorted by start."""


MARK: Final = _table(
    ("time", "<i8"),
    ("thread", "<i4"),
    ("name", "<i4"),  # index in Trace.mark_names; -1: not recorded
)
"""Where the program said that it is (tracer.mark), sorted by (thread, time)."""

SPAN: Final = _table(
    ("start", "<i8"),
    ("duration", "<i8"),
    ("thread", "<i4"),
    ("name", "<i4"),  # index in Trace.mark_names; -1: not recorded
    ("depth", "<i4"),  # spans of the thread that were open when it began
    ("unfinished", "?"),  # its end was not seen: it reaches to the end of its thread
)
"""What the program called a stretch of a thread's time (tracer.span), sorted by (thread, start). Those of a
thread may overlap without one being inside of the other: coroutines take turns."""
