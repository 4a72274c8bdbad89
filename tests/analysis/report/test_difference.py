"""diff: what is matched with what, and what counts as a change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import analysis
from analysis.__main__ import main
from tests.analysis.scenes import scheduled, two_threads
from tests.synthetic import TraceWriter


def recording(
    path: Path, wait: int, *, name: str = "worker", code: str = "", argv: str = "app.py", pid: int = 100
) -> Path:
    """A thread waits so long for main, and holds for 500."""
    arg = (0, 1) if code else ()
    with TraceWriter(path) as writer:
        process = writer.process(pid, argv=[argv])
        if code:
            process.code(1, 0, code, "/somewhere/app/jobs.py", 10).frame(1, 0, 1)
        process.events(
            [
                (pid, 0, "recording_start"),
                (pid, 0, "gil_acquired"),
                (pid + 1, 1000, "gil_wait"),
                (pid, 1000 + wait, "gil_released", *arg),
                (pid + 1, 1000 + wait, "gil_acquired"),
                (pid + 1, 1500 + wait, "gil_released"),
            ]
        )
        process.name(pid + 1, 1000, name).stop(pid, 2000 + wait)
    return path


def changes(before: list[Path], after: list[Path]) -> dict[tuple[str, str, str], analysis.Change]:
    found = analysis.diff(*([analysis.load(path) for path in side] for side in (before, after)))
    return {(change.kind, change.name, change.figure): change for change in found}


def test_two_recordings(tmp_path: Path) -> None:
    found = changes([recording(tmp_path / "a", 4000)], [recording(tmp_path / "b", 1000)])
    wait = found["thread", "worker", "wait.total"]
    assert (wait.before, wait.after, wait.unit) == ((4000,), (1000,), "time")
    assert wait.relative == -0.75
    assert wait.beyond_spread is None, "one run a side has no spread"
    assert found["all", "", "wall"].after == (3000,)
    assert found["thread", "MainThread", "wait.max"].medians == (None, None)
    assert found["thread", "worker", "hold.total"].relative == 0


def test_several_runs(tmp_path: Path) -> None:
    before = [recording(tmp_path / f"a{wait}", wait) for wait in (4000, 5000, 9000)]
    after = [recording(tmp_path / f"b{wait}", wait) for wait in (1000, 2000, 3900)]
    wait = changes(before, after)["thread", "worker", "wait.max"]
    assert wait.medians == (5000, 2000)
    assert wait.relative == -0.6
    assert wait.beyond_spread is True
    after.append(recording(tmp_path / "b4000", 4000))
    assert changes(before, after)["thread", "worker", "wait.max"].beyond_spread is False


def test_names_that_python_gives_are_matched_by_order(tmp_path: Path) -> None:
    found = changes(
        [recording(tmp_path / "a", 4000, name="Thread-1 (work)")],
        [recording(tmp_path / "b", 2000, name="Thread-7 (work)")],
    )
    assert found["thread", "Thread-N (work)", "wait.total"].relative == -0.5
    found = changes(
        [recording(tmp_path / "c", 4000, name="old")], [recording(tmp_path / "d", 2000, name="new")]
    )
    gone, new = found["thread", "old", "wait.total"], found["thread", "new", "wait.total"]
    assert (gone.medians, new.medians) == ((4000, None), (None, 2000))
    assert gone.relative is None


def test_processes_are_matched_by_command_line(tmp_path: Path) -> None:
    """Whatever their pids, and whatever directory they ran in."""
    found = changes(
        [recording(tmp_path / "a", 4000, argv="/old/app.py")],
        [recording(tmp_path / "b", 2000, argv="/new/app.py", pid=700)],
    )
    assert found["thread", "worker", "wait.total"].after == (2000,)


def test_code(tmp_path: Path) -> None:
    """By function and file; what is not there made nobody wait."""
    found = changes(
        [recording(tmp_path / "a", 4000, code="parse")], [recording(tmp_path / "b", 1000, code="parse")]
    )
    blame = found["code", "parse (app/jobs.py)", "made others wait"]
    assert (blame.before, blame.after) == ((4000,), (1000,))
    found = changes(
        [recording(tmp_path / "c", 4000, code="parse")], [recording(tmp_path / "d", 1000, code="scan")]
    )
    assert found["code", "parse (app/jobs.py)", "made others wait"].after == (0,)


def test_cpu_states(tmp_path: Path) -> None:
    found = changes([scheduled(tmp_path / "a")], [scheduled(tmp_path / "b")])
    assert found["thread", "worker", "running"].before == (550,)
    assert not any(change.relative for change in found.values())
    found = changes([scheduled(tmp_path / "c")], [two_threads(tmp_path / "d")])
    assert found["thread", "worker", "running"].medians == (550, None)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = [str(recording(tmp_path / f"a{wait}", wait)) for wait in (4000, 5000)]
    after = [str(recording(tmp_path / f"b{wait}", wait)) for wait in (1000, 2000)]
    assert main(["diff", before[0], after[0]]) == 0
    out = capsys.readouterr().out
    assert "-75.0 %" in out
    assert "*" not in out
    assert main(["diff", *before, "--to", *after]) == 0
    out = capsys.readouterr().out
    assert "4.50 µs (4.00 µs – 5.00 µs)" in out
    assert "-66.7 % *" in out
    assert "hold.total" in out  # main's
    assert main(["diff", *before, "--to", *after, "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    [wait] = [each for each in listed if each["name"] == "worker" and each["figure"] == "wait.max"]
    assert wait["before"] == [4000, 5000]
    assert wait["before_median"] == 4500
    assert wait["beyond_spread"] is True


def test_nothing_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = str(recording(tmp_path / "a", 4000))
    assert main(["diff", one, one]) == 0
    assert "Nothing changed" in capsys.readouterr().out
    assert main(["diff", one, one, "--all"]) == 0
    assert "+0.0 %" in capsys.readouterr().out


def test_what_is_many_times_as_much_is_told_as_a_factor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sides = [str(recording(tmp_path / str(wait), wait)) for wait in (4000, 48_000)]
    assert main(["diff", *sides]) == 0
    assert " 12 ×" in capsys.readouterr().out


def test_not_two_sides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = str(recording(tmp_path / "a", 4000))
    assert main(["diff", one]) == 2
    assert "no --to" in capsys.readouterr().err
    assert main(["diff", one, one, one]) == 2
    assert main(["diff", one, str(tmp_path / "none")]) == 2
