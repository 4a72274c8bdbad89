from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from plots.timeaxis import TimeFormatter, duration, parse_time, set_time_axis, unit_for

NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("12ms", 12_000_000),
        ("1.5s", 1_500_000_000),
        ("300us", 300_000),
        ("300µs", 300_000),
        ("40ns", 40),
        ("0.25", 250_000_000),
        (" 2 s ", 2_000_000_000),
        ("1e-3", 1_000_000),
        (".5ms", 500_000),
        ("0", 0),
        ("1.000000001s", 1_000_000_001),  # exact: no float in between
    ],
)
def test_parse_time(text: str, ns: int) -> None:
    assert parse_time(text) == ns


@pytest.mark.parametrize("text", ["", "ms", "-3ms", "1m", "1 2", "nan", "inf", "1e999", "0x10", "1.5.2"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="not a time"):
        parse_time(text)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ns"),
        (7, "7 ns"),
        (999.6, "1 µs"),
        (4_800, "4.8 µs"),
        (5_000_000, "5 ms"),
        (232_012_000, "232 ms"),
        (999_600_000, "1 s"),
        (1_256_000_000, "1.26 s"),
        (3_723_000_000_000, "3723 s"),
    ],
)
def test_duration(ns: float, text: str) -> None:
    assert duration(ns) == text.replace(" ", NBSP)


@pytest.mark.parametrize(
    ("span", "unit"),
    [(1, "ns"), (1999, "ns"), (2000, "µs"), (2_000_000, "ms"), (1_999_000_000, "ms"), (2_000_000_000, "s")],
)
def test_unit_for(span: int, unit: str) -> None:
    assert unit_for(span)[0] == unit


def test_ticks_of_one_axis_have_the_same_decimals() -> None:
    assert TimeFormatter(10**6).format_ticks([0, 500_000, 1_000_000]) == ["0.0", "0.5", "1.0"]
    assert TimeFormatter(10**6).format_ticks([0, 50_000_000]) == ["0", "50"]
    assert TimeFormatter(10**3, base=10**9).format_ticks([10**9, 10**9 + 2500]) == ["0.0", "2.5"]


@pytest.mark.parametrize(
    ("start", "end", "label"),
    [
        (0, 232_000_000, "time (ms)"),
        (0, 40_000_000_000, "time (s)"),
        (0, 900, "time (ns)"),
        (100_000_000, 130_000_000, "time (ms)"),
    ],
)
def test_the_axis_is_named(start: int, end: int, label: str) -> None:
    axes = Figure().add_subplot()
    axes.set_xlim(start, end)
    set_time_axis(axes, start, end)
    assert axes.get_xlabel() == label


def test_deep_in_a_long_trace_ticks_count_from_a_time_that_the_axis_names() -> None:
    start, end = 3_600_000_123_456, 3_600_000_193_456
    axes = Figure().add_subplot()
    axes.set_xlim(start, end)
    set_time_axis(axes, start, end)
    ticks = [t for t in axes.get_xticks() if start <= t <= end]
    labels = axes.xaxis.get_major_formatter().format_ticks(ticks)
    assert labels[0] == "0"
    assert max(map(len, labels)) <= 3
    assert axes.get_xlabel() == f"time (µs after 3600.00013{NBSP}s)"
    assert int(ticks[0]) == 3_600_000_130_000
