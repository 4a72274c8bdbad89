"""`--summaries` of the command: files that add up to the recording, written while the program runs."""

from __future__ import annotations

import subprocess

import pytest

import analysis
from analysis.fleet import fleet, schema

from .support import Launcher, environment
from .test_metrics import PROGRAM, patiently

pytest.importorskip("pyarrow")


def test_summaries_of_a_program_that_runs_add_up(launcher: Launcher) -> None:
    script = launcher.write(PROGRAM).name
    out = launcher.directory / "out"
    options = ("-q", "--no-png", "--no-sched", "--summaries", str(out), "--summaries-every", "1")
    with subprocess.Popen(
        launcher.command(*options, script),
        cwd=launcher.directory,
        env={**environment(), "GILSCOPE_TAGS": "release=7"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        patiently(lambda: len(list(out.glob("*.parquet"))) >= 2)
        process.stdin.close()
        assert process.wait(120) == 7
    found = fleet([str(out)], by=["release"])
    assert not found.problems
    (group,) = found.groups
    assert (group.values, found.processes) == (("7",), 1)
    trace = analysis.load(next(launcher.directory.glob("*.trace")))
    waited = int(trace.waits["duration"].sum())
    assert 0 < found.waited <= waited
    # What is missing is what happened before the first look and after the last.
    (process_,) = trace.processes
    rows = [row for path in out.glob("*.parquet") for row in schema.read(str(path)).to_pylist()]
    told = sum(row["end_ns"] - row["begin_ns"] for row in rows)
    assert waited - found.waited <= len(trace.threads) * (process_.end - process_.begin - told + 1)


@pytest.mark.parametrize(
    ("options", "line"),
    [
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
