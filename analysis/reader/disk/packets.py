"""A stream file as packets: mapped, not read; headers checked before anything in them is believed."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ...arrays import Bools, Bytes, Int64s, Table
from ...errors import TraceFormatError
from ..format import CTF_MAGIC, HEADER_SIZE, PACKET_HEADER, PACKET_SIZE, UNUSED_TIMESTAMP
from ..problems import Problems
from .files import open_file, used_size

_MAX_TIME = UNUSED_TIMESTAMP
_CONTENT_MAX = 8 * PACKET_SIZE
_CONTENT_MIN = 8 * HEADER_SIZE


@dataclass(frozen=True)
class Packets:
    """The used packets of a file.

    `data` is uint8 of shape (packets, PACKET_SIZE); `headers` a copy of their headers; `content` the used
    bytes after each header; `discarded` the events lost by the end of the file.
    """

    path: Path
    data: Bytes
    headers: Table
    content: Int64s
    discarded: int
    cut: bool
    """Something after these packets was skipped."""
    begun: bool = False
    """There are packets before these, which were left out on purpose."""

    def __len__(self) -> int:
        return len(self.data)

    def give_back(self) -> None:
        """Let go of the memory that the packets were read into: it is there again when they are looked at."""
        base: Any = self.data
        while base is not None and not isinstance(base, mmap.mmap):
            base = getattr(base, "base", None)
        if base is not None and len(self.data):
            begin = self.data.ctypes.data - np.frombuffer(base, np.uint8).ctypes.data
            begin -= begin % mmap.PAGESIZE
            base.madvise(mmap.MADV_DONTNEED, begin, len(self.data) * PACKET_SIZE)


EVER: Final = (0, UNUSED_TIMESTAMP)
"""The window of time that is all of it."""


def read_packets(
    path: Path,
    *,
    stream_class: int,
    pid: int | None,
    problems: Problems,
    within: tuple[int, int] = EVER,
    before: int = 0,
) -> Packets:
    """Map a stream file and check the headers of its packets; those that are not about `within` are not read.

    The packet that begins last before it is read too: a thread may have done nothing since.

    A packet that was prepared ahead and never used is no content; nor is a tail of zeros, which a process
    leaves that was killed while it prepared one. A pid None: any. The packets `before` are left out; so are
    those that a flight recorder gave up.
    """
    skipped = len(problems.skipped)
    data = _whole_packets(path, problems)
    gone = max(given_up(data), before)
    data = data[gone:]
    first = 0
    if within != EVER:
        first = max(_begun_by(data, within[0]) - 1, 0)
        data = data[first : _begun_by(data, within[1])]
    headers = data[:, :HEADER_SIZE].copy().view(PACKET_HEADER)[:, 0]
    zeros = np.flatnonzero(headers["magic"] == 0)
    if len(zeros) and not data[zeros[0] :].any():
        data, headers = data[: zeros[0]], headers[: zeros[0]]
    good = _check(path, headers, stream_class, pid, problems)
    data, headers = data[:good], headers[:good]
    used = np.flatnonzero(headers["content_size"] > _CONTENT_MIN)
    discarded = int(headers["events_discarded"].max(initial=0))
    end = int(used[-1]) + 1 if len(used) else 0
    content = headers["content_size"][:end].astype(np.int64) // 8 - HEADER_SIZE
    return Packets(
        path, data[:end], headers[:end], content, discarded, len(problems.skipped) > skipped, first + gone > 0
    )


def given_up(data: Bytes) -> int:
    """Return how many packets are gone: the first one stands for them, itself among them."""
    if not len(data):
        return 0
    header = data[0, :HEADER_SIZE].view(PACKET_HEADER)[0]
    if header["magic"] != CTF_MAGIC or header["given_up"] != 1:
        return 0
    return min(max(int(header["packet_size"]) // _CONTENT_MAX, 1), len(data))


def _whole_packets(path: Path, problems: Problems) -> Bytes:
    try:
        with open_file(path) as file:
            size = used_size(file.fileno())
            mapped = np.memmap(file, np.uint8, "r", shape=(size,)) if size else np.empty(0, np.uint8)
    except TraceFormatError as wrong:
        problems.report(wrong, "the file")
        return np.empty((0, PACKET_SIZE), np.uint8)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        problems.report(TraceFormatError(path, reason, "a readable stream file"), "the file")
        return np.empty((0, PACKET_SIZE), np.uint8)
    data = mapped.view(np.ndarray)
    whole = len(data) // PACKET_SIZE
    if data[whole * PACKET_SIZE :].any():
        problems.report(
            TraceFormatError(path, f"{size} bytes", f"a multiple of {PACKET_SIZE}", f"packet {whole}"),
            f"the {size - whole * PACKET_SIZE} bytes from packet {whole} on",
        )
    return data[: whole * PACKET_SIZE].reshape(whole, PACKET_SIZE)


def _begun_by(data: Bytes, time: int) -> int:
    """Return how many packets begin at `time` or before: by their order, without a look at each."""
    low, high = 0, len(data)
    while low < high:
        middle = (low + high) // 2
        header = data[middle, :HEADER_SIZE].view(PACKET_HEADER)[0]
        if header["magic"] == CTF_MAGIC and header["timestamp_begin"] <= time:
            low = middle + 1
        else:
            high = middle
    return low


def _check(path: Path, headers: Table, stream_class: int, pid: int | None, problems: Problems) -> int:
    """Return how many packets can be believed, from the first on."""
    begin, end, content = headers["timestamp_begin"], headers["timestamp_end"], headers["content_size"]
    used = content > _CONTENT_MIN
    checks: list[tuple[str, Bools, str]] = [
        ("magic", headers["magic"] != CTF_MAGIC, f"{CTF_MAGIC:#x}"),
        ("stream_class", headers["stream_class"] != stream_class, f"{stream_class}"),
        ("packet_size", headers["packet_size"] != _CONTENT_MAX, f"{_CONTENT_MAX}"),
        (
            "content_size",
            (content < _CONTENT_MIN) | (content > _CONTENT_MAX) | (content % 8 != 0),
            f"{_CONTENT_MIN} to {_CONTENT_MAX} in whole bytes",
        ),
        ("pid", headers["pid"] != (headers["pid"] if pid is None else pid), f"{pid} as in metadata"),
        ("timestamp_begin", used & (begin >= _MAX_TIME), "a time"),
        ("timestamp_end", used & ((end < begin) | (end >= _MAX_TIME)), "one after timestamp_begin"),
        ("events_discarded", _decreases(headers["events_discarded"], used), "a count that never decreases"),
    ]
    wrong: list[tuple[int, str, Any, str]] = [
        (int(at), field, headers[field][at], expected)
        for field, bad, expected in checks
        if bad.any()
        for at in [np.argmax(bad)]
    ]
    if not wrong:
        return len(headers)
    at, field, value, expected = min(wrong, key=lambda item: item[0])
    shown = hex(value) if field == "magic" else value
    error = TraceFormatError(path, f"{field} {shown}", expected, f"packet {at}")
    problems.report(error, f"packets {at} to {len(headers) - 1}")
    return at


def _decreases(count: npt.NDArray[np.uint64], used: Bools) -> Bools:
    """A packet prepared ahead gets its count when it is used."""
    bad = np.zeros(len(count), bool)
    at = np.flatnonzero(used)
    bad[at[1:]] = count[at[1:]] < count[at[:-1]]
    return bad
