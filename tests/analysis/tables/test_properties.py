"""What holds for every schedule that an interpreter can produce."""

import tempfile
from collections import Counter
from itertools import cycle
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings

import analysis
from analysis import State
from tests.analysis.schedules import Schedule, schedules
from tests.synthetic import TraceWriter


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


@settings(max_examples=60, deadline=None)
@given(schedules(), st.data())
def test_every_schedule_on_cpus(schedule: Schedule, data: st.DataObject) -> None:
    """Each thread has a CPU of its own, or none: its states are those of the GIL, cut by these stretches."""
    stopper = schedule.events[0][0]
    assert isinstance(stopper, int)
    stop = stopper - 100 not in schedule.gone
    on: dict[int, list[tuple[int, int]]] = {}
    slept: dict[int, bool] = {}
    with tempfile.TemporaryDirectory() as directory:
        path = schedule.finish(Path(directory) / "t", stop=stop)
        with TraceWriter(path) as writer:
            sched = writer.scheduler(0)
            for thread in schedule.begun:
                pieces = st.lists(st.integers(0, schedule.now + 5), min_size=2, max_size=16, unique=True)
                times = sorted(data.draw(pieces))
                on[100 + thread] = list(zip(times[::2], times[1::2], strict=False))
                leaves = data.draw(st.sampled_from(["out", "preempted"]))
                slept[100 + thread] = leaves == "out"
                events = [(time, what, 100 + thread) for time, what in zip(times, cycle(["in", leaves]))]
                if len(times) % 2:
                    on[100 + thread].append((times[-1], schedule.now + 10))
                sched.events(thread, events).task(100 + thread, 0, 100, "python")
            sched.stop(schedule.now + 10)
        trace = analysis.load(path)
    assert analysis.validate(trace) == []
    figures = analysis.statistics(trace)
    for of in figures.threads:
        mine = trace.intervals[trace.intervals["thread"] == of.thread.index]
        assert mine["start"][0] == of.thread.begin
        assert (mine["start"][1:] == mine["start"][:-1] + mine["duration"][:-1]).all()
        assert mine["start"][-1] + mine["duration"][-1] == of.thread.end
        expected = dict.fromkeys(State, 0)
        cpu = 0
        for row in trace.gil_intervals[trace.gil_intervals["thread"] == of.thread.index]:
            begin, end = int(row["start"]), int(row["start"] + row["duration"])
            with_cpu = sum(max(0, min(end, b) - max(begin, a)) for a, b in on[of.thread.tid])
            cpu += with_cpu
            running, stalled, asleep = {
                State.HOLDING: (State.RUNNING, State.STALLED, State.HOLDING_ASLEEP),
                State.RELEASED: (State.NATIVE, State.READY, State.BLOCKED),
            }.get(State(row["state"]), (State(row["state"]),) * 3)
            expected[running] += with_cpu
            # Until its first CPU a thread is ready, as it was seen to begin.
            born = max(0, min(end, on[of.thread.tid][0][0]) - begin)
            expected[stalled] += born
            expected[asleep if slept[of.thread.tid] else stalled] += end - begin - with_cpu - born
        assert of.time == expected
        assert of.cpu is not None
        assert of.cpu.time == cpu
        assert of.cpu.unsure == 0
    ran = trace.cpu_intervals["duration"].sum()
    assert ran == sum(of.cpu.time for of in figures.threads if of.cpu is not None)
