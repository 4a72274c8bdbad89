"""A free-threaded program that imports what can't do without a GIL: the moment, the import and its line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import analysis
from analysis.measures.statistics import statistics
from analysis.measures.switched_on import switched_on
from analysis.report.verdict import verdict
from plots import timeline
from tests.launcher.support import Launcher, free_threaded
from tests.synthetic import TraceWriter

MODULE = """
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "switcher", NULL, 0, NULL};
PyMODINIT_FUNC PyInit_switcher(void) { return PyModuleDef_Init(&module); }
"""

PROGRAM = """
import sys, threading, time, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, {place!r})
done = []


def work():
    while not done:
        sum(range(1000))


def load():
    begin = time.monotonic_ns()
    import switcher
    print(begin, time.monotonic_ns(), int(sys._is_gil_enabled()))


threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
time.sleep(0.05)
load()
done.append(1)
for thread in threads:
    thread.join()
"""


def test_an_import_that_switches_the_gil_on(
    launcher: Launcher, interpreters: list[str], tmp_path: Path
) -> None:
    python = free_threaded(interpreters)
    if python is None:
        pytest.skip("there is no free-threaded Python")
    (tmp_path / "switcher.c").write_text(MODULE)
    asked = [python, "-c", "import sysconfig; print(sysconfig.get_path('include'))"]
    include = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    if not Path(include, "Python.h").exists():
        pytest.skip("there are no headers of the free-threaded Python")
    command = ["cc", "-shared", "-fPIC", f"-I{include}", "switcher.c", "-o", "switcher.so"]
    subprocess.run(command, cwd=tmp_path, check=True)
    source = PROGRAM.format(place=str(tmp_path))
    run = launcher.record(source, options=("--no-sched", "--no-png", "--python", python))
    begin, end, enabled = map(int, run.stdout.split())
    assert enabled == 1
    trace = run.load()
    assert analysis.validate(trace) == []
    (switch,) = switched_on(trace)
    assert (switch.module, switch.where) == ("switcher", "load(), program.py:15")
    assert begin < switch.time < end  # as the program itself saw it
    said = verdict(statistics(trace), trace)
    assert "The import of switcher in load(), program.py:15, switched the GIL on" in said


def test_the_timeline_says_where_the_gil_was_switched_on(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(pid=100)
        process.code(1, 900, "load", line=10).frame(1, 900, 1, 2)
        process.name(100, 2_000, "switcher\n/lib/switcher.so", "gil_module")
        process.events(
            [
                (100, 1_000, "recording_start"),
                (100, 2_000, "gil_enabled", 0, 1),
                (100, 2_100, "gil_acquired"),
                (100, 2_200, "gil_released"),
            ]
        ).stop(100, 3_000)
    axes = timeline(analysis.load(tmp_path / "t"))
    said = [text.get_text() for text in axes.texts]
    assert "GIL on: import of switcher in load(), app.py:11" in said
