"""Pages of packets, had ahead of the streams that fill fast.

Bringing fresh pages into the page cache costs more than all else in making a packet, and on a virtual machine
that has to ask its host for them ten times as much again. The launcher has time, the program it measures has
not. The recorder has its own pages where none is ready, so this may be late, fail or be absent.

Nothing is written here: a page that the recorder uses meanwhile stays as it is. How far each stream is the
recorder tells in one small file a process (tracer/native/stream/lock.h), so thousands of idle threads cost
nothing.
"""

from __future__ import annotations

import mmap
import os
import signal
import threading
from array import array
from itertools import zip_longest
from pathlib import Path
from types import TracebackType

from tracer.directory import LOCK, LOCK_MAGIC, PACKET_SIZE

_HEAD = 4  # words before the counts
_LARGEST = 8192
_MADV_POPULATE_WRITE = 23

_BUSY_PAUSE = 0.005
_IDLE_PAUSE = 0.1
_MOST_AHEAD = 32
_SPACE_LEFT_ALONE = 64 << 20


class Ahead:
    """Context manager: while it lasts, streams in `trace` that fill fast find pages for what comes."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace
        self._processes: dict[str, Progress] = {}
        self._changed = -1
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
            pass  # the trace has vanished, or the kernel can't: the recorder does without

    def _look(self) -> bool:
        """Have what is wanted; returns whether any stream has moved on."""
        changed = self._trace.stat().st_mtime_ns
        if changed != self._changed:
            self._changed = changed
            for process in os.scandir(self._trace):
                self._processes.setdefault(process.name, Progress(Path(process)))
        moved = [progress.keep_ahead() for progress in self._processes.values()]
        return any(moved)


class Progress:
    """How far the streams of one process are."""

    def __init__(self, process: Path) -> None:
        self._process = process
        self._lock = os.fspath(process / LOCK)
        self._told = b""
        self._packets = array("I")

    def keep_ahead(self) -> bool:
        """Have the pages that the streams will want; returns whether any of them has moved on."""
        told = self._read()
        if told == self._told:
            return False
        self._told = told
        before, self._packets = self._packets, _packets(told)
        for number, (now, then) in enumerate(zip_longest(self._packets, before, fillvalue=0)):
            if then and now > then:
                self._populate(number, now, min(2 * (now - then), _MOST_AHEAD))
        return True

    def _read(self) -> bytes:
        try:
            fd = os.open(self._lock, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return b""  # it has ended, or is about to begin
        try:
            return os.read(fd, _LARGEST)
        finally:
            os.close(fd)

    def _populate(self, number: int, first: int, count: int) -> None:
        fd = os.open(self._process / f"gil_{number}", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            begin = first * PACKET_SIZE
            end = min(begin + count * PACKET_SIZE, os.fstat(fd).st_size)
            space = os.fstatvfs(fd)
            if end > begin and space.f_bavail * space.f_frsize > _SPACE_LEFT_ALONE:
                with mmap.mmap(fd, end - begin, offset=begin) as pages:
                    pages.madvise(_MADV_POPULATE_WRITE)
        finally:
            os.close(fd)


def _packets(told: bytes) -> array[int]:
    """How many packets of each stream are ready, as the recorder tells it."""
    words = array("I")
    words.frombytes(told[: len(told) // 4 * 4])
    if len(words) <= _HEAD or words[0] != LOCK_MAGIC:
        return array("I")
    return words[_HEAD : _HEAD + words[1]]
