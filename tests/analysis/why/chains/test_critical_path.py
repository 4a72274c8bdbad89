"""Chains of waits, the critical path and what never ended: exact on synthetic traces."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import analysis
from analysis.commands import cli
from analysis.model import State
from analysis.why.chains.chains import chains
from analysis.why.chains.critical_path import critical_path
from analysis.why.chains.never_ended import knots, sentence
from tests.analysis.lock_scenes import MAIN, A, B, process_with_locks, queue
from tests.synthetic import TraceWriter


def joined(path: Path) -> Path:
    """Main waits for a's end, a for lock 1, which b has while it waits for the GIL, which main has.

    main  has the GIL 1020 – 1500;                      waits for a 1600 – 3010, let go at 3000
    a     waits for lock 1 1300 – 2020, let go at 2000; has the GIL 2020 – 2900
    b     waits for the GIL 1200 – 1510; has it 1510 – 1900; lets lock 1 go at 2000
    """
    with TraceWriter(path) as writer:
        process = process_with_locks(writer)
        process.lock(4, 900, "semaphore", 0x9F00, "_thread.lock", "Thread 9e00 Thread.join")
        process.events(
            [
                (MAIN, 1_020, "gil_acquired"),
                (MAIN, 1_500, "gil_released", 0, 2),
                (MAIN, 1_600, "lock_wait", 0, 4),
                (MAIN, 1_600, "lock_frame", 0, 1),
                (MAIN, 3_010, "lock_acquired", 0, 4),
                (A, 1_100, "thread_start"),
                (A, 1_300, "lock_wait", 0, 1),
                (A, 1_300, "lock_frame", 0, 1),
                (A, 2_020, "lock_acquired", 0, 1),
                (A, 2_020, "gil_acquired"),
                (A, 2_900, "gil_released"),
                (A, 3_000, "lock_wake", 0, 4),
                (A, 3_000, "lock_waiter", 0, MAIN),
                (B, 1_100, "thread_start"),
                (B, 1_200, "gil_wait"),
                (B, 1_510, "gil_acquired", 0, 1),
                (B, 1_900, "gil_released"),
                (B, 2_000, "lock_wake", 0, 1),
                (B, 2_000, "lock_waiter", 0, A),
                (B, 2_000, "lock_frame", 0, 2),
            ]
        )
        process.stop(MAIN, 3_500)
    return path


def test_the_critical_path(tmp_path: Path) -> None:
    trace = analysis.load(joined(tmp_path / "t"))
    assert analysis.validate(trace) == []
    path = critical_path(trace)
    assert (path.thread, path.begin, path.end) == (0, 1_000, 3_500)
    assert path.steps[["start", "duration", "thread", "handoff"]].tolist() == [
        (1_000, 500, 0, False),  # main has the GIL, until b gets it
        (1_500, 10, 2, True),
        (1_510, 490, 2, False),  # b has it, and the lock
        (2_000, 20, 1, True),
        (2_020, 980, 1, False),  # a, until its end
        (3_000, 10, 0, True),
        (3_010, 490, 0, False),
    ]
    assert [(line.thread, line.time) for line in path.lines] == [(1, 980), (0, 500), (0, 490), (2, 490)]
    assert path.lines[0].states == {State.RELEASED: 100, State.HOLDING: 880}
    assert path.lines[3].where == "give(), app.py:32"
    assert {(each.what, each.time) for each in path.handoffs} == {
        ("the GIL", 10),
        ("Lock of Cache", 20),
        ("Lock of Thread", 10),
    }
    assert sum(line.time for line in path.lines) + sum(each.time for each in path.handoffs) == 2_500


def test_chains(tmp_path: Path) -> None:
    trace = analysis.load(joined(tmp_path / "t"))
    found = chains(trace, 0)
    # 1600 – 3000 for a: of that a waits for the lock until 2000 (and to be woken), and then has no wait.
    assert [(len(chain.links), chain.links[-1].holder, chain.time) for chain in found] == [
        (1, 1, 980),
        (2, 2, 400),
        (2, -1, 20),
        (1, -1, 10),
    ]
    assert sum(chain.time for chain in found) == 1_410
    of_a = chains(trace, 1)
    assert [(chain.links[-1].what, chain.links[-1].holder, chain.time) for chain in of_a] == [
        ("Lock of Cache", 2, 500),
        ("the GIL", 0, 200),
        ("Lock of Cache", -1, 20),
    ]
    assert [link.thread for link in of_a[1].links] == [1, 2]


def test_a_queue_is_followed(tmp_path: Path) -> None:
    """What b waited for a counts for main too, while a waited for main."""
    trace = analysis.load(queue(tmp_path / "t"))
    assert sum(chain.time for chain in chains(trace, 2)) == 1_440
    path = critical_path(trace, 2)
    assert int(path.steps["duration"].sum()) == path.end - path.begin


@pytest.mark.parametrize("told", [True, False])
def test_a_deadlock(tmp_path: Path, told: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        process = process_with_locks(writer)
        process.lock(4, 900, "object", 0x8F00, "_thread.lock", "Log 8e00 Log.write")
        for tid, wants, has in ((A, 1, 4), (B, 4, 1)):
            process.events([(tid, 1_300, "lock_wait", 0, wants), (tid, 1_300, "lock_frame", 0, 1)])
            if told:
                process.events([(tid, 1_300, "lock_held", 0, has), (tid, 1_300, "lock_frame", 0, 2)])
        process.events([(MAIN, 1_400, "lock_wait", 0, 2), (MAIN, 1_400, "lock_frame", 0, 1)])
    trace = analysis.load(tmp_path / "t")
    assert analysis.validate(trace) == []
    found = knots(trace)
    assert found[0].cycle == told
    names = {pattern.name for pattern in analysis.patterns(trace)}
    assert ("deadlock" in names) == told
    if told:
        assert sentence(trace, found[0]) == (
            "Deadlock: a waits for Lock of Cache in take(), app.py:11, which b has in give(), app.py:32;"
            " b waits for Lock of Log in take(), app.py:11, which a has in give(), app.py:32."
        )
        assert sentence(trace, found[1]).startswith("Never ended: MainThread waits for Condition of Queue")
    assert cli.main(["path", str(tmp_path / "t"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)["never_ended"]
    assert said[0]["cycle"] == told
    assert cli.main(["path", str(tmp_path / "t")]) == 0
    assert ("Deadlock" in capsys.readouterr().out) == told


def test_who_got_it_last_is_told_with_less_certainty(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        process = process_with_locks(writer)
        process.events(
            [
                (A, 1_300, "lock_wait", 0, 1),
                (MAIN, 1_500, "lock_wake", 0, 1),
                (A, 1_510, "lock_acquired", 0, 1),
                (B, 1_400, "lock_wait", 0, 1),
            ]
        )
    trace = analysis.load(tmp_path / "t")
    (knot,) = knots(trace)
    assert not knot.cycle
    assert (knot.waits[0].thread, knot.waits[0].owner, knot.waits[0].sure) == (2, 1, False)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(joined(tmp_path / "t"))
    assert cli.main(["path", path]) == 0
    said = capsys.readouterr().out
    assert "The critical path to the end of MainThread: 2.50 µs in 7 steps." in said
    assert "a waits for Lock of Cache (take(), app.py:11), let go in give(), app.py:32 → b" in said
    assert cli.main(["path", path, "--thread", "nobody"]) == 2
    assert "no thread 'nobody'" in capsys.readouterr().err
    assert cli.main(["path", path, "--thread", "b", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["thread"]["tid"] == B
    assert cli.main(["path", path, "--between", "0.000001", "0.0000019"]) == 0
