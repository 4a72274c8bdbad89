"""What a trace is of, once read: processes, threads, GILs, locks and code.

With the states of threads and the dtypes of tables, which lie beside it, it is what users of a trace import.
All times are int64 nanoseconds of CLOCK_MONOTONIC.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePath
from typing import Any, Final

from .dtypes import CPU_INTERVAL as CPU_INTERVAL
from .dtypes import EVENT as EVENT
from .dtypes import FRAME as FRAME
from .dtypes import HANDOFF as HANDOFF
from .dtypes import INTERVAL as INTERVAL
from .dtypes import LOCK_HOLD as LOCK_HOLD
from .dtypes import LOCK_SPIN as LOCK_SPIN
from .dtypes import LOCK_WAIT as LOCK_WAIT
from .dtypes import LOCK_WAKE as LOCK_WAKE
from .dtypes import MARK as MARK
from .dtypes import NATIVE_SAMPLE as NATIVE_SAMPLE
from .dtypes import ON_CPU as ON_CPU
from .dtypes import PAUSE as PAUSE
from .dtypes import RETRY as RETRY
from .dtypes import SAMPLE as SAMPLE
from .dtypes import SPAN as SPAN
from .dtypes import WAIT as WAIT
from .dtypes import LockOutcome as LockOutcome
from .dtypes import Outcome as Outcome
from .states import HELD as HELD
from .states import WITHOUT as WITHOUT
from .states import State as State
from .states import total as total

DEFAULT_INTERVAL: Final = 5_000_000
"""ns: CPython's switch interval if nobody changes it."""


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
