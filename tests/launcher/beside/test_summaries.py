"""`--summaries` of the commands: files that add up to the recording, written while the program runs."""

from __future__ import annotations

import signal
import subprocess

import pytest

import analysis
from analysis.fleet import fleet, schema

from ..attach.test_armed import running
from ..attach.test_attach import SERVICE
from ..support import Launcher, environment
from .test_metrics import PROGRAM, patiently

pytest.importorskip("pyarrow")


def test_summaries_of_a_program_that_runs_add_up(launcher: Launcher) -> None:
    script = launcher.write(PROGRAM).name
    out, of_top = launcher.directory / "out", launcher.directory / "top"
    often = ("--summaries-every", "1")
    options = ("-q", "--no-png", "--no-sched", "--keep", "10min", "--tag", "release=7")
    with subprocess.Popen(
        launcher.command(*options, "--summaries", f"file://{out}", *often, script),
        cwd=launcher.directory,
        env={**environment(), "GILSCOPE_TAGS": "release=6,zone=a"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        patiently(lambda: list(out.glob("*.parquet")))
        place = str(next(launcher.directory.glob("*.trace")))
        top = launcher.command("top", place, "--summaries", str(of_top), *often, "--tag", "zone=b")
        with subprocess.Popen(top, cwd=launcher.directory, stdout=subprocess.DEVNULL) as watching:
            patiently(lambda: list(of_top.glob("*.parquet")) and len(list(out.glob("*.parquet"))) >= 2)
            watching.send_signal(signal.SIGINT)
            assert watching.wait(120) == 0
        process.stdin.close()
        assert process.wait(120) == 7
    of_watching = fleet([str(of_top)], by=["release", "zone"])
    assert [group.values for group in of_watching.groups] == [("7", "b")]
    found = fleet([str(out)], by=["release", "zone"])
    assert not found.problems and not of_watching.problems
    (group,) = found.groups
    assert (group.values, found.processes) == (("7", "a"), 1)
    assert of_watching.waited <= found.waited
    trace = analysis.load(next(launcher.directory.glob("*.trace")))
    waited = int(trace.waits["duration"].sum())
    assert 0 < found.waited <= waited
    # What is missing is what happened before the first look and after the last.
    (process_,) = trace.processes
    rows = [row for path in out.glob("*.parquet") for row in schema.read(str(path)).to_pylist()]
    told = sum(row["end_ns"] - row["begin_ns"] for row in rows)
    assert waited - found.waited <= len(trace.threads) * (process_.end - process_.begin - told + 1)


def test_summaries_of_a_process_that_is_attached_to(launcher: Launcher) -> None:
    out = launcher.directory / "out"
    options = ("--for", "3s", "-q", "--no-png", "--no-sched", "--keep", "10min", "-o", "a.trace")
    with running(launcher, SERVICE) as process:
        pid = str(process.pid)
        launcher.run(
            "attach", pid, *options, "--summaries", out, "--summaries-every", "1", "--tag", "x=1", status=0
        )
        assert "--tag is for --summaries" in launcher.run("attach", pid, "--tag", "x=1", status=2).stderr
    found = fleet([str(out)], by=["x"])
    assert [group.values for group in found.groups] == [("1",)] and not found.problems
    assert 0 < found.waited <= int(analysis.load(launcher.directory / "a.trace").waits["duration"].sum())


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--summaries", "out", "--keep", "2s"], "--keep 2s: too short for --summaries: 3s or more"),
        (
            ["--summaries", "out", "--keep", "30s", "--summaries-every", "29"],
            "28 at most, or a longer --keep",
        ),
        (["--tag", "release"], "--tag: 'release' is no tag: NAME=VALUE"),
        (["--tag", "a=1", "--tag", "a=2"], "--tag: a=1 and a=2: a tag has one value"),
        (["--summaries-every", "5"], "name their directory"),
        (["--summaries", "out", "--summaries-every", "0"], "from 1 to 86400 seconds"),
        (["--summaries", "/dev/null/out"], "/dev/null/out: Not a directory"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(
    launcher: Launcher, options: list[str], line: str
) -> None:
    done = launcher.run(*options, launcher.write("print('ran')").name)
    assert (done.returncode, done.stdout) == (2, "")
    assert line in done.stderr and not list(launcher.directory.glob("*.trace"))
