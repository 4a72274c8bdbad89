"""Blame for locks: exact on synthetic traces."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import analysis
from analysis.commands import cli
from analysis.why.lock_blame import lock_blame
from tests.analysis.lock_scenes import queue


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
