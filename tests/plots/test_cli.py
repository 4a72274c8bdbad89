from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from plots.cli import main

from . import scenes
from .conftest import Scene


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scenes.two_threads(tmp_path_factory.mktemp("cli") / "two.trace")


@pytest.mark.parametrize(
    ("suffix", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF"), ("PNG", b"\x89PNG")]
)
def test_the_suffix_is_the_format(trace: Path, tmp_path: Path, suffix: str, magic: bytes) -> None:
    target = tmp_path / f"figure.{suffix}"
    assert main([str(trace), "-o", str(target), "--start", "40ms", "--end", "0.06"]) == 0
    assert target.read_bytes().startswith(magic)


def test_the_same_trace_makes_the_same_file(trace: Path, tmp_path: Path) -> None:
    for suffix in ("png", "svg", "pdf"):
        first, second = tmp_path / f"1.{suffix}", tmp_path / f"2.{suffix}"
        assert main([str(trace), "-o", str(first)]) == main([str(trace), "-o", str(second)]) == 0
        assert first.read_bytes() == second.read_bytes()


def test_a_figure_is_replaced_only_by_force(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "figure.png"
    target.write_text("mine")
    assert main([str(trace), "-o", str(target)]) == 2
    assert target.read_text() == "mine"
    assert "--force" in capsys.readouterr().err
    assert main([str(trace), "-o", str(target), "--force"]) == 0
    assert target.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-o", "x.jpg"], ".png, .svg or .pdf"),
        (["-o", "x"], ".png, .svg or .pdf"),
        (["-o", "x.png", "--start", "soon"], "--start: not a time: 'soon'"),
        (["-o", "x.png", "--end=-3ms"], "--end: not a time"),
        (["-o", "x.png", "--start", "9s"], "nothing to draw"),
        (["-o", "x.png", "--around", "lunch"], "'lunch'"),
        (["-o", "nowhere/x.png"], "nowhere/x.png: No such file or directory"),
        (["-o", "x.png", "--lanes", "0"], "--lanes"),
        (["-o", "x.png", "--colour"], "--colour"),
        ([], "-o"),
    ],
)
def test_what_can_not_be_drawn_is_one_line_and_status_2(
    trace: Path, tmp_path: Path, arguments: list[str], says: str
) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "plots", str(trace), *arguments],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.returncode == 2
    assert found.stderr.startswith("gilscope: ")
    assert found.stderr.count("\n") == 1
    assert says in found.stderr
    assert not (tmp_path / "x.png").exists()


def test_no_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.trace"), "-o", str(tmp_path / "x.png")]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "none.trace" in line


def test_pyplot_is_never_imported(trace: Path, tmp_path: Path) -> None:
    program = (
        "import sys, analysis, plots\n"
        f"trace = analysis.load({str(trace)!r})\n"
        "import matplotlib\n"
        "before = matplotlib.rcParams.copy()\n"
        "plots.timeline(trace); plots.ecdf(trace); plots.handoff_matrix(trace)\n"
        f"plots.save_timeline(trace, {str(tmp_path / 'x.svg')!r})\n"
        "assert matplotlib.rcParams.copy() == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=Path(__file__).parents[2],
        check=True,
        timeout=60,
    )


def test_more_lanes_on_demand(scene: Scene, tmp_path: Path) -> None:
    path = scene("twelve_threads").path
    assert main([str(path), "-o", str(tmp_path / "x.png"), "--lanes", "5"]) == 0
