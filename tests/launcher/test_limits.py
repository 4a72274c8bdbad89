"""`--fail-if` on the command itself, and the words of other tools."""

from __future__ import annotations

import pytest

from tests.launcher.support import Launcher

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


@pytest.mark.parametrize("words", [["--pid", "12"], ["-p", "12"], ["record", "x.py"], ["--rate=9", "x.py"]])
def test_words_of_other_tools(launcher: Launcher, words: list[str]) -> None:
    done = launcher.run(*words, status=2)
    assert "here it is" in done.stderr and done.stderr.count("\n") == 1
