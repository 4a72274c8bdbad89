"""What holds for every schedule that an interpreter can produce."""

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import given, settings

import analysis
from analysis import State
from tests.analysis.schedules import Schedule, schedules


@settings(max_examples=100, deadline=None)
@given(schedules())
def test_every_schedule(schedule: Schedule) -> None:
    with tempfile.TemporaryDirectory() as directory:
        stopper = schedule.events[0][0]
        assert isinstance(stopper, int)
        stop = stopper - 100 not in schedule.gone
        trace = analysis.load(schedule.finish(Path(directory) / "t", stop=stop))
    if not stop:  # the end is then the last event, not now
        schedule.now = trace.end
    assert analysis.validate(trace) == []

    intervals = trace.intervals
    assert (intervals["duration"] >= 0).all()
    for thread in trace.threads:
        mine = intervals[intervals["thread"] == thread.index]
        assert mine["start"][0] == thread.begin
        assert (mine["start"][1:] == mine["start"][:-1] + mine["duration"][:-1]).all()
        assert mine["start"][-1] + mine["duration"][-1] == thread.end

    statistics = analysis.statistics(trace)
    for of in statistics.threads:
        assert sum(of.time.values()) == of.lifetime
        assert of.wait.count == np.count_nonzero(trace.waits["thread"] == of.thread.index)
        assert of.counts.requested_releases + of.counts.voluntary_releases in (
            of.counts.acquires,
            of.counts.acquires - 1,
        )
        if stop:
            assert of.time == schedule.time[of.thread.tid - 100]
    assert statistics.time == {state: sum(of.time[state] for of in statistics.threads) for state in State}

    tid = [thread.tid - 100 for thread in trace.threads]
    pairs = Counter((tid[row["from_thread"]], tid[row["to_thread"]]) for row in trace.handoffs)
    assert pairs == Counter(schedule.handoffs)
    flow = {(tid[row["from_thread"]], tid[row["to_thread"]]): 0 for row in statistics.flow}
    for row in statistics.flow:
        flow[tid[row["from_thread"]], tid[row["to_thread"]]] += int(row["count"])
    assert flow == pairs
    for gil in statistics.gils:
        assert 0 <= gil.contended <= gil.duration
        assert 0 <= gil.held <= gil.duration
    assert (trace.handoffs["acquired"] >= trace.handoffs["released"]).all()
