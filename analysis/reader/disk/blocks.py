"""Packets of a stream as columns: what a packed trace holds in place of them.

Events of a stream follow each other closely, so the differences of their times are small numbers. The bytes
of a column are laid out plane by plane (all lowest bytes, then all second ones ...), without the planes at
the top that are all zeros.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import numpy as np

from ...arrays import Bytes
from ..format import EVENT_RECORD, EVENT_SIZE, EVENTS_PER_PACKET, HEADER_SIZE, PACKET_HEADER, PACKET_SIZE

PACKETS: Final = 64
"""Of a block, at most."""

_SHAPE: Final = struct.Struct("<IIQ4B")  # packets, events, first time, planes of time, id, gil, arg
_COLUMNS: Final = (("timestamp", "<u8"), ("id", "<u2"), ("gil", "<u2"), ("arg", "<u4"))


def to_columns(packets: Bytes) -> bytes | None:
    """Return whole packets, uint8 of shape (n, PACKET_SIZE), by column; None: they are no packets of events.

    Nothing may be lost, so neither are they if something lies behind their content.
    """
    headers = np.ascontiguousarray(packets[:, :HEADER_SIZE])
    content = headers.view(PACKET_HEADER)["content_size"][:, 0]
    bytes_used = content // 8
    if ((content % 8 != 0) | (bytes_used < HEADER_SIZE) | (bytes_used > PACKET_SIZE)).any():
        return None
    counts, rest = np.divmod(bytes_used.astype(np.int64) - HEADER_SIZE, EVENT_SIZE)
    partial = np.flatnonzero(counts != EVENTS_PER_PACKET).tolist()
    if rest.any() or any(packets[at, int(bytes_used[at]) :].any() for at in partial):
        return None
    events: Any = np.ascontiguousarray(packets[:, HEADER_SIZE:]).view(EVENT_RECORD)
    if partial:
        events = np.concatenate([row[:count] for row, count in zip(events, counts.tolist(), strict=True)])
    events = events.reshape(-1)
    time = np.ascontiguousarray(events["timestamp"])
    first = int(time[0]) if len(time) else 0
    columns = [np.diff(time, prepend=time[:1]), *(events[name] for name, _ in _COLUMNS[1:])]
    planes = [_planes(column) for column in columns]
    shape = _SHAPE.pack(len(packets), len(events), first, *map(len, planes))
    return b"".join([shape, headers.T.tobytes(), *(plane.tobytes() for plane in planes)])


def from_columns(data: bytes) -> Bytes:
    """Return the packets that `to_columns` was given.

    Raises
    ------
    ValueError
        It is no such data.
    """
    if len(data) < _SHAPE.size:
        raise ValueError("no columns")
    packets, count, first, *widths = _SHAPE.unpack_from(data)
    sizes = [np.dtype(kind).itemsize for _, kind in _COLUMNS]
    length = _SHAPE.size + packets * HEADER_SIZE + count * sum(widths)
    if packets > PACKETS or len(data) != length or any(map(int.__gt__, widths, sizes)):
        raise ValueError("columns of other lengths than they say")
    made = np.zeros((packets, PACKET_SIZE), np.uint8)
    at = _SHAPE.size + packets * HEADER_SIZE
    headers = np.frombuffer(data, np.uint8, packets * HEADER_SIZE, _SHAPE.size)
    made[:, :HEADER_SIZE] = headers.reshape(HEADER_SIZE, packets).T
    events = np.empty(count, EVENT_RECORD)
    for (name, kind), width in zip(_COLUMNS, widths, strict=True):
        column = np.zeros((count, np.dtype(kind).itemsize), np.uint8)
        column[:, :width] = np.frombuffer(data, np.uint8, count * width, at).reshape(width, count).T
        at += count * width
        events[name] = column.view(kind)[:, 0]
    if count:
        events["timestamp"][0] = first
        np.cumsum(events["timestamp"], out=events["timestamp"])
    used = made[:, :HEADER_SIZE].copy().view(PACKET_HEADER)["content_size"][:, 0] // 8
    counts = (used.astype(np.int64) - HEADER_SIZE) // EVENT_SIZE
    if (counts < 0).any() or (counts > EVENTS_PER_PACKET).any() or counts.sum() != count:
        raise ValueError("headers that do not fit the events")
    raw = events.view(np.uint8)
    if (counts == EVENTS_PER_PACKET).all():
        made[:, HEADER_SIZE:] = raw.reshape(packets, -1)
        return made
    begin = 0
    for row, size in zip(made, (counts * EVENT_SIZE).tolist(), strict=True):
        row[HEADER_SIZE : HEADER_SIZE + size] = raw[begin : begin + size]
        begin += size
    return made


def _planes(column: Any) -> Bytes:
    """Return the bytes of whole numbers: the lowest of all first, up to the last that is not 0."""
    top = int(column.max(initial=0))
    width = (top.bit_length() + 7) // 8
    flat = np.ascontiguousarray(column)
    return np.ascontiguousarray(flat.view(np.uint8).reshape(len(flat), flat.itemsize)[:, :width].T)
