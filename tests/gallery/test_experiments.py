"""Every experiment, really run in its quick form: programs, recordings, figures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from matplotlib.text import Text

from plots.gallery import lab as lab_module
from plots.gallery.errors import ExperimentError
from plots.gallery.experiment import Experiment
from plots.gallery.experiments import EXPERIMENTS, every_way
from plots.gallery.gallery import Gallery
from plots.gallery.interpreters import Interpreter, Interpreters, ask
from plots.gallery.lab import Lab, Output, pinned
from plots.gallery.slide import Slide
from tests.launcher.support import ROOT


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    directory = tmp_path_factory.mktemp("gallery")
    made = Gallery(directory, [each.NAME for each in EXPERIMENTS], Interpreters(), quick=True)
    made.open()
    return made


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda each: each.NAME)
def test_runs_quickly(experiment: Experiment, gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Slide] = []
    save = Slide.save

    def keep(slide: Slide, stem: Path) -> list[Path]:
        drawn.append(slide)
        return save(slide, stem)

    monkeypatch.setattr(Slide, "save", keep)
    result = gallery.show(experiment)
    if result.status == "left out":
        pytest.skip(result.why)
    assert result.status == "measured", result.why
    for name in result.figures:
        assert (gallery.directory / name).stat().st_size > 10_000
    assert result.title and result.caption and result.shape in ("yes", "no", "partly")
    page = (gallery.directory / "README.md").read_text()
    assert result.title.replace("|", "\\|") in page
    (slide,) = drawn
    texts = slide.figure.findobj(Text)
    small = {text.get_text() for text in texts if text.get_text() and float(text.get_fontsize()) < 14}
    assert not small  # for the last row of the hall


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "examples").glob("*.py")))
def test_workloads_are_a_page(name: str) -> None:
    lines = (ROOT / "examples" / f"{name}.py").read_text().splitlines()
    assert len(lines) <= 80
    assert lines[0].startswith('"""')


def test_interpreters_are_what_they_say(tmp_path: Path) -> None:
    mine = ask(str(Path("/proc/self/exe").resolve()))
    assert mine.implementation == "CPython"
    kinds = {
        ("CPython", "2.7.18", False): ("python2.7",),
        ("CPython", "3.13.1", True): ("python3.13t",),
        ("CPython", "3.14.0", False): ("python3.14",),
        ("CPython", "3.11.2", False): (),
        ("PyPy", "3.9.16", False): ("pypy3",),
        ("Jython", "2.7.3", False): ("jython",),
        ("IronPython", "3.4", False): (),
    }
    for (implementation, version, free), expected in kinds.items():
        assert Interpreter("/x", implementation, version, free).kinds == expected
    fake = tmp_path / "python2.7"
    fake.write_text(
        "#!/bin/sh\necho '"
        '{"implementation": "CPython", "version": "2.7.1", "free_threaded": false, "pypy": ""}'
        "'\n"
    )
    fake.chmod(0o755)
    assert Interpreters([fake])["python2.7"].label == "CPython 2.7.1"


def test_a_program_that_fails_or_hangs_is_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path)
    programs = {"bad": "raise SystemExit('no good')", "hangs": "import time; time.sleep(600)"}
    for name, source in programs.items():
        (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.setattr(lab, "script", lambda name: tmp_path / f"{name}.py")
    with pytest.raises(ExperimentError, match=r"bad\.py: exit status 1: no good"):
        lab.run("bad")
    with pytest.raises(ExperimentError, match="still running"):
        lab.run("hangs", timeout=0.3)
    with pytest.raises(ExperimentError, match="no 'took'"):
        Output("rate  1.5 x/s\n")["took"]
    assert Output("with GIL  0.50 s\nrate  1.5 x/s\n")["with GIL"] == 0.5


def test_measurements_take_turns() -> None:
    order: list[str] = []

    def measure(name: str) -> float:
        order.append(name)
        return float(len(order))

    found = Lab(Path()).interleaved({"a": lambda: measure("a"), "b": lambda: measure("b")}, 3)
    assert order == list("ababab")
    assert found == {"a": [1.0, 3.0, 5.0], "b": [2.0, 4.0, 6.0]}


def test_pinning_ends_with_the_block() -> None:
    before = os.sched_getaffinity(0)
    with pinned([min(before)]):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before


def test_without_the_schedulers_records_what_they_are_needed_for_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracer = lab_module._tracer
    monkeypatch.setattr(lab_module, "_tracer", lambda trace: [*tracer(trace), "--no-sched"])
    monkeypatch.setattr(lab_module, "no_scheduling", lambda: "no leave")
    monkeypatch.setattr(every_way, "no_scheduling", lambda: "no leave")
    fakes = tmp_path / "pypy3"
    fakes.write_text(
        "#!/bin/sh\necho '"
        '{"implementation": "PyPy", "version": "3.9", "free_threaded": false, "pypy": "7.3"}'
        "'\n"
    )
    fakes.chmod(0o755)
    monkeypatch.setattr(every_way, "WAYS", every_way.WAYS[:3])
    gallery = Gallery(tmp_path / "new", ["every-way"], Interpreters([fakes]), quick=True)
    gallery.open()
    result = gallery.show(every_way)
    if len(os.sched_getaffinity(0)) < 2:
        assert "needs a second CPU" in result.why
    else:
        assert result.status == "measured", result.why
        assert list(result.values["ways"]) == ["threads-python", "processes-python"]
        assert "left out: pypy3: no leave" in (gallery.directory / "README.md").read_text()
    inversion = next(each for each in EXPERIMENTS if each.NAME == "inversion")
    assert "no leave" in gallery.show(inversion).why
