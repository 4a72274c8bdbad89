"""Blame for locks: exact on synthetic traces."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

import analysis
from analysis.commands import cli
from analysis.why.detectors.locks.scene import LockScene
from analysis.why.locks.blame import lock_blame
from analysis.why.locks.holders import lock_pieces
from tests.analysis.fold.recordings import record
from tests.analysis.lock_scenes import MAIN, process_with_locks, queue
from tests.analysis.why.locks import slow_blame as slow
from tests.synthetic import TraceWriter


def test_each_moment_of_a_wait_is_charged_to_who_let_the_lock_go_next(tmp_path: Path) -> None:
    trace = analysis.load(queue(tmp_path / "t"))
    assert analysis.validate(trace) == []
    blame = lock_blame(trace)
    # b waits for main until 2000, then for a; for the notify on main; nobody is seen to let go after that.
    assert blame.threads.table.tolist() == [
        (1, -1, 20, 1),
        (1, 0, 800, 1),
        (2, -1, 40 + 10 + 100, 3),
        (2, 0, 500 + 290, 2),
        (2, 1, 500, 1),
    ]
    assert blame.total == int(trace.lock_waits["duration"].sum()) == 820 + 1_040 + 300 + 100
    assert blame.nobody == 20 + 150
    worst = blame.lines[0]
    assert (worst.lock, worst.where, worst.let_go) == (
        "Lock of Cache",
        "take(), app.py:11",
        "give(), app.py:32",
    )
    assert (worst.waited, worst.waits, worst.longest, worst.longest_at) == (800 + 500 + 500, 2, 1_000, 1_500)
    assert (worst.waiters, worst.holders) == ((1, 2), (0, 1))
    assert sum(line.waited for line in blame.lines) == blame.total


def test_sums_are_those_of_a_table_of_all_pieces(tmp_path: Path) -> None:
    pieces = waited = 0
    for seed in range(25):
        written = crowd(tmp_path / str(seed), seed) if seed % 5 == 0 else record(tmp_path / str(seed), seed)
        trace = analysis.load(written)
        table, blame = slow.lock_pieces(trace), lock_blame(trace)
        assert lock_pieces(trace).tolist() == table.tolist()
        assert blame.threads.table.tolist() == slow.by_thread(table).tolist()
        assert sorted(map(repr, blame.lines)) == sorted(map(repr, slow.by_line(trace, table)))
        assert blame.total == table["duration"].sum()
        assert blame.nobody == table["duration"][table["holder"] < 0].sum()
        for process in trace.processes:
            scene = LockScene(trace, process)
            meanwhile = [slow.without_gil(trace, table, queue.number) for queue in scene.queues]
            assert list(scene.waited_meanwhile) == meanwhile
            waited += sum(meanwhile)
        pieces += len(table)
    assert pieces > 1_000
    assert waited


def crowd(path: Path, seed: int) -> Path:
    """Six threads wait for two locks, long, and let them go for each other, or wait for the GIL."""
    rnd = random.Random(seed)
    with TraceWriter(path) as writer:
        process = process_with_locks(writer).lock(4, 900, "object", 0x9F00, "_thread.lock")
        for tid in range(101, 107):
            events: list[tuple[int | str, ...]] = [(tid, 1_100, "thread_start")]
            now = 1_100
            for _ in range(20):
                lock = rnd.choice([1, 4])
                events += [(tid, now := now + rnd.randint(1, 90), "lock_wait", 0, lock)]
                events += [(tid, now, "lock_frame", 0, rnd.randint(1, 2))]
                end = rnd.choice(["lock_acquired", "lock_acquired", "lock_timeout"])
                events += [(tid, now := now + rnd.randint(1, 900), end, 0, lock)]
                if rnd.random() < 0.5:
                    events += [(tid, now := now + 1, "gil_wait"), (tid, now := now + 50, "gil_abandoned")]
                events += [(tid, now := now + rnd.randint(0, 9), "lock_wake", 0, lock)]
                events += [(tid, now, "lock_frame", 0, rnd.randint(1, 2))]
            process.events(events)
        process.stop(MAIN, 40_000)
    return path


def test_the_command_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = queue(tmp_path / "t")
    assert cli.main(["blame", str(path)]) == 0
    said = capsys.readouterr().out
    assert "Cache" in said
    assert "give(), app.py:32" in said
    assert cli.main(["blame", str(path), "--json"]) == 0
    locks = json.loads(capsys.readouterr().out)["locks"]
    assert locks["waited_ns"] == 2_260
    assert locks["lines"][0]["waited_ns"] == 1_800
    assert locks["lines"][0]["holder_tids"] == [100, 101]


def test_a_trace_without_waits_for_locks_has_no_blame_for_them(tmp_path: Path) -> None:
    from tests.analysis.scenes import two_threads

    blame = lock_blame(analysis.load(two_threads(tmp_path / "t")))
    assert (blame.total, blame.lines, len(blame.threads.table)) == (0, (), 0)
