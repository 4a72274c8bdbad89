"""Files of the trace for processes that may not make them: the program was started as root and is no more.

A server binds its port as root and then takes another user's rights (setuid), or another root directory
(chroot). Its recorder asks here, over a socket whose name is in no file system; it proves that it is ours by
what only our processes know, and gets the open file (tracer/native/stream/broker.c is the other end).
"""

from __future__ import annotations

import errno
import hmac
import os
import re
import secrets
import signal
import socket
import struct
import threading
from pathlib import Path
from types import TracebackType

_REQUEST = struct.Struct("=32sI64s")
_OPEN, _CREATE, _DIRECTORY = range(3)
_NAME = re.compile(r"([1-9][0-9]*(?:_[1-9][0-9]*)?)(?:/(metadata|names|samples|\.lock|[a-z]+_[0-9]+))?")
_PATIENCE = 0.5


class Broker:
    """Context manager: while it lasts, makes files in `trace` for its processes.

    Attributes
    ----------
    address : str
        What a process must know to ask; "": nobody can need it, the launcher is not root.
    """

    def __init__(self, trace: Path) -> None:
        self._trace = trace
        self._proof = secrets.token_hex(16)
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)
        self.address = ""

    def __enter__(self) -> Broker:
        if os.geteuid() != 0:
            return self
        name = "gilscope-" + secrets.token_hex(16)
        try:
            self._directory = os.open(self._trace, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            listening.bind("\0" + name)
            listening.listen(64)
        except OSError:
            return self  # then those processes are not recorded any further, and the trace says so
        self._socket = listening
        self.address = f"{name}:{self._proof}"
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self._thread.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket is not None:
            self._socket.shutdown(socket.SHUT_RDWR)  # accept returns
            self._thread.join()
            self._socket.close()
            os.close(self._directory)

    def _run(self) -> None:
        assert self._socket is not None
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(_PATIENCE)
                try:
                    self._answer(connection)
                except OSError:
                    pass  # it has gone

    def _answer(self, connection: socket.socket) -> None:
        request = connection.recv(_REQUEST.size + 1)
        if len(request) != _REQUEST.size:
            return
        proof, kind, name = _REQUEST.unpack(request)
        if not hmac.compare_digest(proof, self._proof.encode()):
            return
        try:
            fd = self._make(kind, name.rstrip(b"\0").decode("ascii", "replace"))
        except OSError as error:
            connection.send(struct.pack("=i", error.errno or errno.EIO))
            return
        try:
            socket.send_fds(connection, [struct.pack("=i", 0)], [fd] if fd is not None else [])
        finally:
            if fd is not None:
                os.close(fd)

    def _make(self, kind: int, name: str) -> int | None:
        """Return a new or open file of the trace, or make a directory."""
        parts = _NAME.fullmatch(name)
        if parts is None or (parts[2] is None) != (kind == _DIRECTORY):
            raise OSError(errno.EPERM, "no name in a trace")
        if kind == _DIRECTORY:
            os.mkdir(name, 0o700, dir_fd=self._directory)
            return None
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT | os.O_EXCL if kind == _CREATE else 0)
        process = os.open(parts[1], os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=self._directory)
        try:
            return os.open(parts[2], flags, 0o600, dir_fd=process)
        finally:
            os.close(process)
