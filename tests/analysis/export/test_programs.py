"""Exported files are opened by the very programs that they are for: the same counts and sums as ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import analysis
from analysis import Trace
from analysis.destinations import visible
from tests.analysis.export.perfetto_engine import answers
from tests.analysis.export.test_export import HOSTILE, exported, sums, switches
from tests.analysis.scenes import scheduled
from tests.analysis.why.code.test_charges import contended
from tests.plots.web.support import ROOT, node
from tests.synthetic import TraceWriter

_PATIENCE = 90


@pytest.fixture(scope="module", params=["contended", "scheduled"])
def trace(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trace:
    path = tmp_path_factory.mktemp("programs") / "t.trace"
    if request.param == "scheduled":
        return analysis.load(scheduled(path))
    with TraceWriter(path) as writer:
        process = writer.process(argv=["app.py", HOSTILE])
        contended(process).name(100, 0, HOSTILE).name(101, 1000, "worker")
    return analysis.load(path)


BY_THREAD = """\
select thread.tid, slice.name, count(*), sum(slice.dur) from slice
join thread_track on slice.track_id = thread_track.id join thread using (utid) group by 1, 2"""
BROKEN = "select coalesce(sum(value), 0) from stats where severity in ('error', 'data_loss')"


@pytest.mark.parametrize("form", ["perfetto", "chrome"])
def test_perfetto_s_trace_processor_opens_it(trace: Trace, tmp_path: Path, form: str) -> None:
    """Chrome's JSON too: that is what its own viewer is made of by now."""
    content = exported(trace, tmp_path / "t", form).read_bytes()
    slices, flows, broken = answers(content, BY_THREAD, "select count(*) from flow", BROKEN)
    assert {(tid, name): time for tid, name, _, time in slices} == dict(sums(trace))
    assert sum(number for *_, number, _ in slices) == len(trace.intervals)
    assert flows == [(switches(trace),)]
    assert broken == [(0,)]


@pytest.fixture
def profiler() -> Iterator[Callable[..., Any]]:
    """Firefox Profiler's own code, as its command line has it; what a call prints, from JSON."""
    package = ROOT / "node_modules" / "@firefox-devtools" / "profiler-cli"
    if not package.is_dir():
        pytest.skip("no Firefox Profiler here: npm ci (.ci/run does it)")
    program = json.loads((package / "package.json").read_text())["bin"]["profiler-cli"]
    home = tempfile.mkdtemp(prefix="gs-")  # a socket's path must be short

    def call(*arguments: str) -> Any:
        done = subprocess.run(
            [node(), str(package / program), *arguments],
            env={**os.environ, "HOME": home},
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
        return json.loads(done.stdout) if done.returncode == 0 and "--json" in arguments else done

    try:
        yield call
    finally:
        call("stop", "--all")
        shutil.rmtree(home, ignore_errors=True)


def test_firefox_profiler_opens_it(trace: Trace, tmp_path: Path, profiler: Callable[..., Any]) -> None:
    path = exported(trace, tmp_path / "t.json.gz", "firefox")
    profiler("load", str(path))  # says no where its daemon takes longer than half a second, and goes on
    until = time.monotonic() + _PATIENCE
    while not isinstance(listed := profiler("thread", "list", "--json"), dict):
        if time.monotonic() > until:
            pytest.skip("Firefox Profiler's daemon did not begin in time")
        time.sleep(0.5)
    text = json.dumps(listed)
    for thread in trace.threads:
        assert json.dumps(visible(thread.name))[1:-1] in text
    found: Counter[str] = Counter()
    for at in range(len(trace.threads)):
        assert profiler("thread", "select", f"t-{at}").returncode == 0
        seen = profiler("thread", "markers", "--json")
        for kind in seen["byType"]:
            found[kind["markerName"]] += kind["count"]
    assert found.total() == len(trace.intervals)
    assert found.keys() == {name for _, name in sums(trace)}
