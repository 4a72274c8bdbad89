"""Patterns of locks: synthetic traces that have one, and their neighbours on both sides that don't."""

from __future__ import annotations

from pathlib import Path

import pytest

import analysis
from tests.analysis.lock_scenes import line_up, pauses

US = 1_000


def names(path: Path) -> dict[str, analysis.Pattern]:
    trace = analysis.load(path)
    assert analysis.validate(trace) == []
    return {pattern.name: pattern for pattern in analysis.patterns(trace)}


@pytest.mark.parametrize(
    ("rounds", "gap", "is_one"),
    [(10, 0, True), (9, 0, False), (40, 200 * US, True), (40, 500 * US, False)],
)
def test_lock_queue(tmp_path: Path, rounds: int, gap: int, is_one: bool) -> None:
    """Ten waits show something, nine don't; a sixth of two lives does, a twelfth does not."""
    found = names(line_up(tmp_path / "t", rounds, 100 * US, gap))
    assert ("lock queue" in found) == is_one
    if is_one:
        pattern = found["lock queue"]
        assert pattern.figures == {"waits": rounds, "waited_ns": rounds * 100 * US,
                                   "contended_ns": rounds * 100 * US}  # fmt: skip
        assert pattern.threads == (1, 2)
        assert "Lock, take(), app.py:11" in pattern.sentence


def test_a_condition_is_no_queue(tmp_path: Path) -> None:
    assert "lock queue" not in names(line_up(tmp_path / "t", 40, 100 * US, kind="condition"))


@pytest.mark.parametrize(("of_gil", "is_one"), [(0.5, True), (0.31, True), (0.29, False), (0.0, False)])
def test_lock_and_gil_convoy(tmp_path: Path, of_gil: float, is_one: bool) -> None:
    found = names(line_up(tmp_path / "t", 20, 100 * US, of_gil=of_gil))
    assert ("lock and GIL convoy" in found) == is_one
    if is_one:
        figures = found["lock and GIL convoy"].figures
        assert figures["waited_ns"] == 20 * 100 * US
        assert figures["holder_waited_ns"] == 20 * (int(of_gil * 100 * US) - 1)


@pytest.mark.parametrize(
    ("number", "gap", "is_one"),
    [(10, 900 * US, True), (9, 900 * US, False), (40, 1_800 * US, True), (40, 2_000 * US, False)],
)
def test_stop_the_world_storm(tmp_path: Path, number: int, gap: int, is_one: bool) -> None:
    found = names(pauses(tmp_path / "t", number, 100 * US, gap))
    assert ("stop-the-world storm" in found) == is_one
    if is_one:
        pattern = found["stop-the-world storm"]
        assert pattern.figures == {"pauses": number, "paused_ns": number * 100 * US,
                                   "stood_ns": 2 * number * 100 * US}  # fmt: skip
        assert "give(), app.py:32" in pattern.sentence
