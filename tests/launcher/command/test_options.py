"""The command line: what it refuses, in one line, before anything runs; what it writes where."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import analysis
from tests.launcher.support import Launcher, environment
from tracer import directory
from tracer.command.options import split
from tracer.errors import RecordingError


def refused(launcher: Launcher, *arguments: str | Path) -> str:
    """The one line of a command that is refused; nothing has run, nothing was made."""
    before = sorted(launcher.directory.rglob("*"))
    run = launcher.run(*arguments)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.startswith("gilscope: ")
    assert run.stderr.count("\n") == 1
    assert sorted(launcher.directory.rglob("*")) == before
    return run.stderr


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "no program"),
        (["missing.py"], "missing.py"),
        (["folder"], "__main__.py"),
        (["-m"], "module"),
        (["-c"], "code"),
        (["--unknown", "ok.py"], "--unknown"),
        (["-o", "none/where", "ok.py"], "none"),
        (["--png", "picture.bmp", "ok.py"], ".svg"),
        (["--png", "folder", "ok.py"], "directory"),
        (["--png", "none/picture.png", "ok.py"], "none"),
        (["--png", "a.png", "--no-png", "ok.py"], "--no-png"),
        (["--json=folder", "ok.py"], "directory"),
        (["--switch-interval", "0", "ok.py"], "0.005"),
        (["--switch-interval", "-1", "ok.py"], "0.005"),
        (["--switch-interval", "nan", "ok.py"], "0.005"),
        (["--switch-interval", "inf", "ok.py"], "0.005"),
        (["--switch-interval", "fast", "ok.py"], "fast"),
        (["--python", "no-such-python", "ok.py"], "no-such-python"),
        (["-o"], "-o"),
        (["dump"], "TRACE"),
        (["dump", "missing.trace"], "missing.trace"),
    ],
)
def test_refused_in_one_line(launcher: Launcher, arguments: list[str], part: str) -> None:
    launcher.write("print('ran')", "ok.py")
    (launcher.directory / "folder").mkdir()
    assert part in refused(launcher, *arguments)


def test_existing_trace_and_picture_are_refused_until_forced(launcher: Launcher) -> None:
    launcher.record("print('one')")
    assert "--force" in refused(launcher, "program.py")
    picture = launcher.directory / "program.png"
    picture.write_bytes(b"mine")
    assert "program.png" in refused(launcher, "-o", "other.trace", "--png", "program.png", "program.py")
    assert picture.read_bytes() == b"mine"
    run = launcher.run("-q", "--force", "program.py", status=0)
    assert run.stdout == "one\n"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert len(run.load().processes) == 1


def test_force_replaces_nothing_but_traces(launcher: Launcher) -> None:
    launcher.record("pass")
    trace = launcher.directory / "program.trace"
    (process,) = (path for path in trace.iterdir() if path.name != "sched")
    strangers = [
        trace / "notes.txt",
        process / "notes.txt",
        process / "gil_x",
    ]
    for stranger in strangers:
        stranger.write_text("mine")
        assert "not a trace" in refused(launcher, "--force", "program.py")
        stranger.unlink()
    (process / "gil_7").symlink_to(launcher.directory / "program.py")
    assert "not a trace" in refused(launcher, "--force", "program.py")
    (process / "gil_7").unlink()
    metadata = (process / "metadata").read_bytes()
    (process / "metadata").write_text("/* CTF 1.8 */ of someone else")
    assert "not a trace" in refused(launcher, "--force", "program.py")
    (process / "metadata").write_bytes(metadata)
    (launcher.directory / "linked.trace").symlink_to(trace)
    assert "not a trace" in refused(launcher, "--force", "-o", "linked.trace", "program.py")
    (launcher.directory / "file.trace").write_text("mine")
    assert "not a trace" in refused(launcher, "--force", "-o", "file.trace", "program.py")
    assert directory.is_trace(trace)
    launcher.run("-q", "--no-png", "--force", "program.py", status=0).load()


def test_empty_directory_will_do(launcher: Launcher) -> None:
    (launcher.directory / "program.trace").mkdir()
    launcher.record("pass").load()


def test_directory_that_can_t_be_written(launcher: Launcher) -> None:
    (launcher.directory / "closed").mkdir(mode=0o500)
    if os.access(launcher.directory / "closed", os.W_OK):  # root writes where it likes, but not into /proc
        assert "can't be" in refused(launcher, "-o", "/proc/x.trace", "-c", "pass")
    else:
        assert "can't be written" in refused(launcher, "-o", "closed/x.trace", "-c", "pass")


def test_make_leaves_what_it_may_not_replace(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "123").mkdir()
    (tmp_path / "mine" / "123" / "metadata").write_text("not ours")
    for force in (False, True):
        with pytest.raises(RecordingError, match="not a trace"):
            directory.make(tmp_path / "mine", force=force)
    assert (tmp_path / "mine" / "123" / "metadata").read_text() == "not ours"


def test_options_end_where_the_program_begins() -> None:
    assert split(["-q", "-o", "x", "s.py", "-o", "y"]) == (["-q", "-o", "x"], ["s.py", "-o", "y"])
    assert split(["--json", "s.py"]) == (["--json"], ["s.py"])
    assert split(["--png=x.svg", "-m", "mod", "-q"]) == (["--png=x.svg"], ["-m", "mod", "-q"])
    assert split(["-q", "-cpass"]) == (["-q"], ["-cpass"])
    assert split(["-q", "--", "-odd.py"]) == (["-q"], ["-odd.py"])
    assert split(["--switch-interval", "-1", "s.py"]) == (["--switch-interval", "-1"], ["s.py"])
    assert split(["-"]) == ([], ["-"])


def test_summary_picture_and_closing_line(launcher: Launcher) -> None:
    launcher.write("print('out')")
    run = launcher.run("program.py", status=0)
    assert run.stdout == "out\n"
    assert "MainThread" in run.stderr
    assert run.stderr.endswith("gilscope: trace program.trace, timeline program.png\n")
    assert (launcher.directory / "program.png").read_bytes().startswith(b"\x89PNG")
    run.load()


@pytest.mark.parametrize(("suffix", "start"), [(".svg", b"<?xml"), (".pdf", b"%PDF"), (".PNG", b"\x89PNG")])
def test_picture_by_suffix(launcher: Launcher, suffix: str, start: bytes) -> None:
    run = launcher.run("-q", "-o", "t", "--png", f"picture{suffix}", "-c", "pass", status=0)
    assert run.stderr == ""
    assert (launcher.directory / f"picture{suffix}").read_bytes().startswith(start)


def test_names_follow_the_output_option(launcher: Launcher) -> None:
    launcher.run("-q", "-o", "first.trace", "-c", "pass", status=0)
    launcher.run("-q", "-o", "second", "-c", "pass", status=0)
    assert sorted(path.name for path in launcher.directory.iterdir()) == [
        "first.png",
        "first.trace",
        "second",
        "second.png",
    ]


def test_json(launcher: Launcher) -> None:
    run = launcher.run("-q", "--no-png", "--json", "-c", "print('out')", status=0)
    first, _, rest = run.stdout.partition("\n")
    assert first == "out"
    figures = json.loads(rest)
    assert figures["processes"][0]["threads"][0]["name"] == "MainThread"
    launcher.run("-q", "--no-png", "--force", "--json=figures.json", "-c", "pass", status=0)
    written = json.loads((launcher.directory / "figures.json").read_text())
    assert written.keys() == figures.keys()
    assert "figures.json" in refused(launcher, "-o", "x", "--json=figures.json", "-c", "pass")


def test_dump(launcher: Launcher) -> None:
    launcher.record("pass")
    run = launcher.run("dump", "program.trace", status=0)
    events = analysis.load(launcher.directory / "program.trace").events
    assert "recording_start" in run.stdout
    assert len(run.stdout.splitlines()) >= len(events)
    head = subprocess.run(
        " ".join(launcher.command("dump", "program.trace")) + " | head -1",
        shell=True,
        cwd=launcher.directory,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert (head.stdout.count("\n"), head.stderr) == (1, "")


def test_switch_interval(launcher: Launcher) -> None:
    run = launcher.record(
        "import sys; print(sys.getswitchinterval())", options=("--switch-interval", "0.001")
    )
    assert run.stdout == "0.001\n"
    assert run.load().processes[0].switch_interval == 1_000_000


def test_help_and_version(launcher: Launcher) -> None:
    text = launcher.run("--help", status=0).stdout
    for option in ("--output", "--png", "--no-png", "--json", "--force", "--quiet", "--switch-interval"):
        assert option in text
    assert launcher.run("--version", status=0).stdout.startswith("gilscope ")


def test_program_with_odd_arguments_is_described_right(launcher: Launcher) -> None:
    odd = ['quote " and \\', "line\nbreak", "ünïcödé", "\U0001f40d", "", "*/ };"]
    (process,) = launcher.record("pass", *odd).load().processes
    assert list(process.argv) == ["program.py", *odd]
