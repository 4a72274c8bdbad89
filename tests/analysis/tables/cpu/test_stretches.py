"""When tasks had a CPU: what is written down in one go is what the columns of all gaps say."""

from pathlib import Path

import numpy as np

import analysis
from tests.analysis.fold.recordings import record
from tests.analysis.tables.cpu import slow_stretches as slow


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
