"""The what-if machine: hand-made programs with known answers, and what must be so of any program."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from analysis.whatif import machine as machine_module
from analysis.whatif.kinds import NATIVE, PYTHON
from analysis.whatif.replay import Replay, Scenario, replay
from tests.analysis.programs import plain_machine, program

MACHINES = [machine_module.Machine, plain_machine()]


def holds(run: Replay) -> list[tuple[int, int, int]]:
    """Return (thread, begin, end) in the order of the lock."""
    table = np.sort(run.holds, order="start")
    return [(int(row["thread"]), int(row["start"]), int(row["start"] + row["duration"])) for row in table]


def waits(run: Replay) -> list[tuple[int, int]]:
    return [(int(row["thread"]), int(row["duration"])) for row in run.waits]


@pytest.fixture(params=MACHINES, ids=["built", "plain"])
def machine(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_two_that_compute(machine: Any) -> None:
    """They take turns of one interval each; each turn of one is a wait of the other."""
    two = program([("python", 12_000)], [("python", 12_000)])
    run = replay(two, holds=True, machine=machine)
    assert holds(run) == [
        (0, 0, 5_000),
        (1, 5_000, 10_000),
        (0, 10_000, 15_000),
        (1, 15_000, 20_000),
        (0, 20_000, 22_000),
        (1, 22_000, 24_000),
    ]
    assert sorted(waits(run)) == [(0, 5_000), (0, 5_000), (1, 2_000), (1, 5_000), (1, 5_000)]
    assert (run.wall, run.switches, run.requests) == (24_000, 5, 4)
    assert run.finished.tolist() == [22_000, 24_000]


def test_another_interval(machine: Any) -> None:
    run = replay(
        program([("python", 12_000)], [("python", 12_000)]), Scenario(interval=100_000), machine=machine
    )
    assert waits(run) == [(1, 12_000)]
    assert (run.wall, run.switches) == (24_000, 1)


def test_latencies(machine: Any) -> None:
    """1 of a timed wait's excess, 2 of the answer, 30 of the handoff, 7 until the dropper asks again."""
    two = program(
        [("python", 6_000)], [("python", 1_000)], handoff=30, excess=1, back=7, answer=2, interval=5_000
    )
    run = replay(two, holds=True, machine=machine)
    assert holds(run) == [(0, 0, 5_003), (1, 5_033, 6_033), (0, 6_063, 7_060)]
    assert waits(run) == [(1, 5_033), (0, 6_063 - 5_040)]


def test_convoy(machine: Any) -> None:
    """Each request of the thread that does I/O costs it an interval."""
    io = [("blocked", 1_000), ("python", 100)] * 3
    run = replay(program([("python", 40_000)], io), holds=True, machine=machine)
    assert waits(run) == [(1, 5_000), (0, 100), (1, 5_000), (0, 100), (1, 5_000), (0, 100)]
    assert run.finished.tolist() == [40_300, 18_300]
    fast = replay(program([("python", 40_000)], io), Scenario(interval=1_000), machine=machine)
    assert fast.finished.tolist() == [40_300, 6_300]


def test_join(machine: Any) -> None:
    """Main starts a thread 500 into its work, and goes on when that ends, however long it takes."""
    main = [("python", 1_000, {"posts": [(500, 0, 20)]}), ("await", 1), ("python", 300)]
    worker = [("await", 0), ("python", 4_000, {"posts": [(4_000, 1, 50)]})]
    run = replay(program(main, worker), holds=True, machine=machine)
    assert holds(run) == [(0, 0, 1_000), (1, 1_000, 5_000), (0, 5_050, 5_350)]
    assert waits(run) == [(1, 480)]
    without = replay(program(main, worker), Scenario(gil=False), machine=machine)
    assert without.wall == 520 + 4_000 + 50 + 300
    slow = replay(program(main, worker), Scenario(gil=False, slowdown=2), machine=machine)
    assert slow.wall == 1_020 + 8_000 + 50 + 600


def test_lock_handed_over(machine: Any) -> None:
    """Whoever waits for a lock asks for the GIL while the one that released it still has it."""
    first = [("python", 3_000, {"posts": [(1_000, 0, 0)]})]
    second = [("await", 0), ("python", 500)]
    run = replay(program(first, second), holds=True, machine=machine)
    assert holds(run) == [(0, 0, 3_000), (1, 3_000, 3_500)]
    assert waits(run) == [(1, 2_000)]


def test_posted_before_it_is_awaited(machine: Any) -> None:
    first = [("python", 1_000, {"posts": [(100, 0, 5_000)]})]
    run = replay(program(first, [("blocked", 2_000), ("await", 0), ("blocked", 1)]), machine=machine)
    assert run.finished.tolist() == [1_000, 5_101]
    late = replay(program(first, [("blocked", 9_000), ("await", 0), ("blocked", 1)]), machine=machine)
    assert late.finished.tolist() == [1_000, 9_001]


def test_c_call_that_does_not_respond(machine: Any) -> None:
    """Asked at 5,000, it lets go at the end of the call; asked outside of one, at once."""
    work = ("python", 20_000, {"calls": [(4_000, 9_000)]})
    run = replay(program([work], [("blocked", 100), ("python", 10)]), holds=True, machine=machine)
    assert holds(run)[:2] == [(0, 0, 9_000), (1, 9_000, 9_010)]
    early = replay(
        program([work], [("blocked", 100), ("python", 10)]),
        Scenario(interval=1_000),
        holds=True,
        machine=machine,
    )
    assert holds(early)[:2] == [(0, 0, 1_100), (1, 1_100, 1_110)]


def test_cpus(machine: Any) -> None:
    """Work without the GIL goes on side by side on two CPUs, by turns of a quantum on one."""
    two = program([("native", 7_000_000)], [("native", 7_000_000)])
    assert replay(two, Scenario(cpus=2), machine=machine).finished.tolist() == [7_000_000] * 2
    assert replay(two, Scenario(cpus=1), machine=machine).finished.tolist() == [13_000_000, 14_000_000]


def test_holder_without_a_cpu(machine: Any) -> None:
    """On one CPU a thread that computes without the GIL takes it from the holder too."""
    two = program([("python", 4_000_000)], [("native", 4_000_000)], cpus=1, interval=5_000_000)
    run = replay(two, holds=True, machine=machine)
    assert holds(run) == [(0, 0, 7_000_000)]
    assert run.finished.tolist() == [7_000_000, 8_000_000]


def test_who_asked_is_awake_still(machine: Any) -> None:
    """Of two that wait the one that asked for the drop takes the GIL if it is let go at once."""
    three = [[("python", 9_000)], [("blocked", 100), ("python", 10)], [("blocked", 4_000), ("python", 10)]]
    at_once = replay(program(*three, answer=10), holds=True, machine=machine)
    assert [thread for thread, *_ in holds(at_once)[:2]] == [0, 1]
    slowly = replay(program(*three, answer=3_500), holds=True, machine=machine)
    assert [thread for thread, *_ in holds(slowly)[:2]] == [0, 2]


def test_request_that_the_end_of_a_hold_answers(machine: Any) -> None:
    """It is over then: what the thread does without the GIL afterwards is not cut by it."""
    two = program([("python", 2_000)], [("python", 1_000), ("native", 2_000)], interval=1_000)
    run = replay(two, holds=True, machine=machine)
    assert holds(run) == [(0, 0, 1_000), (1, 1_000, 2_000), (0, 2_000, 3_000)]
    assert run.finished.tolist() == [3_000, 4_000]


def test_overtaken(machine: Any) -> None:
    """A thread that takes the GIL again before the one that was woken has it: that one waits on."""
    quick = [("python", 100), ("blocked", 10), ("python", 200)]
    run = replay(program(quick, [("blocked", 50), ("python", 10)], handoff=30), holds=True, machine=machine)
    assert holds(run) == [(0, 0, 100), (0, 110, 310), (1, 340, 350)]
    assert waits(run) == [(1, 290)]


def test_end_cuts_daemons(machine: Any) -> None:
    endless = program([("python", 100)], [("python", 1 << 40)])
    endless.essential[1] = 0
    run = replay(endless, holds=True, machine=machine)
    assert run.wall == 100
    assert run.finished.tolist() == [100, -1]
    assert waits(run) == [(1, 100)]


steps = st.one_of(
    st.tuples(st.just("python"), st.integers(0, 20_000)),
    st.tuples(st.just("native"), st.integers(0, 9_000_000)),
    st.tuples(st.just("blocked"), st.integers(0, 9_000)),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(steps, max_size=8), min_size=1, max_size=5),
    st.one_of(st.integers(1, 100), st.integers(1, 7_000)),
    st.tuples(*[st.integers(0, 50)] * 4),
    st.integers(0, 3),
)
def test_any_program(
    threads: list[list[tuple[str, int]]], interval: int, latencies: tuple[int, int, int, int], cpus: int
) -> None:
    handoff, excess, back, answer = latencies
    some = program(
        *threads, interval=interval, handoff=handoff, excess=excess, back=back, answer=answer, cpus=cpus
    )
    run = replay(some, holds=True)
    plain = replay(some, holds=True, machine=plain_machine())
    for name in ("wall", "switches", "requests"):
        assert getattr(run, name) == getattr(plain, name)
    for name in ("waits", "holds", "finished"):
        assert (getattr(run, name) == getattr(plain, name)).all()

    assert (run.holds["gil"] == 0).all()
    assert (run.waits["gil"] == 0).all()
    order = np.sort(run.holds, order=["start", "duration"])
    ends = order["start"] + order["duration"]
    assert (order["start"][1:] >= ends[:-1]).all(), "holds don't overlap"
    assert (run.finished >= 0).all()
    work = [int(some.amount[some.first[i] : some.first[i + 1]].sum()) for i in range(len(threads))]
    assert (run.finished >= work).all(), "nobody is faster than its work"
    python, native = (int(some.amount[some.kind == kind].sum()) for kind in (PYTHON, NATIVE))
    if cpus == 0:
        assert order["duration"].sum() == python, "work is conserved"
    else:
        assert run.wall * cpus >= python + native
        assert order["duration"].sum() >= python
