"""The switch interval that a program set itself, by what its timed waits took."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import analysis
from analysis.amounts import Amounts
from analysis.measures.switch_interval import interval_of_process, intervals_in
from analysis.tables.gil.switch_interval import seen_interval
from tests.synthetic import TraceWriter

MS = 1_000_000


def seen(stated: int, lengths: list[int]) -> int:
    return seen_interval(stated, Amounts.of(np.array(lengths, np.int64)))


@pytest.mark.parametrize(
    ("stated", "length", "expected"),
    [
        (5 * MS, 5_060_000, 5 * MS),
        (5 * MS, 9 * MS, 5 * MS),  # a busy machine
        (5 * MS, 4_000_000, 5 * MS),  # a clock read late
        (5 * MS, 1_058_000, 1 * MS),
        (5 * MS, 10_060_000, 10 * MS),
        (5 * MS, 100_093_000, 100 * MS),
        (10_000, 75_000, 10_000),  # waking up takes longer than it
        (0, 5_061_234, 5 * MS),
        (0, 9, 9),
    ],
)
def test_seen(stated: int, length: int, expected: int) -> None:
    assert seen(stated, [length] * 10) == expected
    assert seen(stated, [length] * 9) == stated  # too few to tell


def test_a_tenth_decides() -> None:
    assert seen(5 * MS, [1 * MS] + [5 * MS] * 19) == 5 * MS
    assert seen(5 * MS, [1 * MS] * 4 + [9 * MS] * 16) == 1 * MS  # the others waited for a CPU as well


def write(path: Path, length: int, waits: int) -> analysis.Trace:
    """Two threads take turns, each after one timed wait of this length, ns."""
    with TraceWriter(path) as writer:
        process = writer.process(switch_interval_ns=5 * MS)
        events: list[tuple[int | str, ...]] = [(100, 0, "gil_acquired")]
        now, holder, other = 0, 100, 101
        for _ in range(waits):
            events.append((other, now + 10, "gil_wait"))
            events.append((other, now + 10 + length, "gil_timeout", 0, length))
            now += length + 20
            events.append((holder, now, "gil_released"))
            events.append((other, now + 5, "gil_acquired"))
            holder, other = other, holder
        process.events([*events, (holder, now + 50, "gil_released")]).stop(100, now + 60)
    return analysis.load(path)


def test_in_a_trace(tmp_path: Path) -> None:
    from analysis.report.summary import to_json
    from analysis.report.terminal import print_summary

    trace = write(tmp_path / "t", 1_058_000, 12)
    assert trace.processes[0].switch_interval == 5 * MS  # what it began with
    assert trace.switch_intervals == (1 * MS,)
    assert intervals_in(trace) == [1 * MS]
    assert interval_of_process(trace, 0) == 1 * MS
    text = io.StringIO()
    print_summary(trace, Console(file=text, width=200))
    assert "switch interval 1.00 ms" in text.getvalue()
    process = to_json(trace)["processes"][0]
    assert process["switch_interval_ns"] == 5 * MS
    assert process["gils"][0]["switch_interval_ns"] == 1 * MS


def test_too_few_in_a_trace(tmp_path: Path) -> None:
    assert write(tmp_path / "t", 1_058_000, 9).switch_intervals == (5 * MS,)
