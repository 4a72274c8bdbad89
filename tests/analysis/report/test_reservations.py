"""What is said before anything else: recordings that ended early, and code that could not be sampled."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

import analysis
import plots
from analysis.__main__ import main
from analysis.report.summary import to_json
from analysis.report.terminal import print_summary
from analysis.report.verdict import verdict
from tests.synthetic import TraceWriter

MS = 1_000_000


def ended_early(path: Path, processes: int = 1) -> analysis.Trace:
    with TraceWriter(path) as writer:
        for number in range(processes):
            pid = 100 + 10 * number
            process = writer.process(pid)
            process.code(1, 0, "work").frame(1, 0, 1)
            process.events([(pid, 0, "gil_acquired"), (pid + 1, MS, "gil_wait")])
            process.events([(pid, 9 * MS, "gil_released", 0, 1), (pid + 1, 9 * MS, "gil_acquired")])
            process.fail(10 * MS, 28, f"/tmp/t/{pid}/gil_0")
    return analysis.load(path)


def test_the_reason_comes_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = ended_early(tmp_path / "t.trace")
    said = "The recording of process 100 ended early: No space left on device: /tmp/t/100/gil_0."
    assert verdict(analysis.statistics(trace)).startswith(said)
    assert to_json(trace)["ended_early"] == [
        {"pid": 100, "reason": "No space left on device: /tmp/t/100/gil_0"}
    ]
    for command in ("blame", "whatif"):
        assert main([command, str(trace.path)]) == 0
        assert said in capsys.readouterr().err
    assert main(["diff", str(trace.path), str(trace.path)]) == 0
    assert capsys.readouterr().err.count(said) == 2
    assert main([str(trace.path)]) == 0
    found = capsys.readouterr()
    assert found.out.count("ended early") == 1
    assert found.out.startswith("t.trace  recorded in part (no space left on device) · 2 threads")


@pytest.mark.parametrize(
    "figure", ["timeline", "wait_anatomy", "blame", "ecdf", "flame", "handoff_matrix", "handoff_graph"]
)
def test_titles(tmp_path: Path, figure: str) -> None:
    from matplotlib.text import Text

    trace = ended_early(tmp_path / "t.trace")
    drawn = getattr(plots, figure)(trace, *(["waits"] if figure == "ecdf" else []))
    texts = [text.get_text() for text in getattr(drawn, "figure", drawn).findobj(Text)]
    assert any(text.startswith("Recorded in part (no space left on device). ") for text in texts)


def test_many_that_ended_for_one_reason_are_one_sentence(tmp_path: Path) -> None:
    said = verdict(analysis.statistics(ended_early(tmp_path / "t.trace", 6)))
    assert said.startswith(
        "6 recordings ended early (processes 100, 110, 120, 130 and 2 more): No space left on device."
    )


def test_refused_samples_are_said(tmp_path: Path) -> None:
    why = "process_vm_readv is not permitted here (Operation not permitted)"
    with TraceWriter(tmp_path / "t.trace") as writer:
        process = writer.process(100, samples=f"off: {why}")
        process.events([(100, 0, "gil_acquired"), (100, MS, "gil_released")]).stop(100, 2 * MS)
        process = writer.process(200, samples="off")  # not wanted
        process.events([(200, 0, "gil_acquired"), (200, MS, "gil_released")]).stop(200, 2 * MS)
    file = io.StringIO()
    print_summary(analysis.load(tmp_path / "t.trace"), Console(file=file, width=300))
    assert f"Code inside holds was not sampled (process 100): {why}." in file.getvalue()
