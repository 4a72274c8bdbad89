"""What people get wrong is said in one line that names it, and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from analysis.__main__ import main as analyse
from analysis.reader.disk.zstd import functions
from tests.analysis.scenes import two_threads
from tests.synthetic import TraceWriter
from tracer.cli import main as gilscope

ROOT = Path(__file__).parents[3]

try:
    functions()
except Exception:
    packs = False
else:
    packs = True


def mistake(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line on stderr."""
    output = capsys.readouterr()
    assert output.err.count("\n") == 1, output.err
    return output.err.removeprefix("gilscope: ").rstrip()


def test_names_that_nothing_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(two_threads(tmp_path / "t"))
    for arguments in (
        ["path", path, "--thread", "walker"],
        [path, "--fail-if", "thread[walker].wait.max > 1ms"],
    ):
        assert analyse(arguments) == 2
        assert mistake(capsys) == "no thread 'walker' in the trace; there are worker, MainThread"
    assert analyse(["whatif", path, "--without-lock", "jobs"]) == 2
    assert mistake(capsys) == "no lock 'jobs' in the trace; there are none"


def test_what_is_no_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").touch()
    assert analyse([str(tmp_path / "empty")]) == 2
    assert "found a file that is no packed trace, expected a trace directory" in mistake(capsys)


def test_commands_of_the_launcher_say_it_as_all_do(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("top", "dump"):
        with pytest.raises(SystemExit) as end:
            gilscope([command])
        assert end.value.code == 2
        assert "arguments are required" in mistake(capsys)
        with pytest.raises(SystemExit) as end:
            gilscope([command, "--help"])
        assert not end.value.code
        assert capsys.readouterr().out.startswith(f"usage: gilscope {command} ")


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        for turn in range(5000):
            process.events([(100, 10 * turn, "gil_acquired"), (100, 10 * turn + 5, "gil_released")])
    command = f"{sys.executable} -m tracer dump {tmp_path}/t | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.endswith("\n1\n")


@pytest.mark.skipif(not packs, reason="no Zstandard")
def test_packs_the_directory_that_it_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(two_threads(tmp_path / "t.trace"))
    assert gilscope(["pack", "."]) == 0
    assert (tmp_path / "t.trace.gilpack").stat().st_size > 0
    capsys.readouterr()
    assert gilscope(["pack", "/"]) == 2
    assert mistake(capsys) == "/ is no trace"


@pytest.mark.skipif(not packs, reason="no Zstandard")
def test_a_packed_trace_that_was_cut_leaves_no_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = two_threads(tmp_path / "t.trace")
    whole = tmp_path / "whole.gilpack"
    assert gilscope(["pack", str(path), "-o", str(whole)]) == 0
    cut = tmp_path / "cut.gilpack"
    cut.write_bytes(whole.read_bytes()[:-100])
    capsys.readouterr()
    assert gilscope(["unpack", str(cut)]) == 2
    assert str(cut) in mistake(capsys)
    left = sorted(entry.name for entry in tmp_path.iterdir())
    assert left == ["cut.gilpack", "t.trace", "whole.gilpack"]
    assert gilscope(["unpack", str(whole)]) == 0
    assert (tmp_path / "whole" / "100" / "metadata").exists()
