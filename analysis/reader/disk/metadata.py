"""The metadata file of a process: enough of CTF's TSDL to read its env and clock blocks.

The events' layout that it declares is for other readers; ours is fixed by the format's version.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import TraceFormatError
from ..format import READABLE_VERSIONS
from .files import LARGEST_METADATA, open_file

_STRING = r'"(?:[^"\\]|\\.)*"'
_COMMENT = re.compile(rf"({_STRING})|/\*.*?\*/|//[^\n]*", re.DOTALL)
_ASSIGNMENT = re.compile(rf"\s*([A-Za-z_]\w*)\s*=\s*({_STRING}|[^;{{}}\"]+?)\s*;", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}


@dataclass(frozen=True)
class Metadata:
    """What a process's metadata says.

    `recording_start` is in ns of CLOCK_MONOTONIC; `utc_offset` is what to add to get UTC.
    """

    path: Path
    pid: int
    ppid: int
    recording_start: int
    utc_offset: int
    environment: dict[str, Any]

    def text(self, key: str) -> str:
        """Return a text of the environment; "" when it is not there."""
        return str(self.environment.get(key, ""))

    def number(self, key: str) -> int:
        """Return a number of the environment; 0 when it is not there, or is no number."""
        value = self.environment.get(key, 0)
        return value if isinstance(value, int) else 0

    @property
    def argv(self) -> tuple[str, ...]:
        """The command line; empty when it is not there."""
        try:
            argv = json.loads(self.text("argv") or "[]")
        except (ValueError, RecursionError):
            return (self.text("argv"),)
        return tuple(str(part) for part in argv) if isinstance(argv, list) else (str(argv),)


def read_metadata(path: Path, of: str = "gil") -> Metadata:
    """Read one metadata file: a process's, or ("sched") the scheduler's.

    Raises
    ------
    TraceFormatError
        It is not there, is not TSDL, or is of another version or kind of the format.
    """
    try:
        with open_file(path, LARGEST_METADATA) as file:
            size = os.fstat(file.fileno()).st_size  # read() sets aside what it is asked for
            text = file.read(size).decode()
    except UnicodeDecodeError as error:
        raise TraceFormatError(path, f"bytes that are not UTF-8 at {error.start}", "TSDL text") from None
    except OSError as error:
        raise TraceFormatError(path, error.strerror or str(error), "a readable file") from None
    if not text.startswith("/* CTF 1.8"):
        raise TraceFormatError(path, repr(text[:12]), "'/* CTF 1.8 */' first")
    text = _COMMENT.sub(lambda match: match[1] or " ", text)
    environment = _block(path, text, "env")
    clock = _block(path, text, "clock")
    trace = re.search(r"\bbyte_order\s*=\s*(\w+)", text)
    if trace is None or trace[1] != "le":
        raise TraceFormatError(path, f"byte order {trace[1] if trace else 'not said'}", "byte_order = le")
    version = _number(path, environment, "gilscope_format")
    if version not in READABLE_VERSIONS:
        readable = " or ".join(map(str, READABLE_VERSIONS))
        raise TraceFormatError(path, f"gilscope_format {version}", f"{readable}, which this gilscope reads")
    if _number(path, clock, "freq") != 1_000_000_000:
        raise TraceFormatError(path, f"a clock of {clock['freq']} Hz", "1000000000")
    kind = environment.get("kind", "gil")
    if kind != of:
        raise TraceFormatError(path, f"kind {kind!r}", repr(of))
    if of != "gil":  # no process: its packets may name the one that wrote them
        environment = {"pid": 0, "ppid": 0, **environment}
    return Metadata(
        path=path,
        pid=_number(path, environment, "pid"),
        ppid=_number(path, environment, "ppid"),
        recording_start=_number(path, environment, "recording_start"),
        utc_offset=_number(path, clock, "offset"),
        environment=environment,
    )


def _block(path: Path, text: str, name: str) -> dict[str, Any]:
    """Return the assignments of a top-level block."""
    opening = re.search(rf"\b{name}\s*\{{", text)
    if opening is None:
        raise TraceFormatError(path, f"no {name} block", f"{name} {{ ... }};")
    values: dict[str, Any] = {}
    position = opening.end()
    while assignment := _ASSIGNMENT.match(text, position):
        values[assignment[1]] = _value(assignment[2])
        position = assignment.end()
    if not re.compile(r"\s*\}").match(text, position):
        raise TraceFormatError(path, repr(text[position : position + 24].strip()), f"an assignment in {name}")
    return values


def _value(text: str) -> int | str:
    if text.startswith('"'):
        return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text[1:-1], flags=re.DOTALL)
    # 20 digits hold every 64-bit number; Python refuses to convert thousands of them with another exception.
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,20}", text) else text


def _number(path: Path, values: dict[str, Any], key: str) -> int:
    value = values.get(key)
    if not isinstance(value, int) or abs(value) >= 1 << 63:
        raise TraceFormatError(
            path, f"{key} = {value!r}" if key in values else f"no {key}", "a number of 64 bits"
        )
    return value
