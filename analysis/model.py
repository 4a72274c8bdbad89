"""What a trace is made of, once read: the entities, and the dtypes of its tables.

All times are int64 nanoseconds of CLOCK_MONOTONIC. `thread` and `gil` columns are indices into
`Trace.threads` and `Trace.gils`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from pathlib import PurePath
from typing import Any, Final

import numpy as np

from .states import HELD as HELD
from .states import WITHOUT as WITHOUT
from .states import State as State
from .states import total as total

DEFAULT_INTERVAL: Final = 5_000_000
"""ns: CPython's switch interval if nobody changes it."""


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


class LockKind(StrEnum):
    """What the address is that threads wait for."""

    OBJECT = "object"  # the first member of a Python object: of threading.Lock, RLock
    MUTEX = "mutex"  # an object's own mutex, which guards its memory
    SEMAPHORE = "semaphore"  # a lock, up to Python 3.13
    CONDITION = "condition"  # a threading.Condition, for a notify
    STATE = "state"  # a thread's own state: the world is stopped
    RUNTIME = "runtime"  # of the interpreter's own
    INTERPRETER = "interpreter"  # the same, of one interpreter
    RAW = "raw"  # of those that guard the waiting itself
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Owner:
    """The `self` of a frame that waited: its type, where it is, and the function."""

    type: str
    address: int
    function: str


@dataclass(frozen=True)
class Variable:
    """What the program calls an object, in a frame that waited.

    Attributes
    ----------
    how : str
        "is": this is the object; "attributes": the object is the dict of its attributes; "owner": it is the
        first of the owners that has a name, and the object is somewhere in it.
    scope : str
        "global": of a module; "local": of a function.
    type : str
        Of what the variable has.
    """

    how: str
    scope: str
    name: str
    type: str


@dataclass(frozen=True)
class Lock:
    """A lock that somebody waited for. Its identity: kind, address and type."""

    index: int
    process: int
    number: int
    kind: LockKind
    address: int
    type: str
    """Of the object; "": not known."""
    offset: int
    """Of the address: in the object, or in the interpreter's structure, of `size` bytes."""
    size: int
    owners: tuple[Owner, ...]
    """The first ones that waited for it, the innermost frame's first."""
    variable: Variable | None = None
    """What who waited first calls it; None: no variable of its frames or modules has it."""

    @property
    def mutual(self) -> bool:
        """Whether one thread has it at a time. Else threads wait for something to happen, as far as is known.

        A SimpleQueue waits for a lock of its own until there is something in it. Of a lock the type is known.
        """
        if self.kind in (LockKind.SEMAPHORE, LockKind.OBJECT):
            return bool(self.type) and not self.type.endswith("SimpleQueue")
        return self.kind not in (LockKind.CONDITION, LockKind.UNKNOWN)


@dataclass(frozen=True)
class GilEnabled:
    """A module that can't do without a GIL was imported, and switched it on."""

    time: int
    tid: int
    module: str
    file: str


@dataclass(frozen=True)
class Process:
    """One recorded process."""

    index: int
    pid: int
    ppid: int
    argv: tuple[str, ...]
    python_version: str
    python_implementation: str
    hostname: str
    switch_interval: int
    """What it began with, ns; 0: not said in the trace. What it set later: `Trace.switch_intervals`."""
    begin: int
    end: int
    ended: str
    """"stopped"; "failed" (the trace could not be written on); and where the recording was not stopped, as
    the scheduler saw it, "exited", "exec" (it became another program), "running" (it goes on), or "killed"
    (by `signal`; if that is None, nothing is known of its end)."""
    failure: str | None
    """What ended the recording early."""
    discarded: int
    """Events lost."""
    signal: int | None
    """What killed it, where that is known."""
    utc_offset: int
    """ns to add to a time to get UTC since 1970."""
    environment: Mapping[str, Any] = field(repr=False)
    """Everything that the trace's metadata says of the process, also what this version doesn't know."""
    gil_enabled: GilEnabled | None = None
    """What switched the GIL on, of a process that began without one."""
    threads_lost: int = 0
    """Threads that are not recorded, or no further than their last event: there was no file to be had."""
    loss: str | None = None
    """Why, of the first of them."""
    gils_missed: int = 0
    """Takes of GILs that the recorder had no room for: those holds and waits are not in the trace."""

    @property
    def version(self) -> tuple[int, int]:
        """`python_version` to compare with: (3, 13); (0, 0) if the trace doesn't say."""
        found = re.match(r"(\d+)\.(\d+)", self.python_version)
        return (int(found[1]), int(found[2])) if found else (0, 0)

    @property
    def program(self) -> str:
        """What to call its program: "app.py", "gunicorn" (of -m gunicorn), "sh"; "" if unsaid."""
        return self._run()[0]

    @property
    def command(self) -> str:
        """What was run, wherever it lies: "app.py --fast", "gunicorn -w 2 app" (of -m gunicorn)."""
        return " ".join(self._run())

    def _run(self) -> tuple[str, ...]:
        if "comm" in self.environment:  # only the scheduler saw it
            return (str(self.environment["comm"]),)
        if not self.argv:
            return ("",)
        first, *others = self.argv
        if first == "-m" and others:
            return tuple(others)
        if first[:2] == "-m" and len(first) > 2:
            return first[2:], *others
        return PurePath(first).name or "embedded Python", *others


@dataclass(frozen=True)
class Thread:
    """One thread: a tid that the OS gave again makes two of them."""

    index: int
    process: int
    tid: int
    name: str
    begin: int
    end: int
    main: bool


@dataclass(frozen=True)
class Code:
    """One code object: a function, a module's or a class's body."""

    index: int
    process: int
    name: str
    """Qualified: "Parser.parse"."""
    file: str
    first_line: int


@dataclass(frozen=True)
class Gil:
    """One GIL: a process has several when subinterpreters have their own."""

    index: int
    process: int
    number: int
