"""The program made from intervals in brief is the one that was made from tables of all intervals."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np

import analysis
from analysis.whatif.code import holds_of_threads, waits_for_threads
from analysis.whatif.pools import Pools
from analysis.whatif.predict import what_if
from analysis.whatif.program import Program, make_program
from analysis.whatif.recorded.from_tables import brief_of_tables
from analysis.whatif.recording import Recording
from tests.analysis.fold.both import from_tables
from tests.analysis.fold.recordings import record
from tests.analysis.whatif.of_tables import program as of_tables

_OF_ANOTHER_ORDER = {"more", "kind", "timed_begin", "timed_end", "timed_gil"}
_COLUMNS = {each.name for each in fields(Program)} - {"pools", "cpus", "remarks"}


def assert_same(one: Program, other: Program) -> None:
    for name in _COLUMNS:
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    for each in fields(Pools):
        assert np.array_equal(getattr(one.pools, each.name), getattr(other.pools, each.name)), each.name
    assert (one.cpus, one.remarks) == (other.cpus, other.remarks)


def test_programs_are_those_of_tables(tmp_path: Path) -> None:
    for seed in range(500, 540):
        path = record(tmp_path / str(seed), seed, seed % 2 == 1)
        trace, again = analysis.load(path), analysis.load(path)
        recording = Recording(trace)
        says = waits_for_threads(recording)
        free = holds_of_threads(recording, (trace.threads[seed % len(trace.threads)].name,))
        assert_same(
            make_program(trace, None, says, recording=recording),
            of_tables.make_program(again, None, None if says is None else says.astype(np.int64)),
        )
        assert_same(make_program(trace, free, recording=recording), of_tables.make_program(again, free))
        assert "columns" not in trace.__dict__


def test_intervals_in_brief_are_those_of_tables(tmp_path: Path) -> None:
    for seed in range(100, 130):
        trace = analysis.load(record(tmp_path / str(seed), seed, seed % 2 == 1))
        recording, tables = Recording(trace), brief_of_tables(trace)
        assert recording.from_streams
        for name in {each.name for each in fields(tables)} - _OF_ANOTHER_ORDER:
            assert np.array_equal(getattr(recording.brief, name), getattr(tables, name)), (seed, name)
        everything = 0, len(recording)
        assert np.array_equal(recording.brief.native(*everything), tables.native(*everything))
        for gil in trace.gils:
            assert np.array_equal(recording.timed_waits(gil), trace.timed_waits(gil))
        begun = np.delete(np.arange(len(recording)), tables.first[:-1])
        assert np.array_equal(recording.brief.kind[begun], tables.kind[begun])
        wait, frame = recording.wait_frames()
        known = trace.wait_frames >= 0
        assert np.array_equal(wait[frame >= 0], trace.intervals_by_column.waiting[known])
        assert np.array_equal(frame[frame >= 0], trace.wait_frames[known])


def test_a_trace_in_columns_is_told_by_tables(tmp_path: Path) -> None:
    for seed in range(7, 15):
        trace = analysis.load(record(tmp_path / str(seed), seed, True))
        tables = from_tables(trace)
        assert not Recording(tables).from_streams
        one, other = what_if(trace), what_if(tables)
        assert (one.replayed.wall, one.replayed.switches) == (other.replayed.wall, other.replayed.switches)
        assert (one.recorded.wait, one.recorded.switches) == (other.recorded.wait, other.recorded.switches)
