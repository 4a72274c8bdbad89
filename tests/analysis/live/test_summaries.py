"""Summaries of a recording while it goes on: stretch after stretch, and nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest

import analysis
from analysis.errors import GilscopeError
from analysis.fleet import fleet, schema
from analysis.live.summaries import Summaries
from tests.analysis.fleet.programs import random_trace, trace

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
