"""`--fail-if` on the command itself, and the words of other tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.launcher.support import Launcher
from tracer.cli import main

PROGRAM = """
import threading
threads = [threading.Thread(target=lambda: sum(range(3_000_000))) for _ in range(2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


@pytest.mark.parametrize(
    ("limit", "status"), [("hold.total > 1ns", 1), ("hold.total > 3600s", 0), ("hold.totl > 1s", 2)]
)
def test_limits(launcher: Launcher, limit: str, status: int) -> None:
    launcher.write(PROGRAM + "print('ran')")
    done = launcher.run("--fail-if", limit, "--no-png", "-q", "program.py")
    assert done.returncode == status, done.stderr
    assert ("ran" in done.stdout) == (status != 2)
    said = {0: "", 1: "gilscope: hold.total", 2: "hold.totl"}[status]
    assert said in done.stderr and done.stderr.count("\n") == bool(status)


def test_the_programs_own_failure_comes_first(launcher: Launcher) -> None:
    launcher.write(PROGRAM + "raise SystemExit(7)")
    done = launcher.run("--fail-if", "hold.total > 1ns", "--no-png", "-q", "program.py")
    assert done.returncode == 7


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        ("record -p 12 -o x.svg", "gilscope attach PID"),
        ("record x.py", "gilscope script.py"),
        ("--pid 12", "gilscope attach PID"),
        ("--rate=9 x.py", "every event is recorded"),
        ("-g x.py", "unless --no-stacks"),
        ("--subprocesses x.py", "unless --no-children"),
        ("stat x.py", "gilscope --json script.py"),
        ("top --pid 12", "gilscope top PID"),
        ("dump --pid 12", "gilscope snapshot PID"),
        ("attach -p 12", "gilscope attach PID"),
        ("attach 12 --duration 5", "--for 10s"),
    ],
)
def test_words_of_other_tools(
    words: str, ours: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words.split()) == 2
    said = capsys.readouterr().err
    assert "here it is" in said and ours in said and said.count("\n") == 1


@pytest.mark.parametrize("words", ["attach", "attach x", "attach 1 --wrong", "detach x", "snapshot 1"])
def test_what_commands_do_not_take(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 2
    said = capsys.readouterr().err
    assert f"(gilscope {words.split()[0]} --help lists the options)" in said and said.count("\n") == 1
