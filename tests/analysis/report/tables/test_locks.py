"""What reports say of locks: verdict, limits, comparison, JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

import analysis
from analysis.commands import cli
from analysis.report.limits.gate import LimitError, check
from analysis.report.terminal import print_summary
from analysis.report.verdict import verdict
from tests.analysis.lock_scenes import MAIN, A, B, line_up, pauses
from tests.synthetic import TraceWriter

US = 1_000
MS = 1_000_000


def test_limits_of_locks(tmp_path: Path) -> None:
    trace = analysis.load(line_up(tmp_path / "t", 20, 100 * US))
    broken = ("lock.wait.count >= 20", "lock.wait.p99 >= 100us", "lock.wait.total >= 2ms",
              "lock.wait.share > 90%", "thread[a].lock.wait.max >= 100us",
              "process[100].lock.wait.count >= 20")  # fmt: skip
    kept = ("lock.wait.count > 20", "lock.wait.max > 100us", "lock.stop.count > 0", "pause.max > 1ns",
            "pause.share > 0", "lock.spins > 0", "process[100].pause.count > 0")  # fmt: skip
    assert [str(each) for each in check(trace, kept)] == []
    assert len(check(trace, broken)) == len(broken)
    with pytest.raises(LimitError, match="no figure of a thread"):
        check(trace, ["thread[a].pause.max > 1ms"])


def test_limits_of_pauses(tmp_path: Path) -> None:
    trace = analysis.load(pauses(tmp_path / "t", 10, 100 * US, 900 * US))
    assert len(check(trace, ["pause.count >= 10", "pause.share > 5%", "lock.stop.total >= 2ms"])) == 3
    assert not check(trace, ["pause.share > 15%", "lock.wait.count > 0"])


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_figures_of_locks_are_never_cut(tmp_path: Path, width: int) -> None:
    """Words are, where the terminal is narrow, and some columns are left out."""
    trace, file = analysis.load(line_up(tmp_path / "t", 20, 100 * US)), io.StringIO()
    print_summary(trace, Console(file=file, width=width, force_terminal=True, color_system=None))
    head, _, row = file.getvalue()[file.getvalue().index("\nlock ") :].strip().splitlines()[:3]
    (lock,) = analysis.statistics(trace).locks.locks
    assert head.split()[:3] == ["lock", "waits", "waited"]
    assert {"20", "2.00", "100"} <= set(row.split()), row
    assert all(len(line.rstrip()) <= width for line in (head, row))
    assert ("p50" in head) == ("100 µs" in row and row.count("100 µs") > 2)
    assert row.startswith(lock.name)


def test_what_changed_of_locks(tmp_path: Path) -> None:
    before, after = (analysis.load(line_up(tmp_path / str(n), n, 100 * US)) for n in (10, 30))
    changes = {(each.kind, each.name, each.figure): each for each in analysis.diff(before, after)}
    waited = changes["lock", "Lock", "waited for it"]
    assert (waited.before, waited.after, waited.unit) == ((MS,), (3 * MS,), "time")
    assert changes["lock", "Lock", "waits"].after == (30,)
    assert changes["all", "", "lock.wait.count"].before == (10,)
    assert changes["all", "", "pause.count"].after == (0,)


def test_the_verdict_without_a_gil_names_the_lock(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(pid=100, without_gil=1, cpus=2)
        process.code(1, 900, "put", line=30).frame(1, 900, 1, 2)
        process.lock(1, 900, "mutex", 0x7F00, "dict")
        process.events([(MAIN, 1_000, "recording_start")])
        for turn in range(10):
            waiter, holder = (A, B) if turn % 2 else (B, A)
            now = 2 * MS + turn * MS
            process.events(
                [
                    (waiter, now, "lock_wait", 0, 1),
                    (waiter, now, "lock_frame", 0, 1),
                    (holder, now + MS, "lock_wake", 0, 1),
                    (waiter, now + MS, "lock_acquired", 0, 1),
                ]
            )
        process.stop(MAIN, 12 * MS)
        sched = writer.scheduler(500)
        sched.task(MAIN, 500, 100, "python").task(A, 500, 100, "a").task(B, 500, 100, "b")
        sched.events(0, [(1_000, "in", A), (11 * MS, "out", A)]).stop(12 * MS)
    trace = analysis.load(tmp_path / "t")
    said = verdict(analysis.statistics(trace))
    assert said.startswith(
        "No GIL: 3 threads on 2 CPUs ran 0.7 cores' worth: 2 of them queue for the dict itself, put(),"
        " app.py:31: 10 waits, 10.0 ms in all."
    )


def test_json_has_blame_for_locks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([str(line_up(tmp_path / "t", 20, 100 * US)), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    blame = summary["locks"]["blame"]
    assert blame["waited_ns"] == 2 * MS
    assert blame["lines"][0]["let_go_where"] == "give(), app.py:32"
    assert {each["name"] for each in summary["patterns"]} == {"lock queue"}
