"""The program made from intervals in brief is the one that was made from tables of all intervals."""

from __future__ import annotations

import json
import zlib
from dataclasses import fields
from pathlib import Path

import numpy as np

import analysis
from analysis import Trace
from analysis.whatif.code import holds_of_threads, waits_for_threads
from analysis.whatif.predict import what_if
from analysis.whatif.program import Program, make_program
from analysis.whatif.recording import Recording, _of_tables
from analysis.whatif.replay import Scenario
from tests.analysis.fold.recordings import record

FROM_TABLES = Path(__file__).with_name("from_tables.json")
"""By seed: checksums of the program, and of that without the GIL for a thread, as a build made them that had
tables of all intervals; wall time, switches and wait of what was recorded, replayed, and at 1 µs."""


def checksum(program: Program) -> int:
    columns = [getattr(program, each.name) for each in fields(program) if each.name not in _OTHERS]
    pools = [program.pools.first, program.pools.value, program.pools.interval, program.pools.in_calls]
    crc = 0
    for column in [*columns, *pools, program.essential]:
        crc = zlib.crc32(np.ascontiguousarray(column, np.int64).tobytes(), crc)
    return zlib.crc32("\n".join(program.remarks).encode(), crc)


_OF_ANOTHER_ORDER = {"wait", "frame", "kind", "timed_begin", "timed_end", "timed_gil"}
_OTHERS = ("pools", "interval", "essential", "cpus", "remarks")


def told(trace: Trace, seed: int) -> list[object]:
    recording = Recording(trace)
    says = waits_for_threads(recording)
    free = holds_of_threads(recording, (trace.threads[seed % len(trace.threads)].name,))
    result = what_if(trace, Scenario(interval=1000))
    return [
        checksum(make_program(trace, None, says)),
        checksum(make_program(trace, free, says)),
        *(
            [each.wall, each.switches, each.wait.total]
            for each in (result.recorded, result.replayed, result.predictions[0][1])
        ),
    ]


def test_programs_are_those_of_tables(tmp_path: Path) -> None:
    expected = json.loads(FROM_TABLES.read_text())
    for seed in range(len(expected)):
        trace = analysis.load(record(tmp_path / str(seed), seed, seed % 2 == 1))
        assert told(trace, seed) == expected[str(seed)], seed
        assert "columns" not in trace.__dict__


def test_intervals_in_brief_are_those_of_tables(tmp_path: Path) -> None:
    for seed in range(100, 130):
        trace = analysis.load(record(tmp_path / str(seed), seed, seed % 2 == 1))
        recording, tables = Recording(trace), _of_tables(trace)
        assert recording.from_streams
        for name in {each.name for each in fields(tables)} - _OF_ANOTHER_ORDER:
            assert np.array_equal(getattr(recording.brief, name), getattr(tables, name)), (seed, name)
        for gil in trace.gils:
            assert np.array_equal(recording.timed_waits(gil), trace.timed_waits(gil))
        begun = np.delete(np.arange(len(recording)), tables.first[:-1])
        assert np.array_equal(recording.brief.kind[begun], tables.kind[begun])
        wait, frame = recording.wait_frames()
        known = trace.wait_frames >= 0
        assert np.array_equal(wait[frame >= 0], trace.intervals_by_column.waiting[known])
        assert np.array_equal(frame[frame >= 0], trace.wait_frames[known])


def test_a_part_of_a_trace_is_told_by_tables(tmp_path: Path) -> None:
    trace = analysis.load(record(tmp_path / "t", 7, True))
    part = trace.between(trace.begin, trace.end)
    assert not Recording(part).from_streams
    one, other = what_if(trace), what_if(part)
    assert (one.replayed.wall, one.replayed.switches) == (other.replayed.wall, other.replayed.switches)
