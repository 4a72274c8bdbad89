"""One pass over the events says what the tables say, to the last digit."""

from pathlib import Path

import numpy as np
import pytest

import analysis
from analysis.reader.disk.packing import pack
from analysis.reader.format import PACKET_SIZE, Event
from tests.analysis.fold.both import (
    assert_told_alike,
    columns_are_equal,
    differences,
    from_tables,
    said,
)
from tests.analysis.fold.recordings import record
from tests.synthetic import TraceWriter

HUNDREDS = [(0, False), (200, True), (300, True)]


@pytest.mark.parametrize(("first", "scheduled"), HUNDREDS)
def test_random_recordings(tmp_path: Path, first: int, scheduled: bool) -> None:
    told = [
        assert_told_alike(analysis.load(record(tmp_path / str(seed), seed, scheduled)))
        for seed in range(first, first + 100)
    ]
    assert sum(told) >= 80  # the others have two takes at one time


def test_processes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams are looked through, and processes folded, in several threads: nothing that is said changes."""
    parts = 0
    for seed in range(40):
        path = record(tmp_path / str(seed), seed, seed % 2 == 1)
        alone = said(analysis.load(path))
        with monkeypatch.context() as patched:
            patched.setattr("analysis.parallel.WORTH_IT", 1)
            patched.setattr("os.cpu_count", lambda: 2)
            trace = analysis.load(path)
            assert not differences(said(trace), alone)
            parts += trace.folded is not None and len(trace.processes) > 1
    assert parts >= 10


def test_events_of_a_stream_are_as_if_it_had_been_read_into_columns(tmp_path: Path) -> None:
    for seed in range(30):
        path = record(tmp_path / str(seed), seed)
        assert columns_are_equal(analysis.load(path), analysis.load(path, salvage=True))


def test_many_packets_of_many_threads(tmp_path: Path) -> None:
    """Longer than a packet, than what is kept in memory at once, and than what distributions keep exactly."""
    turns, threads = 90_000, 3
    kinds = [Event.GIL_WAIT, Event.GIL_ACQUIRED, Event.GIL_RELEASED]
    random = np.random.default_rng(1)
    released = np.cumsum(random.integers(100, 100_000, turns * threads))
    held = random.integers(1, 90, turns * threads)
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        for thread in range(threads):
            mine = released[thread::threads]
            asked = np.concatenate([[0], mine[:-1] + 1])
            times = np.stack([asked, mine - held[thread::threads], mine], axis=1)
            process.columns(100 + thread, times.reshape(-1), np.tile(kinds, turns))
        process.stop(100, int(released[-1]) + 10)
    trace = analysis.load(tmp_path / "t")
    one, other = (analysis.statistics(each) for each in (trace, from_tables(trace)))
    assert trace.folded is not None
    assert (one.time, one.counts) == (other.time, other.counts)
    for exact in zip([*one.threads, *one.gils], [*other.threads, *other.gils], strict=True):
        for name in ("wait", "hold"):
            mine, tables = (getattr(each, name) for each in exact)
            assert (mine.count, mine.total, mine.mean, mine.min, mine.max) == (
                *(tables.count, tables.total, tables.mean, tables.min, tables.max),
            )
            for percentile in ("p50", "p90", "p99"):
                about = getattr(tables, percentile)
                assert abs(getattr(mine, percentile) - about) <= 0.001 * about
                if tables.count <= 100_000:
                    assert getattr(mine, percentile) == about
    assert one.wait.count == turns * threads
    assert np.array_equal(one.flow, other.flow)
    assert np.array_equal(analysis.blame(trace).table, analysis.blame(from_tables(trace)).table)
    assert analysis.wait_anatomy(trace) == analysis.wait_anatomy(from_tables(trace))


def test_two_takes_at_one_time_are_left_to_the_tables(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        process.events([(100, 10, "gil_acquired"), (100, 10, "gil_released"), (100, 10, "gil_acquired")])
        process.events([(100, 30, "gil_released")]).stop(100, 40)
    trace = analysis.load(tmp_path / "t")
    assert trace.folded is None
    assert analysis.statistics(trace).counts.acquires == 2


def test_parts_of_traces_and_salvaged_ones(tmp_path: Path) -> None:
    told = 0
    for seed in range(20):
        path = record(tmp_path / str(seed), seed, seed % 2 == 1)
        trace = analysis.load(path)
        middle = (trace.begin + trace.end) // 2
        parts = [trace.between(trace.begin, middle), trace.between(middle, trace.end)]
        told += sum(assert_told_alike(part) for part in (*parts, analysis.load(path, salvage=True)))
    assert told >= 50


def test_a_packed_trace(tmp_path: Path) -> None:
    pytest.importorskip("zstandard")
    path = record(tmp_path / "t", 5, True)
    with (tmp_path / "packed").open("xb") as file:
        pack(path, file)
    assert assert_told_alike(analysis.load(tmp_path / "packed"))


def test_events_that_are_missing_are_left_to_the_tables(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        process.events(
            [(100, time, "gil_acquired" if time % 2 else "gil_released") for time in range(1, 6000)]
        )
        process.stop(100, 6000)
    stream = tmp_path / "t" / "100" / "gil_0"
    data = bytearray(stream.read_bytes())
    data[PACKET_SIZE : PACKET_SIZE + 4] = b"none"
    stream.write_bytes(data)
    trace = analysis.load(tmp_path / "t", salvage=True)
    assert trace.skipped
    assert trace.folded is None or assert_told_alike(trace)


def test_a_trace_survives_its_directory(tmp_path: Path) -> None:
    path = record(tmp_path / "t", 5)
    trace, again = analysis.load(path), analysis.load(path)
    for file in path.rglob("gil_*"):
        file.unlink()
    assert trace.folded is not None
    assert assert_told_alike(again)
