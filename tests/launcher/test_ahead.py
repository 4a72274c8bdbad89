"""Packets written ahead of the program: whole ones only, also where files may not grow."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from tracer import ahead
from tracer.directory import PACKET_SIZE

LIMITS = [(200_000, 6), (3 * PACKET_SIZE, 3), (resource.RLIM_INFINITY, 7)]


@pytest.mark.parametrize(("limit", "packets"), LIMITS)
def test_only_whole_packets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, packets: int
) -> None:
    """Two were filled between two looks: so four more are wanted, if that many may be there."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    path = tmp_path / "gil_0"
    stream = ahead._Stream(str(path), "100")
    full = bytearray(PACKET_SIZE)
    ahead._CONTENT_SIZE.pack_into(full, ahead._CONTENT_SIZE_AT, ahead._EMPTY + 1)
    path.write_bytes(full)
    assert stream.keep_ahead()
    path.write_bytes(full * 3)
    assert stream.keep_ahead()
    assert path.stat().st_size == packets * PACKET_SIZE
