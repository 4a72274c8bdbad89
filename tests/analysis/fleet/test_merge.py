"""Sums of summaries: the same in whatever order they are added, and those of one fold."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

import analysis
from analysis.fleet import answer as fleets
from analysis.fleet import schema
from analysis.fleet.answer import answer
from analysis.fleet.difference import difference
from analysis.fleet.merge import MINUTE, Sums, keys_of, merge, sums
from analysis.fleet.summarise import summaries
from analysis.measures.histogram import RELATIVE_ERROR

from .programs import UTC, random_trace, trace

pytest.importorskip("pyarrow")


def rows_of(path: Path, **tags: str) -> list[dict[str, Any]]:
    return list(summaries(analysis.load(path), tags))


def in_order(of: Sums) -> list[list[Any]]:
    tables = (of.groups, of.lines, of.bins, of.extents, of.locks, of.members, of.minutes)
    return [sorted(map(repr, table.to_pylist())) for table in tables]


def test_order_and_grouping_do_not_matter(tmp_path: Path) -> None:
    rows = [
        row for seed in range(12) for row in rows_of(random_trace(tmp_path / f"{seed}", seed, "ab"[seed % 2]))
    ]
    keys = keys_of(["service", "line"])
    whole = sums(schema.table(rows), keys)
    shuffled = random.Random(1).sample(rows, len(rows))
    parts = [sums(schema.table(shuffled[at : at + 3]), keys) for at in range(0, len(rows), 3)]
    assert in_order(merge([merge(parts[:2]), merge(parts[2:])])) == in_order(whole)


def test_figures_are_those_of_the_traces(tmp_path: Path) -> None:
    """Ranked seconds are exact; percentiles within their error of all the waits' own."""
    traces = [analysis.load(random_trace(tmp_path / f"{seed}", seed)) for seed in range(12)]
    table = schema.table([row for each in traces for row in summaries(each, {})])
    by_line = answer(sums(table, keys_of(["function"])), ["function"])
    true: dict[str, int] = {}
    for each in traces:
        for line in analysis.code_blame(each).lines:
            name = f"{each.codes[line['code']].name}(), app.py" if line["code"] >= 0 else ""
            true[name] = true.get(name, 0) + int(line["waited"])
    assert {group.values[0]: group.waited for group in by_line.groups} == true
    ranked = [group.waited for group in by_line.groups]
    assert ranked == sorted(ranked, reverse=True)
    (everything,) = answer(sums(table, keys_of([])), []).groups
    waits = sorted(int(wait) for each in traces for wait in each.waits["duration"])
    assert everything.wait.count == len(waits) and everything.waited == sum(waits) == by_line.waited
    assert everything.wait.max == waits[-1]
    middle = (waits[(len(waits) - 1) // 2] + waits[len(waits) // 2]) / 2
    assert abs(everything.wait.p50 - middle) <= 2 * RELATIVE_ERROR * middle


def test_groups_count_hosts_and_processes(tmp_path: Path) -> None:
    rows = []
    for number, host in enumerate("aab"):
        rows += rows_of(trace(tmp_path / str(number), pids=(100 * number + 100,), host=host))
    found = answer(sums(schema.table(rows), keys_of(["service", "line"])), ["service", "line"])
    assert [(group.values, group.waited, group.hosts, group.processes) for group in found.groups] == [
        (("app.py", "work(), app.py:10"), 4500, 2, 3),
        (("app.py", "other(), lib.py:20"), 3000, 2, 3),
    ]
    assert (found.hosts, found.processes, found.summaries, found.life) == (2, 3, 3, 12_000)
    assert found.groups[0].rate == 4500 * fleets.HOUR / 12_000
    assert found.groups[0].share == 4500 / 7500


def test_waits_are_spread_over_the_minutes_of_a_window(tmp_path: Path) -> None:
    (row,) = rows_of(trace(tmp_path / "t"))
    row |= {"begin_ns": UTC // MINUTE * MINUTE + MINUTE // 2, "end_ns": UTC // MINUTE * MINUTE + 3 * MINUTE}
    total = sums(schema.table([row]), ("host",))
    found = sorted((cell["minute"] - UTC // MINUTE, cell["waited_ns"]) for cell in total.minutes.to_pylist())
    assert found == [(0, 500), (1, 1000), (2, 1000)]


def test_two_releases_side_by_side(tmp_path: Path) -> None:
    rows = []
    for number, (host, release) in enumerate([("a", "1"), ("b", "1"), ("a", "2"), ("b", "2")]):
        made = rows_of(trace(tmp_path / str(number), pids=(100 * number + 100,), host=host), release=release)
        for line in made[0]["lines"]:
            line["waited_ns"] *= 3 if release == "2" and line["function"] == "work" else 1
        rows += made
    by = ["release", "function"]
    shifts = difference(answer(sums(schema.table(rows), keys_of(by)), by), "release", "1", "2")
    hour = fleets.HOUR / 4000
    assert [(shift.values, shift.before, shift.after, shift.beyond_spread) for shift in shifts] == [
        (("work(), app.py",), (1500 * hour,) * 2, (4500 * hour,) * 2, True),
        (("other(), lib.py",), (1000 * hour,) * 2, (1000 * hour,) * 2, False),
    ]
    assert shifts[0].change == 3000 * hour


def test_a_host_without_the_service_says_nothing_of_it(tmp_path: Path) -> None:
    rows = [
        row
        for number, (release, service, host) in enumerate(
            [("1", "shop", "a"), ("2", "shop", "a"), ("2", "mail", "b")]
        )
        for row in rows_of(
            trace(tmp_path / str(number), pids=(100 + number,), host=host), release=release, service=service
        )
    ]
    by = ["service", "release", "function"]
    shifts = difference(answer(sums(schema.table(rows), keys_of(by)), by), "release", "1", "2")
    assert {(shift.values[0], len(shift.before), len(shift.after)) for shift in shifts} == {
        ("shop", 1, 1),
        ("mail", 0, 1),
    }
