"""Summaries of a recording while it goes on: stretch after stretch, and nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest

import analysis
from analysis.errors import GilscopeError
from analysis.fleet import fleet, schema
from analysis.live.summaries import Summaries
from analysis.reader.format import EVENTS_PER_PACKET
from analysis.tables.load import known_from
from tests.analysis.fleet.programs import UTC, random_trace, trace
from tests.analysis.tables.test_window import two_threads
from tracer.keep.streams import Streams

pytest.importorskip("pyarrow")


def test_stretches_add_up_to_the_recording(tmp_path: Path) -> None:
    path = random_trace(tmp_path / "t.trace", 3)
    whole = fleet([str(path)], by=["function"])
    made = Summaries(path, str(tmp_path / "out"), 0, 50_000, {"release": "1"})
    loaded = analysis.load(path)
    written = []
    for now in range(50_000, loaded.end + 50_000, 50_000):
        assert made.due(now)
        written.append(made.write(now))
    assert None not in written and len(set(written)) == len(written) > 1
    found = fleet([str(tmp_path / "out")], by=["function"])
    assert not found.problems
    # (Code is told by a hold's end where there are no samples, also where that lies in the next stretch.)
    assert [(group.values, group.waited) for group in found.groups] == [
        (group.values, group.waited) for group in whole.groups
    ]
    assert (found.waited, found.held, found.processes) == (whole.waited, whole.held, 1)
    tags = {row["tags"][0] for path in written if path for row in schema.read(path).to_pylist()}
    assert tags == {("release", "1")}


def test_a_stretch_is_due_when_it_is_over_and_nothing_is_no_file(tmp_path: Path) -> None:
    path = trace(tmp_path / "t.trace", start=1_000_000)
    made = Summaries(path, str(tmp_path / "out"), 0, 60_000, {})
    assert not made.due(59_999) and made.due(60_000)
    assert made.write(60_000) is None
    assert not list((tmp_path / "out").iterdir())


def test_time_that_could_not_be_told_of_is_told_of_later(tmp_path: Path) -> None:
    made = Summaries(tmp_path / "t.trace", str(tmp_path / "out"), 0, 1000, {})
    with pytest.raises(GilscopeError):
        made.write(1000)
    trace(tmp_path / "t.trace")
    assert made.write(4000) is not None
    assert fleet([str(tmp_path / "out")], by=["host"]).waited == 2500


def test_what_was_given_up_before_it_was_told_of_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "t.trace"
    whole = two_threads(path, 4 * EVENTS_PER_PACKET)
    made = Summaries(path, str(tmp_path / "out"), 0, whole.end, {})
    streams = Streams(path)
    streams.look()
    streams.give_up_before(whole.end // 2)
    since = known_from(path)
    written = made.write(whole.end)
    assert since is not None and written is not None and made.lost == since > 0
    (row,) = schema.read(written).to_pylist()
    assert (row["begin_ns"], row["end_ns"]) == (UTC + since, UTC + whole.end)
    assert row["held_ns"] == analysis.statistics(whole.between(since, whole.end)).hold.total
