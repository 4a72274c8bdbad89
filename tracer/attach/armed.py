"""Processes that are armed: how one is made, found and asked.

Such a process has the hooks in and records nothing. A thread of the core listens on a socket that is named by
the process (tracer/native/armed/listener.c is the other end), for its own user and root alone.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from analysis.destinations import say
from tracer import directory
from tracer.errors import GilscopeError, UsageError

SUFFIX: Final = ".gilscope"
_ANSWER: Final = 1 << 13
_PATIENCE: Final = 10.0
"""Seconds that an answer may take: a beginning makes files."""

_AWAY: Final = 3.0
"""Seconds that the listening thread may be away for a fork, or because nobody lets the process run."""

_NOT_HEARD: Final = (errno.EPIPE, errno.ECONNRESET)
_PAUSE: Final = 0.05
_UCRED: Final = struct.Struct("3i")
_LONGEST: Final = 107
"""Bytes of an address."""


def default_directory() -> Path:
    """Where sockets are when nobody says where."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and Path(runtime).is_dir():
        return Path(runtime, "gilscope")
    return Path(f"/tmp/gilscope-{os.geteuid()}")


@dataclass(frozen=True)
class Armed:
    """A process that listens."""

    pid: int
    path: str

    def start(self, trace: Path, *, stacks: bool) -> None:
        """Have it recorded into `trace`, which exists.

        Raises
        ------
        GilscopeError
            It is recorded already, or can't be.
        """
        how = "start" if stacks else "start without stacks"
        try:
            self._ask(f"{how}\n{trace.absolute()}")
        except Refused as refused:
            raise GilscopeError(f"process {self.pid} can't be recorded now: {refused}") from None

    def stop(self) -> None:
        """End the recording; nothing happens when there is none."""
        self._ask("stop")

    def status(self) -> dict[str, str]:
        """What it says of itself: ``recording`` ("0" or "1"), ``trace`` ("" or its directory in it),
        ``failure`` (an errno, or "0"), ``discarded``, ``streams``, ``pid``."""
        return self._ask("status")

    def _ask(self, request: str) -> dict[str, str]:
        end = time.monotonic() + _AWAY
        while True:
            try:
                with _connected(self.path, self.pid) as connection:
                    connection.settimeout(_PATIENCE)
                    connection.send(request.encode("utf-8", "surrogateescape"))
                    answer = connection.recv(_ANSWER).decode("utf-8", "surrogateescape")
            except TimeoutError:
                raise GilscopeError(f"process {self.pid} does not answer: is it stopped?") from None
            except OSError as error:
                if error.errno not in _NOT_HEARD:
                    raise GilscopeError(f"process {self.pid} has gone: {error.strerror}") from None
                answer = ""
            if answer:
                break
            # The listening thread stepped aside for a fork: it closes what it has not heard.
            if not directory.runs(self.pid) or time.monotonic() > end:
                raise GilscopeError(f"process {self.pid} has gone")
        head, _, rest = answer.partition("\n")
        if head == "failed":
            raise Refused(rest)
        return dict(line.partition(" ")[::2] for line in rest.split("\n"))


class Refused(GilscopeError):
    """What an armed process said no with."""


def find(pid: int) -> Armed | None:
    """Return the armed process `pid`; None if it is not armed.

    Raises
    ------
    UsageError
        It is, and belongs to someone else.
    """
    for path in _candidates(pid):
        try:
            connection = _connected(path, pid)
        except OSError as error:
            if isinstance(error, PermissionError):
                message = f"process {pid} belongs to someone else: attach as that user, or as root"
                raise UsageError(message) from None
            continue
        with connection:
            if _peer(connection) == pid:
                return Armed(pid, path)
    return None


def _candidates(pid: int) -> list[str]:
    """Paths of sockets that may be the process's, seen from here."""
    inside = _pid_inside(pid)
    names = {f"{inside}{SUFFIX}", *(f"{inside}_{again}{SUFFIX}" for again in range(2, 11))}
    found = [path for path in _bound(pid) if Path(path).name in names]
    places = [_armed_in(pid), os.fspath(default_directory())]
    found += [os.fspath(Path(place, f"{inside}{SUFFIX}")) for place in places if place]
    seen = [form for path in found for form in (path, f"/proc/{pid}/root{path}")]
    return [path for path in dict.fromkeys(seen) if _exists(path)]


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:
        return False  # where this user may not look


def _pid_inside(pid: int) -> int:
    """Return a process's id in its own namespace."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(errors="replace")
    except OSError:
        return pid
    for line in status.splitlines():
        if line.startswith("NSpid:"):
            return int(line.split()[-1])
    return pid


def _bound(pid: int) -> list[str]:
    """Paths of the sockets that are bound where the process is."""
    try:
        lines = Path(f"/proc/{pid}/net/unix").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return []
    return [parts[7] for line in lines if len(parts := line.split(" ", 7)) == 8 and parts[7].endswith(SUFFIX)]


def _armed_in(pid: int) -> str:
    """What the environment of a process says of where it listens."""
    try:
        entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return ""
    prefix = b"GILSCOPE_ARMED="
    return next((os.fsdecode(entry[len(prefix) :]) for entry in entries if entry.startswith(prefix)), "")


def _connected(path: str, pid: int) -> socket.socket:
    """Return a connection; the listening thread may be away for a moment."""
    end = time.monotonic() + _AWAY
    told = False
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            _connect(connection, path)
            return connection
        except OSError as error:
            connection.close()
            refused = error.errno in (errno.ECONNREFUSED, errno.EAGAIN)
            if not refused or not directory.runs(pid) or time.monotonic() > end:
                raise
        if not told and time.monotonic() > end - _AWAY / 2:
            told = True
            say(f"process {pid} does not listen at this moment, waiting")
        time.sleep(_PAUSE)


def _connect(connection: socket.socket, path: str) -> None:
    if len(os.fsencode(path)) <= _LONGEST:
        connection.connect(path)
        return
    parent, name = os.path.split(path)
    fd = os.open(parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connection.connect(f"/proc/self/fd/{fd}/{name}")
    finally:
        os.close(fd)


def _peer(connection: socket.socket) -> int:
    """Return the process that listens at the other end."""
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return int(_UCRED.unpack(told)[0])
