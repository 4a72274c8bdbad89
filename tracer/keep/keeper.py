"""Keeping a recording small while it goes on, and copying it when that is asked for, in the launcher.

Programs ask over a socket whose name is in no file system (`tracer.snapshot`). It stands in a file of the
trace, which is locked as long as somebody keeps it: recordings end when that is over.
"""

from __future__ import annotations

import argparse
import errno
import fcntl
import math
import os
import secrets
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from analysis.destinations import say
from tracer import directory
from tracer.command.times import seconds, size
from tracer.directory import KEEPER
from tracer.errors import GilscopeError, RecordingError, UsageError
from tracer.keep import snapshots
from tracer.keep.streams import Streams, now, refused

_SECOND: Final = 1_000_000_000
_TICK: Final = 0.1
_STREAMS_A_TICK: Final = 256
_SLOWEST: Final = 1.0
_PART_OF_KEEP: Final = 0.1
_FASTEST: Final = 200 * 10**6
"""Bytes a second that no recording makes: 10**7 events."""

_PART_FREE: Final = 8
"""Of a limit one part in so many is left free: for what is written until the next look."""

_PART_OF_DISK: Final = 10
_SMALLEST: Final = 16 * 10**6
_FLOCK: Final = struct.Struct("hhqqi4x")
_REQUEST: Final = 8192
_UCRED: Final = struct.Struct("3i")


@dataclass(frozen=True)
class Policy:
    """How much of a recording is kept: seconds, and bytes. `said`: the limit is the user's."""

    keep: float | None
    limit: int
    said: bool

    @property
    def wanted(self) -> bool:
        """Whether anybody asked for it."""
        return self.keep is not None or self.said

    @property
    def most(self) -> int:
        """Bytes from which on the oldest part is given up."""
        return self.limit - self.limit // _PART_FREE

    def pause(self, used: int, streams: int) -> float:
        """Return the seconds from one look to the next, when so many bytes and streams are there.

        What is left of the limit can't be filled meanwhile, and what is older than `keep` stays for no more
        than a tenth of that. Each look costs something, for each stream.
        """
        if not self.wanted:
            return _SLOWEST
        most = _SLOWEST if self.keep is None else min(self.keep * _PART_OF_KEEP, _SLOWEST)
        least = min(_TICK * (1 + streams / _STREAMS_A_TICK), _SLOWEST)
        return max(min((self.limit - used) / _FASTEST, most), least)

    def said_at_start(self) -> str:
        """What the user did not ask for and has to know: nothing if there is a --limit."""
        if self.said:
            return ""
        return f"from {_megabytes(self.most)} on its oldest part is given up (--limit says otherwise)"


def policy(keep: str | None, limit: str | None, trace: Path) -> Policy:
    """Return what --keep and --limit say; without a limit it is a tenth of the free disk.

    Raises
    ------
    UsageError
        They say nothing that can be.
    """
    kept = None if keep is None else seconds(keep, "--keep")
    if limit is None:
        return Policy(kept, max(_free(trace) // _PART_OF_DISK, _SMALLEST), False)
    most = size(limit, "--limit")
    if most < _SMALLEST:
        raise UsageError(f"--limit {limit}: 16MB or more, for the packets that threads are in")
    return Policy(kept, most, True)


def _free(path: Path) -> int:
    place = path.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


@dataclass(frozen=True)
class Trigger:
    """Limits of the last second's figures; what breaks one leaves a snapshot, `every` seconds apart."""

    limits: tuple[str, ...]
    every: float


def add_trigger(parser: argparse.ArgumentParser) -> None:
    """Add its options to a command line's."""
    parser.add_argument(
        "--snapshot-on",
        action="append",
        default=[],
        metavar="LIMIT",
        help="copy what is kept when this is so in the last second, as in 'wait > 100ms'",
    )
    parser.add_argument(
        "--snapshot-every",
        default="1min",
        metavar="TIME",
        help="and not more often than this (default: 1min)",
    )


def trigger_of(limits: Sequence[str], every: str) -> Trigger:
    """Return what the options say; raises UsageError for what is no limit.

    In a process of its own: numpy stays out of this one.
    """
    if limits:
        code = "import sys; from tracer.keep.trigger import full; [full(text) for text in sys.argv[1:]]"
        done = subprocess.run(
            [sys.executable, "-c", code, *limits], env=_environment(), stderr=subprocess.PIPE, text=True
        )
        if done.returncode:
            raise UsageError(done.stderr.strip().rpartition("\n")[2].partition(": ")[2])
    return Trigger(tuple(limits), seconds(every, "--snapshot-every"))


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


class _Watch:
    """The process that watches for a trigger."""

    def __init__(self, trace: Path, trigger: Trigger) -> None:
        self._every = trigger.every
        self._last = -math.inf
        command = [sys.executable, "-m", "tracer.keep.trigger", str(trace), *trigger.limits]
        self._process = subprocess.Popen(
            command, env=_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self.output = self._process.stdout

    def said(self) -> str:
        """Return why a snapshot is due, or nothing; to be asked when there is something to read."""
        lines = os.read(self.output.fileno(), _REQUEST).decode(errors="replace").splitlines()
        if not lines or time.monotonic() - self._last < self._every:
            return ""
        self._last = time.monotonic()
        return lines[-1]

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self.output.close()


class Keeper:
    """Context manager: while it lasts, `trace` stays within what the policy says, and snapshots are made."""

    def __init__(self, trace: Path, policy: Policy, trigger: Trigger) -> None:
        self._trace = trace
        self._policy = policy
        self._trigger = trigger
        self._watch: _Watch | None = None
        self._snapshots = 0
        self._streams = Streams(trace)
        self._told_reached = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Keeper:
        self._wake, self._woken = socket.socketpair()
        self._listening = _listen(name := f"gilscope-keeper-{secrets.token_hex(16)}")
        try:
            self._lock = _lock(self._trace / KEEPER, name, hold=self._policy.wanted)
        except OSError as error:  # a full disk: what is recorded says so itself
            (self._trace / KEEPER).unlink(missing_ok=True)
            self._lock = -1
            if self._policy.wanted:
                raise RecordingError(f"{self._trace} can't be kept small: {error.strerror}") from error
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._selector.register(self._listening, selectors.EVENT_READ)
        if self._trigger.limits:
            self._watch = _Watch(self._trace, self._trigger)
            self._selector.register(self._watch.output, selectors.EVENT_READ)
        # A signal for the launcher is for its main thread, which waits for it.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self._thread.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._wake.send(b"\0")
        self._thread.join()
        if self._watch is not None:
            self._watch.end()
        (self._trace / KEEPER).unlink(missing_ok=True)
        if self._lock >= 0:
            os.close(self._lock)
        for each in (self._selector, self._listening, self._wake, self._woken):
            each.close()

    def _run(self) -> None:
        while not self._over.is_set():
            begun = time.monotonic()
            try:
                self._keep()
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENOSPC, errno.EDQUOT):
                    pass  # a process's directory has vanished, or there is no room for its names now
                else:
                    say(f"{self._trace} is not kept small any more: {refused(error)}")
                    return self._serve_alone()
            self._serve(begun + self._pause())
        return None

    def _pause(self) -> float:
        return self._policy.pause(self._streams.size, len(self._streams))

    def _serve_alone(self) -> None:
        while not self._over.is_set():
            self._serve(time.monotonic() + _SLOWEST)

    def _keep(self) -> None:
        self._streams.look()
        if self._policy.keep is not None:
            begin = now() - int(self._policy.keep * _SECOND)
            if self._goes_on():  # else the last so long is what was last recorded
                self._streams.give_up_before(begin)
        used, most = self._streams.size, self._policy.most
        if used <= most:
            return
        time = self._streams.time_to_free(used - most)
        if time is None:
            return
        if not self._told_reached:
            self._told_reached = True
            why = "" if self._policy.said else " (a tenth of the disk that was free: --limit)"
            say(
                f"{self._trace} has reached {_megabytes(used)}: its oldest part is given up from here on{why}"
            )
        self._streams.give_up_before(time)

    def _goes_on(self) -> bool:
        return bool(directory.running(self._trace) or not directory.process_directories(self._trace))

    def _serve(self, until: float) -> None:
        """Do what is asked for, until it is time for the next look."""
        while (rest := until - time.monotonic()) > 0 and not self._over.is_set():
            for key, _ in self._selector.select(rest):
                if key.fileobj is self._listening:
                    connection, _ = self._listening.accept()
                    with connection:
                        self._answer(connection)
                elif self._watch is not None and key.fileobj is self._watch.output:
                    self._on_trigger(self._watch)

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(_TICK)
        try:
            request = connection.recv(_REQUEST).decode("utf-8", "surrogateescape")
            if _user(connection) not in (os.geteuid(), 0, self._trace.stat().st_uid):
                return
        except OSError:
            return  # it has gone
        self.snapshot(Path(request))

    def _on_trigger(self, watch: _Watch) -> None:
        if why := watch.said():
            say(why)
            name = self._trace.name.removesuffix(".trace")
            target = self._trace
            while target.exists():
                self._snapshots += 1
                target = self._trace.with_name(f"{name}.snapshot-{self._snapshots}.trace")
            self.snapshot(target)

    def snapshot(self, target: Path) -> None:
        """Copy what is kept; what goes wrong is one line."""
        try:
            snapshots.copy(self._trace, target, last=self._policy.keep)
        except (GilscopeError, OSError) as error:
            say(f"no snapshot: {error}")
        else:
            say(f"snapshot {target}")


def _listen(name: str) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening.bind("\0" + name)
    listening.listen(64)
    return listening


def _lock(path: Path, content: str, *, hold: bool) -> int:
    """Make the file; `hold`: it is locked until the descriptor is closed, or this process dies."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    if hold:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    if os.geteuid() == 0:
        status = path.parent.stat()
        os.chown(path, status.st_uid, status.st_gid)  # who is recorded looks after it
    try:
        os.write(fd, content.encode())
    except OSError:
        os.close(fd)
        raise
    return fd


def _user(connection: socket.socket) -> int:
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return int(_UCRED.unpack(told)[1])


def _megabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
