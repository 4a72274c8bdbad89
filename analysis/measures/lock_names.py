"""What to call a lock, for people: by what it is, whose it is, or where it was first waited for."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

from ..model import Lock, LockKind, Owner
from ..tables.trace import Trace

_SYNCHRONISERS: Final = ("Event", "Condition", "Semaphore", "BoundedSemaphore", "Barrier")
"""Types of threading whose own Condition or lock stands for them."""

_SYNCHRONISING: Final = (
    "threading.py",
    "queue.py",
    "gilscope_recording.py",
    "gilscope_threads.py",
    "gilscope_begin.py",
    "gilscope_core.py",
)
"""Files whose frames say less than who called them."""

_OF_INTERPRETER: Final = {
    # Size of PyInterpreterState: offsets in it, as its own headers have them (3.13t, 3.14, 3.15).
    215616: {10748: "stop", 10744: "stopping", 196152: "types"},
    225864: {10804: "stop", 10800: "stopping", 190336: "types"},
    226232: {10780: "stop", 10776: "stopping", 190504: "types"},
}
_INTERNAL: Final = {
    "stop": "until the world stands",
    "stopping": "the right to stop the world",
    "types": "the type lock",
}


def place_of(trace: Trace, frame: int) -> str:
    """Return where a frame is, "parse(), app.py:120"; "": not known.

    Of what the standard library does for its locks, whoever called it.
    """
    if frame < 0:
        return ""
    outer = frame
    while outer >= 0 and _is_synchroniser(trace.codes[trace.frames["code"][outer]].file):
        outer = int(trace.frames["caller"][outer])
    row = trace.frames[outer if outer >= 0 else frame]
    code = trace.codes[row["code"]]
    name = code.name.replace(".<locals>.", ".")
    called = name if name.endswith(">") else f"{name}()"
    return f"{called}, {PurePath(code.file).name}:{row['line'] or code.first_line}"


def _is_synchroniser(file: str) -> bool:
    return file.startswith("<frozen importlib") or PurePath(file).name in _SYNCHRONISING


def lock_name(lock: Lock) -> str:
    """Return what to call a lock; never an address where something else is known."""
    if lock.kind == LockKind.STATE:
        return "the world is stopped"
    if lock.kind == LockKind.RAW:
        return "the interpreter's waiting room"
    if lock.kind in (LockKind.INTERPRETER, LockKind.RUNTIME):
        known = _OF_INTERPRETER.get(lock.size, {}).get(lock.offset)
        return _INTERNAL[known] if known else f"a lock of the interpreter's own (+{lock.offset})"
    if lock.kind == LockKind.MUTEX:
        return _of_object(lock)
    what = _what(lock)
    owners = [owner for owner in lock.owners if owner.type not in (what, *_SYNCHRONISERS)]
    if lock.kind == LockKind.UNKNOWN and owners:
        return f"{owners[0].function}()"
    variable = lock.variable
    if owners:
        called = f" `{variable.name}`" if variable and variable.how == "owner" else ""
        return f"{what} of {owners[0].type}{called}"
    return f"{what} `{variable.name}`" if variable and variable.how == "is" else what


def _what(lock: Lock) -> str:
    """Return its type: of an Event's Condition, Event."""
    if lock.kind == LockKind.UNKNOWN:
        return "a lock"
    for owner in reversed(lock.owners):
        if lock.kind == LockKind.CONDITION and owner.type in _SYNCHRONISERS:
            return owner.type
    short = lock.type.rpartition(".")[2]
    return {"lock": "Lock", "": "Lock"}.get(short, short)


def _of_object(lock: Lock) -> str:
    """Return what to call what is itself no lock: "the dict of `cache`, a Counter", "the list `shared`"."""
    variable = lock.variable
    if variable and variable.how == "attributes":
        return (
            f"the dict of a {variable.type}"
            if variable.name == "self"
            else f"the dict of `{variable.name}`, a {variable.type}"
        )
    if variable and variable.how == "is" and variable.name != "self":
        return f"the {lock.type} `{variable.name}`"
    return f"the {lock.type} itself" + _of(lock.owners, lock.type)


def _of(owners: tuple[Owner, ...], itself: str) -> str:
    named = [owner.type for owner in owners if owner.type != itself]
    return f" (in {named[0]})" if named else ""
