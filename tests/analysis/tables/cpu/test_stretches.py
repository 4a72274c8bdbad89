"""When tasks had a CPU: what is written down in one go is what the columns of all gaps say."""

from pathlib import Path

import numpy as np
import pytest

import analysis
from tests.analysis.fold.recordings import record
from tests.analysis.scenes import one_thread
from tests.analysis.tables.cpu import slow_stretches as slow
from tests.synthetic import TraceWriter


def test_stretches_are_those_of_all_gaps_by_column(tmp_path: Path) -> None:
    losses = count = 0
    for seed in range(20):
        trace = analysis.load(record(tmp_path / str(seed), seed, scheduled=True))
        told = trace.stretches
        if trace.scheduling is None or trace.on_cpus is None or told is None:
            continue
        if seed % 2:  # given up, they are made again
            trace.on_cpus.give_up()
            told, before = trace.stretches, told
            assert told is not None
            assert told is not before
        start, duration, state, cpu, preempted, first = slow.make_stretches(trace.scheduling)
        assert np.array_equal(told.start, start)
        assert np.array_equal(told.duration, duration)
        assert np.array_equal(told.state, state)
        assert np.array_equal(told.cpu, cpu)
        assert np.array_equal(told.preempted, preempted)
        assert np.array_equal(told.first, first)
        losses += len(trace.scheduling.losses)
        count += len(start)
    assert losses > 5
    assert count > 1_000


@pytest.mark.parametrize(("cpu", "each"), [(127, 1), (128, 2), (8191, 2)])
def test_columns_are_as_narrow_as_cpus_allow(tmp_path: Path, cpu: int, each: int) -> None:
    """Millions of stretches are what a picture takes most memory for: eight bytes and some bits for each."""
    one_thread(tmp_path / "t", 1000)
    with TraceWriter(tmp_path / "t") as writer:
        sched = writer.scheduler(0)
        for turn in range(16):
            sched.events(cpu, [(40 * turn, "in", 7), (40 * turn + 10, "preempted", 7)])
            sched.events(0, [(40 * turn + 20, "in", 7), (40 * turn + 30, "out", 7)])
        sched.task(7, 0, 7, "a").stop(1000)
    trace = analysis.load(tmp_path / "t")
    told = trace.stretches
    assert told is not None and trace.scheduling is not None
    assert trace.scheduling.cpu.itemsize == told.cpu.itemsize == each
    assert told.preempted_bits.nbytes == (len(told.start) + 7) // 8
    rows = trace.on_cpu[["start", "duration", "cpu", "preempted"]].tolist()
    assert rows[:2] == [(0, 10, cpu, True), (20, 10, 0, False)]
    assert rows[2:] == [(start + 40, *rest) for start, *rest in rows[:-2]]
    assert len(rows) == 32
