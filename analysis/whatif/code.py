"""What the recorded Python frames say to the replay: whose holds they are, and what a thread waited for."""

from __future__ import annotations

import difflib
from pathlib import PurePath
from typing import Final

import numpy as np

from ..arrays import Bools, Int8s
from ..errors import GilscopeError
from ..model import Code, State
from ..tables.trace import Trace
from .recording import Recording

WAITS_FOR_THREADS: Final = (
    "/threading.py",
    "/queue.py",
    "/concurrent/futures/",
    "/multiprocessing/pool.py",
)
"""Files whose code, when it lets go of the GIL, waits for another thread."""

WAITS_FOR_OTHERS: Final = ("/socket.py", "/ssl.py", "/selectors.py", "/subprocess.py", "/socketserver.py")


class NoSuchFunction(GilscopeError):
    """What is to run without the GIL is not in the trace."""


def holds_of_threads(recording: Recording, threads: tuple[str, ...]) -> Bools | None:
    """Return which intervals of a recording are holds of these threads: shape (intervals,); None: no threads.

    Raises
    ------
    NoSuchFunction
        No thread is called so in the summary.
    """
    if not threads:
        return None
    trace = recording.trace
    found = np.zeros(len(recording), bool)
    for name in threads:
        mine = [thread.index for thread in trace.threads if thread.name == name]
        if not mine:
            names = sorted({thread.name for thread in trace.threads})
            raise NoSuchFunction(f"no thread {name!r} in {trace.path}: {_near(name, names)}")
        for index in mine:
            found[int(recording.first[index]) : int(recording.first[index + 1])] = True
    found &= recording.state == State.HOLDING
    return found


def waits_for_threads(recording: Recording) -> Int8s | None:
    """Return, for each interval, what the code that went on after it waits for.

    1: another thread, 0: something else, -1: not known. Shape (intervals,); None without frames.
    """
    trace = recording.trace
    if not len(trace.frames):
        return None
    says = np.full(len(trace.codes), -1)
    for code in trace.codes:
        file = "/" + code.file
        if any(part in file for part in WAITS_FOR_THREADS):
            says[code.index] = 1
        elif any(part in file for part in WAITS_FOR_OTHERS):
            says[code.index] = 0
    waits, frames = recording.wait_frames()
    result = np.full(len(recording), -1, np.int8)
    known = np.flatnonzero((frames >= 0) & (waits > 0))
    result[waits[known] - 1] = says[trace.frames["code"][frames[known]]]
    return result


def dotted(code: Code) -> str:
    """Return the full dotted name of a code object: "home.me.app.parser.Parser.parse"."""
    path = PurePath(code.file)
    parts = [part for part in path.with_suffix("").parts if part != path.anchor]
    if len(parts) > 1 and parts[-1] == "__init__":
        parts.pop()
    return ".".join([*parts, code.name.replace("<locals>.", "")])


def frames_in(trace: Trace, name: str) -> Bools:
    """Return which frames are in a function, or were called from it: shape (frames,).

    Raises
    ------
    NoSuchFunction
        There are no frames in the trace, or none of that function.
    """
    if not len(trace.frames):
        raise NoSuchFunction(
            f"{trace.path} has no Python frames, which say whose holds they are: record it again without"
            " --no-stacks, or name a thread with --release-thread"
        )
    called = [dotted(code) for code in trace.codes]
    matches = np.array([("." + full).endswith("." + name) for full in called], bool)
    if not matches.any():
        short = [
            ".".join(full.split(".")[-(code.name.replace("<locals>.", "").count(".") + 2) :])
            for full, code in zip(called, trace.codes, strict=True)
        ]
        raise NoSuchFunction(
            f"no function {name!r} in the frames of {trace.path}: {_near(name, sorted(set(short)))}"
        )
    inside: Bools = matches[trace.frames["code"]]
    caller = trace.frames["caller"]
    while True:  # as often as stacks are deep
        deeper = inside | ((caller >= 0) & inside[caller])
        if (deeper == inside).all():
            return inside
        inside = deeper


def _near(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, 5, 0.4)
    tail = name.rpartition(".")[2].lower()
    near += [each for each in names if tail in each.lower() and each not in near]
    if near:
        return "the closest are " + ", ".join(near[:5])
    return "there are " + ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
