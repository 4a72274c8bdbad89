"""`pytest --gil`, as people use it: in a pytest of its own."""

from __future__ import annotations

import pytest

import analysis

pytest_plugins = ["pytester"]

TESTS = """
import threading, time
import pytest

def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass

def both():
    threads = [threading.Thread(target=spin, args=(0.1,), name=f"worker-{i}") for i in (1, 2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()

def test_quiet():
    pass

@pytest.mark.gil("acquires >= 1", "hold.max < 1h", "wait.max < 1h")
def test_kept():
    both()

@pytest.mark.gil("wait.total < 1us")
def test_broken():
    both()

@pytest.mark.gil("wait.total < 1 lightyear")
def test_no_limit():
    pass

def test_fails():
    assert False
"""


@pytest.fixture
def files(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(TESTS.replace('"acquires >= 1", ', "").replace("1h", "3600s"))
    return pytester


def test_without_its_options_nothing_is_recorded(files: pytest.Pytester) -> None:
    result = files.runpytest_subprocess("--strict-markers")
    result.assert_outcomes(passed=4, failed=1)
    assert "who waited" not in result.stdout.str()
    seen = files.runpython_c(
        "import sys, pytest; pytest.main(['-q', '-k', 'quiet']); "
        "print('NUMPY', 'numpy' in sys.modules, 'tracer.pytest_recording' in sys.modules)"
    )
    assert "NUMPY False False" in seen.stdout.str()


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_a_limit_that_is_not_kept_fails_the_test_with_the_line(
    files: pytest.Pytester, workers: list[str]
) -> None:
    if workers:
        pytest.importorskip("xdist")
    result = files.runpytest_subprocess("--gil", "--gil-trace", "kept", *workers)
    result.assert_outcomes(passed=2, failed=3)
    said = result.stdout.str()
    assert "wait.total is" in said and ">= 1us fails" in said
    assert ("spin(), test_a_limit" in said and "threads wait" in said) or "thread wait" in said
    assert "no unit" in said or "lightyear" in said
    table = said[said.index("who waited for the GIL") :]
    assert "test_broken" in table and table.index("test_broken") < table.index("test_quiet")
    kept = sorted(path.name for path in (files.path / "kept").iterdir())
    assert [name.rpartition("test_")[2] for name in kept] == ["broken.trace", "fails.trace", "limit.trace"][
        : len(kept)
    ]
    trace = analysis.load(files.path / "kept" / kept[0])
    assert {"worker-1", "worker-2"} <= {thread.name for thread in trace.threads}


def test_a_session_that_is_recorded_already_is_told_once(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import tracer\ntracer.start('all.trace', sched=False)")
    pytester.makepyfile("def test_fails():\n    assert False\ndef test_passes():\n    pass")
    result = pytester.runpytest_subprocess("--gil")
    result.assert_outcomes(passed=1, failed=1)
    said = result.stdout.str()
    assert "gilscope: 2 tests not recorded: this process is recorded already" in said
    assert "During handling" not in said
