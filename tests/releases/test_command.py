"""The command and the magic, on real calls: shares far from the verdicts' bounds, never a time."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.launcher.support import TIMEOUT, environment, free_threaded
from tracer.errors import UsageError
from tracer.notebook import gil_line
from tracer.releases import command
from tracer.releases.judgement import Judgement, judge
from tracer.releases.recording import Call, Job, interpreter_of, record

HOLDS = "re.match('(a*)*b', 'a' * 21)"
SETUP = "import hashlib, re, time, zlib; data = bytes(10**6)"


def releases(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "tracer", "releases", *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        env=environment(),
    )
    assert done.returncode == status, done.stderr
    return done


@pytest.fixture(scope="module")
def judgements(interpreters: list[str]) -> list[dict[str, Judgement]]:
    """Each interpreter's, by name: what is known of these calls from their sources."""
    statements = {
        "hash": "hashlib.sha256(data)",
        "match": HOLDS,
        "python": "for i in range(100_000): pass",
        "sleep": "time.sleep(0.01)",
        "small": "hashlib.sha256(b'')",
    }
    calls = [Call(name, text, repeat=3) for name, text in statements.items()]
    found = []
    for python in interpreters:
        recorded = record(Job(calls, SETUP), interpreter_of(python))
        assert not recorded.failures
        found.append({call.name: judge(call) for call in recorded.calls})
    return found


def test_verdicts(judgements: list[dict[str, Judgement]]) -> None:
    for of in judgements:
        assert of["hash"].share < 0.2 < 0.8 < of["hash"].native and of["hash"].released == pytest.approx(
            1, abs=0.1
        )
        assert of["match"].share > 0.8 and not of["match"].yields
        assert of["match"].piece > 0.5 * of["match"].held
        assert of["python"].share > 0.8 and of["python"].yields
        assert of["sleep"].share < 0.2 and of["sleep"].asleep > 0.8
        assert of["small"].released < 0.1  # hashlib lets go above 2047 bytes


@pytest.fixture
def neighbours() -> Iterator[None]:
    """Two processes for each CPU that compute all the time."""
    spin = "import signal, time; signal.alarm(120)\nwhile True: pass"
    count = 2 * len(os.sched_getaffinity(0))
    spinning = [subprocess.Popen([sys.executable, "-S", "-c", spin]) for _ in range(count)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


@pytest.mark.usefixtures("neighbours")
def test_a_busy_machine_makes_no_verdict_wrong() -> None:
    """What is known of these calls from their sources; the last one's memory is fresh, or not."""
    calls = [
        Call("hash", "hashlib.sha256(data)", repeat=3, budget=4),
        Call("match", HOLDS, repeat=3, budget=4),
        Call("sleep", "time.sleep(0.01)", repeat=3, budget=4),
        Call("copy", "bytearray(data)", repeat=3, budget=4),
    ]
    recorded = record(Job(calls, SETUP), interpreter_of(None))
    assert not recorded.failures
    found = {call.name: judge(call) for call in recorded.calls}
    right = {"hash": "lets go", "match": "holds", "sleep": "lets go", "copy": "holds"}
    for name, judgement in found.items():
        assert judgement.verdict in (right[name], "unsure"), judgement
    assert max(judgement.busy for judgement in found.values()) > 0  # it was seen


def test_memory_of_before_is_told_from_fresh_memory() -> None:
    """What is freed is more than the C library keeps: each call fetches it anew, or it is there already."""
    call = Call("copies", "[bytearray(data) for _ in range(8)]", "data = bytes(1_000_000)", repeat=3)
    recorded = record(Job([call]), interpreter_of(None))
    (measured,) = recorded.calls
    fresh, kept = measured.of("alone"), measured.of("kept")
    if not kept:
        pytest.skip("this C library keeps memory as it is: not glibc, or told so by the environment")
    assert min(run.pages / run.number for run in fresh) > 1000
    assert max(run.pages / run.number for run in kept) < 400
    assert judge(measured).verdict == "holds"


def test_what_two_threads_lock_without_a_gil(interpreters: list[str]) -> None:
    python = free_threaded(interpreters)
    if python is None:
        pytest.skip("no free-threaded interpreter here (GILSCOPE_PYTHONS names some)")
    setup = "import sys, threading, time; vars(sys).setdefault('shared', threading.Lock())"
    statement = "with sys.shared:\n time.sleep(0.004)\ntime.sleep(0.001)"
    done = releases("-n", "20", "-s", setup, statement, "--python", python, "--json")
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["verdict"] == "no GIL" and answer["locked"] > 0.03
    assert answer["locks"][0]["where"].endswith("<statement>:1") and answer["locks"][0]["times"] > 1
    assert not any("program.py" in of["where"] for of in answer["locks"])
    done = releases("-n", "10", "-s", "import time", "time.sleep(0.004)", "--python", python)
    assert "two threads at once, each with data of its own, take" in done.stdout
    assert "they wait for no lock" in done.stdout


def test_expectations_are_the_exit_status(tmp_path: Path) -> None:
    done = releases("-n1", "-r3", "-s", SETUP, HOLDS, "--expect", "holds")
    assert "holds the GIL" in done.stdout and "in one piece of up to" in done.stdout
    done = releases("-n1", "-r3", "-s", SETUP, HOLDS, "--expect", "lets-go", "--json", status=1)
    assert done.stderr.splitlines() == ["gilscope: expected lets-go, but the verdict is holds"]
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["verdict"] == "holds" and answer["share"] > 0.8 and answer["number"] == 1


def test_the_size_from_which_a_hash_lets_go() -> None:
    done = releases(
        "--sizes", "2000..2100", "-s", f"{SETUP}; few = bytes(n)", "hashlib.sha256(few)", "--json"
    )
    answer = json.loads(done.stdout)
    assert (answer["lets_go_from"], answer["exact"], answer["changes"]) == (2048, True, 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["1/0"], "no verdict on 1/0: it fails: ZeroDivisionError: division by zero"),
        (["-s", "import nonesuch", "pass"], "No module named 'nonesuch'"),
        (["a b"], "SyntaxError"),
        (["import os; os._exit(0)"], "the process ended with status 0 in it"),
        (
            ["-s", "import warnings; warnings.simplefilter('ignore')", "import os; os.fork()"],
            "the process that it forks comes back out of it; os._exit ends one",
        ),
        (["--limit", "1", "while True: pass"], "it does not end in 1 s (--limit S allows more)"),
        (["import os; os.abort()"], "the process died of SIGABRT in it"),
        (["--nonsense", "pass"], "gilscope releases --help"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], said: str) -> None:
    (line,) = releases(*arguments, status=2).stderr.splitlines()
    assert line.startswith("gilscope: ") and said in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--limit", "0"], "--limit 0: from 1 to"),
        (["-n", "0"], "-n 0: from 1 call on"),
        (["-r", "0"], "-r 0: from 1 run on"),
        (["--size", "1"], "--size 1: a name"),
        (["--sizes", "5..1"], "--sizes 5..1: two sizes"),
        (["--python", "/bin/true"], "/bin/true is no Python: it takes a CPython from 3.8 on"),
        (["--python", "/nonesuch"], "there is no interpreter /nonesuch"),
        (["--expect", "luck"], "invalid choice"),
        (["a\0b"], "the statement has a null character"),
    ],
)
def test_what_cannot_be_asked(arguments: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        command.parse(arguments)


def test_the_magic_uses_the_notebooks_names(capsys: pytest.CaptureFixture[str]) -> None:
    program = (
        "from tracer.notebook import gil_line; import re\n"
        "def slow(): return re.match('(a*)*b', 'a' * 21)\n"
        "gil_line.answer('-n 1 -r 3 slow()', globals())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=TIMEOUT, env=environment()
    )
    assert "slow()" in done.stdout and "holds the GIL" in done.stdout, done.stderr
    for wrong in ("", "-n x pass", "-r 0 pass", "1/0"):
        with pytest.raises(UsageError):
            gil_line.answer(wrong, {})
