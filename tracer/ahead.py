"""Empty packets, written ahead of the streams that fill fast.

Bringing fresh pages into the page cache costs more than all else in making a packet, and on a virtual machine
that has to ask its host for them ten times as much again. The launcher has time, the program it measures has
not. The recorder makes its own packets where none is ready, so this may be late, fail or be absent.
"""

from __future__ import annotations

import os
import resource
import signal
import struct
import threading
from pathlib import Path
from types import TracebackType

from tracer.directory import PACKET_SIZE

# Of tracer/native/format.h, as packet.c writes it.
_HEADER = struct.Struct("<II5QII9Q")
_MAGIC = 0xC1FC1FC1
_UNUSED_TIMESTAMP = 1 << 61
_CONTENT_SIZE = struct.Struct("<Q")
_CONTENT_SIZE_AT = 24
_EMPTY = _HEADER.size * 8

_BUSY_PAUSE = 0.005
_IDLE_PAUSE = 0.1
_MOST_AHEAD = 64
_SPACE_LEFT_ALONE = 64 << 20


class Ahead:
    """Context manager: while it lasts, streams in `trace` that fill fast find their next packets ready."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace
        self._streams: dict[str, _Stream] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="packets ahead", daemon=True)

    def __enter__(self) -> Ahead:
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
        self._thread.join()

    def _run(self) -> None:
        pause = _BUSY_PAUSE
        try:
            while not self._over.wait(pause):
                pause = _BUSY_PAUSE if self._look() else min(2 * pause, _IDLE_PAUSE)
        except OSError:
            pass  # the disk is full, the trace has vanished: the recorder finds out for itself

    def _look(self) -> bool:
        """Write what is wanted; returns whether any stream has moved on."""
        moved = False
        for process in os.scandir(self._trace):
            for file in os.scandir(process):
                if file.name.startswith("gil_"):
                    stream = self._streams.setdefault(file.path, _Stream(file.path, process.name))
                    moved |= stream.keep_ahead()
        return moved


class _Stream:
    def __init__(self, path: str, process: str) -> None:
        self._path = path
        self._begun = 0  # packets that hold something
        pid = int(process.partition("_")[0])
        header = _HEADER.pack(
            _MAGIC, 0, _UNUSED_TIMESTAMP, _UNUSED_TIMESTAMP, _EMPTY, PACKET_SIZE * 8, 0, 0, pid, *[0] * 9
        )
        self._packet = header + bytes(PACKET_SIZE - len(header))

    def keep_ahead(self) -> bool:
        # Appending only: what the recorder has mapped, or maps at this moment, lies before the end.
        fd = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            there = os.fstat(fd).st_size // PACKET_SIZE
            before = self._begun
            while self._begun < there and self._holds_something(fd, self._begun):
                self._begun += 1
            passed = self._begun - before
            if passed and before:
                self._append(fd, min(2 * passed, _MOST_AHEAD) - (there - self._begun))
            return passed > 0
        finally:
            os.close(fd)

    def _holds_something(self, fd: int, packet: int) -> bool:
        raw = os.pread(fd, _CONTENT_SIZE.size, packet * PACKET_SIZE + _CONTENT_SIZE_AT)
        return len(raw) == _CONTENT_SIZE.size and _CONTENT_SIZE.unpack(raw)[0] > _EMPTY

    def _append(self, fd: int, count: int) -> None:
        space = os.fstatvfs(fd)
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        if limit != resource.RLIM_INFINITY:  # up to it only whole packets: half a one can't be read
            count = min(count, limit // PACKET_SIZE - os.fstat(fd).st_size // PACKET_SIZE)
        if count > 0 and space.f_bavail * space.f_frsize > _SPACE_LEFT_ALONE:
            os.writev(fd, [self._packet] * count)
