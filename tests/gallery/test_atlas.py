"""The atlas: its files of calls, the survey of one, what is kept and the page."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from plots.gallery.atlas import command, kept, page
from plots.gallery.atlas.library import SOURCES, Library, libraries, read
from plots.gallery.atlas.survey import survey
from plots.gallery.errors import ExperimentError
from tracer.releases.program import compiled
from tracer.releases.recording import interpreter_of
from tracer.releases.sizes import read_range

SMALL = """
distributions = ["numpy"]
binding = "PyO3"
setup = "import os, hashlib"

[calls]
"hashlib.sha256" = {setup = "data = bytes(n)", run = "hashlib.sha256(data)", n = 1_000_000, sizes = "1..1e4"}
"re.match, backtracks" = {setup = "import re", run = "re.match('(a*)*b', 'a' * 18)"}
"os.abort" = {run = "os.abort()"}
"nothing" = {run = "nothing()"}
"bytes.find" = {setup = "data = bytes(10**6)", run = "data.find(b'x')"}
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Library:
    path = tmp_path_factory.mktemp("atlas") / "small.toml"
    path.write_text(SMALL)
    return read(path)


@pytest.fixture(scope="module")
def sheet(small: Library) -> kept.Sheet:
    return kept.sheet("small", survey(small, interpreter_of(None)), "2026-01-02", "a machine")


def test_what_one_call_breaks_only_it_loses(sheet: kept.Sheet) -> None:
    assert sheet.failures == {
        "nothing": "it fails: NameError: name 'nothing' is not defined",
        "os.abort": "the process died of SIGABRT in it",
    }
    assert list(sheet.calls) == ["hashlib.sha256", "re.match, backtracks", "bytes.find"]
    assert sheet.calls["hashlib.sha256"]["held"] < 0.2 < 0.8 < sheet.calls["bytes.find"]["held"]
    assert sheet.calls["hashlib.sha256"]["lets_go_from"] in (2048, 2049)  # 3.15 counts from one more


def test_every_call_of_the_atlas_is_a_program() -> None:
    """Also those for a GPU, which nothing here can run; and their setups say when there is none."""
    on_a_gpu = libraries(SOURCES / "gpu")
    assert {"torch", "cupy", "jax", "triton"} <= on_a_gpu.keys()
    assert all("there is no CUDA device" in library.setup for library in on_a_gpu.values())
    for library in [*libraries().values(), *on_a_gpu.values()]:
        compile(library.setup, library.name, "exec")
        names = [entry.call.name for entry in library.entries]
        assert names and len(set(names)) == len(names)
        for entry in library.entries:
            compile(entry.call.setup, entry.call.name, "exec")
            compiled(entry.call.statement, {})
            if entry.sizes:
                low, high = read_range(entry.sizes)
                assert "n" in entry.call.values and low < high


def test_a_library_that_is_not_there_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--gpu", "cupy", "--python", sys.executable, "--results", str(tmp_path / "none")]
    assert command.main([*options, "-o", str(tmp_path / "page.md")]) == 2
    missing, nothing = capsys.readouterr().err.splitlines()
    assert missing.startswith("cupy  left out: the setup fails: ") and "nothing has been measured" in nothing


def test_what_is_kept_reads_back_and_makes_a_page(sheet: kept.Sheet, small: Library, tmp_path: Path) -> None:
    kept.save(tmp_path / "results", sheet)
    (loaded,) = kept.load(tmp_path / "results")
    assert loaded == sheet
    written = page.write(tmp_path / "docs" / "releases.md", [loaded], [small, *libraries().values()])
    text = written.read_text()
    assert "; bound with PyO3; CPython" in text
    assert "3 calls of 3 packages" in text and "| `bytes.find` | **holds** |" in text
    assert "Not measured with Python" in text and (tmp_path / "docs" / "releases-libraries.png").exists()
    held = {**loaded.calls["bytes.find"], "verdict": "lets go", "held": 0.125}
    other = replace(loaded, calls={**loaded.calls, "bytes.find": held})
    ((where, name, was, now),) = kept.differences([other], [loaded])
    assert (where, name) == (f"small, Python {loaded.minor}", "bytes.find")
    assert was == "lets go (12.5%)" and now.startswith("holds (")
    (tmp_path / "results" / "other.json").write_text("{}")
    with pytest.raises(ExperimentError, match=r"other\.json: not a sheet of the atlas"):
        kept.load(tmp_path / "results")


def test_the_committed_page_has_what_was_measured() -> None:
    sheets = kept.load(SOURCES / "results")
    main = page.main_python(sheets)
    shown = [of for of in sheets if of.minor == main]
    assert sum(len(of.calls) for of in shown) >= 250
    text = (SOURCES.parents[1] / "docs" / "releases.md").read_text()
    for of in shown:
        assert f"### {of.library}\n" in text
        for name in of.calls:
            assert f"`{name.partition(', ')[0]}`" in text, name


def test_right_answers_by_their_sources() -> None:
    """Checked by the libraries' sources or a probe without gilscope: see CHANGES and findings."""
    calls: dict[str, float] = {}
    for of in kept.load(SOURCES / "results"):
        if of.minor == page.main_python(kept.load(SOURCES / "results")):
            calls |= {name: figures["held"] for name, figures in of.calls.items()}
    for name in ("numpy.sort, floats", "zlib.compress", "numpy.linalg.svd", "shapely.union_all", "cv2.Canny"):
        assert calls[name] < 0.2, name
    for name in ("scipy.linalg.svd", "shapely.Polygon.intersection", "orjson.loads", "numpy.ndarray.tolist"):
        assert calls[name] > 0.8, name


def test_bad_files_and_names_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("", "calls = 3", "[calls]\n'a' = {}", "[calls]\n'a' = {run = 'x', wrong = 1}", "]["):
        (tmp_path / "bad.toml").write_text(text)
        with pytest.raises(ExperimentError, match=r"bad\.toml"):
            read(tmp_path / "bad.toml")
    assert command.main(["nonesuch"]) == 2
    assert command.main(["--redraw", "--results", str(tmp_path)]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert "no library 'nonesuch' in the atlas" in first and "nothing has been measured" in second
