"""The states of a thread: one table, from which all else has them.

What a state is called (in tables, in JSON, in legends), what it is a part of, and how it looks stands here,
once. A new state is a member of `State`, a row of `STATES`, and whatever finds out when a thread is in it.

How a state looks says two things apart from its colour, so that it reads in greyscale too. Its height says
what the thread has to do with the GIL: full has it, half waits for it, a little more than half could compute
without it, a thin line has nothing to do. Its texture says what the CPU did: plain runs, diagonal lines want
a CPU and have none, dots sleep.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class State(IntEnum):
    """What a thread does; numbers are those of the `state` column.

    With OS scheduling, HOLDING is told apart as RUNNING, STALLED and HOLDING_ASLEEP, and RELEASED as NATIVE,
    READY and BLOCKED. HOLDING and RELEASED then are left where that is not known. Where locks are recorded,
    what is RELEASED in a wait for one is LOCKED, or STOPPED.
    """

    UNKNOWN = 0
    RELEASED = 1
    WAITING = 2
    HOLDING = 3
    RUNNING = 4
    STALLED = 5
    NATIVE = 6
    BLOCKED = 7
    READY = 8
    HOLDING_ASLEEP = 9
    LOCKED = 10
    STOPPED = 11


class Cpu(IntEnum):
    """What is known of a thread and a CPU.

    A thread that left its CPU was *preempted*, and could have gone on all the time, or went to *sleep*, until
    something that it waits for; when it was woken up is not recorded, so that its sleep ends when it gets a
    CPU. OFF is where its leaving was not seen.
    """

    UNSURE = 0
    OFF = 1
    ON = 2
    READY = 3
    ASLEEP = 4


@dataclass(frozen=True)
class Look:
    """How a state is drawn: `height` of 1, `colour` "#RRGGBB"; `hatch` is a pattern of matplotlib's.

    The hatch is drawn in `ink`. `sign` is what a terminal has of it; "" is nothing.
    """

    height: float
    colour: str
    hatch: str = ""
    ink: str = ""
    sign: str = ""
    text: str = ""
    """The colour of its name; "" is `colour`."""


@dataclass(frozen=True)
class Kind:
    """One state.

    Attributes
    ----------
    word : str
        Its name in tables and in JSON.
    label : str
        Its name in legends of lanes; `without_gil` where no GIL was seen.
    meaning : str
    of : State
        What it is a part of: what the thread does about the GIL, whoever has a CPU.
    cpu : Cpu or None
        What the CPU does to make it this part; None: that alone does not make it.
    rare : bool
        Named in tables and legends only where there is some of it.
    """

    state: State
    word: str
    label: str
    meaning: str
    of: State
    look: Look
    cpu: Cpu | None = None
    rare: bool = False
    without_gil: str = ""


HOLD: Final = "#0072B2"
WAIT: Final = "#D55E00"
STALL: Final = "#BFE1F6"
STALL_INK: Final = "#4C9ED9"
STALL_TEXT: Final = "#2A86C8"
SLEEP: Final = "#DCD3F2"
SLEEP_INK: Final = "#5B3FA8"
NATIVE: Final = "#009E73"
READY: Final = "#BDE8D8"
READY_INK: Final = "#1E9E78"
READY_TEXT: Final = "#00805D"
RELEASED: Final = "#C4C4C4"
LOCK: Final = "#CC79A7"
LOCK_TEXT: Final = "#A8507F"
STOP: Final = "#F0E442"
STOP_INK: Final = "#A89A00"
STOP_TEXT: Final = "#7D7300"

_DIAGONAL: Final = "////"
_DOTS: Final = "...."

STATES: Final[Mapping[State, Kind]] = {
    kind.state: kind
    for kind in (
        Kind(
            State.RUNNING,
            "running",
            "runs",
            "has the GIL and a CPU",
            State.HOLDING,
            Look(1.0, HOLD, sign="█"),
            Cpu.ON,
        ),
        Kind(
            State.STALLED,
            "stalled",
            "stalled: GIL, no CPU",
            "has the GIL, could go on, and has no CPU: something else runs there",
            State.HOLDING,
            Look(1.0, STALL, _DIAGONAL, STALL_INK, "╱", STALL_TEXT),
            Cpu.READY,
        ),
        Kind(
            State.HOLDING_ASLEEP,
            "asleep",
            "asleep with the GIL",
            "has the GIL and sleeps, in a call that should let go of it",
            State.HOLDING,
            Look(1.0, SLEEP, _DOTS, SLEEP_INK, "░", SLEEP_INK),
            Cpu.ASLEEP,
            rare=True,
        ),
        Kind(
            State.HOLDING,
            "holding",
            "has the GIL, CPU unknown",
            "has the GIL; with OS scheduling, where no more than that is known",
            State.HOLDING,
            Look(1.0, "#7FA9C9", sign="█"),
            rare=True,
        ),
        Kind(
            State.WAITING,
            "waiting",
            "waits for the GIL",
            "waits for the GIL",
            State.WAITING,
            Look(0.5, WAIT, sign="▒"),
        ),
        Kind(
            State.NATIVE,
            "native",
            "native: CPU, no GIL",
            "on a CPU, without the GIL and without wanting it",
            State.RELEASED,
            Look(0.72, NATIVE, sign="▄"),
            Cpu.ON,
            without_gil="on a CPU",
        ),
        Kind(
            State.READY,
            "ready",
            "ready: no CPU",
            "without the GIL, could go on, and has no CPU: something else runs there",
            State.RELEASED,
            Look(0.72, READY, _DIAGONAL, READY_INK, "┄", READY_TEXT),
            Cpu.READY,
            rare=True,
            without_gil="ready: no CPU",
        ),
        Kind(
            State.BLOCKED,
            "blocked",
            "blocked",
            "neither: I/O, sleep; and being woken up, until it has a CPU again",
            State.RELEASED,
            Look(0.1, RELEASED),
            Cpu.ASLEEP,
            without_gil="blocked",
        ),
        Kind(
            State.LOCKED,
            "locked",
            "waits for a lock",
            "waits for a lock of Python's, other than the GIL",
            State.RELEASED,
            Look(0.38, LOCK, sign="▖", text=LOCK_TEXT),
            rare=True,
            without_gil="waits for a lock",
        ),
        Kind(
            State.STOPPED,
            "stopped",
            "the world is stopped",
            "the world is stopped: another thread does what nobody may see half done",
            State.RELEASED,
            Look(0.38, STOP, _DIAGONAL, STOP_INK, "▗", STOP_TEXT),
            rare=True,
            without_gil="the world is stopped",
        ),
        Kind(
            State.RELEASED,
            "released",
            "no GIL, CPU unknown",
            "without the GIL; with OS scheduling, where no more than that is known",
            State.RELEASED,
            Look(0.1, "#E2E2E2"),
            rare=True,
            without_gil="CPU unknown",
        ),
        Kind(
            State.UNKNOWN,
            "unknown",
            "unknown",
            "nothing seen of it yet, or events were lost",
            State.UNKNOWN,
            Look(0.0, RELEASED),
            rare=True,
        ),
    )
}
"""All states, in the order in which they are told: what has the GIL, who waits for it, who does without."""


def parts_of(state: State) -> tuple[State, ...]:
    """Return the states that one consists of, itself among them."""
    return tuple(kind.state for kind in STATES.values() if kind.of == state)


HELD: Final = parts_of(State.HOLDING)
"""The states in which a thread has the GIL."""

WITHOUT: Final = parts_of(State.RELEASED)
"""The states in which it neither has the GIL nor waits for it."""

ON_A_CPU: Final = tuple(kind.state for kind in STATES.values() if kind.cpu == Cpu.ON)
"""The states that say that it has a CPU; in a wait it may have one too."""

WITH_CPUS: Final = tuple(kind.state for kind in STATES.values() if kind.cpu is not None)
"""The states that only the scheduler's records tell apart."""

LOCK_STATES: Final = (State.LOCKED, State.STOPPED)
"""The states that only waits for locks tell apart."""


def total(time: Mapping[State, int], states: Iterable[State]) -> int:
    """Return the time in any of some states."""
    return sum(time[state] for state in states)
