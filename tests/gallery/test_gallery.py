"""The command, the pages and what is kept, with experiments that measure nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from plots.gallery import cli, results
from plots.gallery.errors import ExperimentError
from plots.gallery.experiment import Shape, Values
from plots.gallery.gallery import Gallery
from plots.gallery.interpreters import Interpreters
from plots.gallery.lab import Lab
from plots.gallery.slide import Form, Slide


@dataclass
class Fake:
    """An experiment: measures a number; or lacks something, or fails."""

    NAME: str = "fake"
    ABOUT: str = "Is 1 < 2 & so on?"
    SECONDS: float = 1.0
    COLUMN: bool = False
    PUBLISHED: str = "one | two"
    lacks: list[str] = field(default_factory=list)
    error: Exception | None = None
    number: float = 1.25

    def needs(self, lab: Lab) -> list[str]:
        return self.lacks

    def run(self, lab: Lab) -> Values:
        if self.error is not None:
            raise self.error
        return {"number": self.number}

    def title(self, values: Values) -> str:
        return f"It is {values['number']}"

    def caption(self, values: Values) -> str:
        return f"Measured: {values['number']}."

    def shape(self, values: Values) -> Shape:
        return Shape("yes" if values["number"] > 1 else "no", "greater than 1")

    def draw(self, slide: Slide, values: Values, lab: Lab) -> None:
        slide.head(self.title(values), "a subtitle")
        (axes,) = slide.panels()
        axes.plot([0, 1], [0, values["number"]])


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def gallery(directory: Path, *names: str, **options: Any) -> Gallery:
    made = Gallery(directory, names or ("fake",), Interpreters(), **options)
    made.open()
    return made


def test_what_was_measured_is_kept_and_shown(tmp_path: Path) -> None:
    gallery(tmp_path / "figures").show(Fake())
    kept = json.loads((tmp_path / "figures" / "results.json").read_text())["gallery"]["fake"]
    assert kept["values"] == {"number": 1.25}
    assert kept["figures"] == ["fake.png", "fake.svg"]
    assert kept["machine"]["kernel"] and kept["machine"]["python"] and kept["machine"]["packages"]["numpy"]
    assert kept["when"].startswith("20")
    markdown = (tmp_path / "figures" / "README.md").read_text()
    assert "| [fake](#fake) | one \\| two | It is 1.25 | yes |" in markdown
    assert "Measured: 1.25." in markdown and "![It is 1.25](fake.png)" in markdown
    html = (tmp_path / "figures" / "index.html").read_text()
    assert 'src="fake.png"' in html and "Is 1 &lt; 2 &amp; so on?" in html and "greater than 1" in html


def test_slides_and_papers_have_their_sizes(tmp_path: Path) -> None:
    for form, size in (
        (Form(), (1995, 1125)),
        (Form(paper=True), (2100, 1184)),
        (Form(dark=True), (1995, 1125)),
    ):
        gallery(tmp_path, form=form).show(Fake(), redraw=form != Form())
        assert size_of(tmp_path / f"fake{form.suffix}.png") == size
    gallery(tmp_path, form=Form(paper=True)).show(Fake("fake-column", COLUMN=True))
    assert size_of(tmp_path / "fake-column-paper.png")[0] == pytest.approx(3.4 * 300, abs=1)
    assert 'width="244.800pt"' in (tmp_path / "fake-column-paper.svg").read_text()
    assert {"fake.png", "fake-dark.png", "fake-paper.svg"} <= set(results.load(tmp_path)["fake"].figures)


def test_figures_of_what_was_measured_before_do_not_stay(tmp_path: Path) -> None:
    gallery(tmp_path, form=Form(dark=True)).show(Fake())
    (tmp_path / "fake-mine.png").write_text("not the gallery's")
    gallery(tmp_path).show(Fake(number=3.0))
    assert not list(tmp_path.glob("*dark*"))
    assert (tmp_path / "fake-mine.png").exists()
    assert results.load(tmp_path)["fake"].figures == ["fake.png", "fake.svg"]


def test_the_dark_theme_is_dark_and_its_text_light(tmp_path: Path) -> None:
    slide = Slide(Form(dark=True))
    Fake().draw(slide, {"number": 2.0}, Lab(tmp_path))
    slide.save(tmp_path / "dark")
    with Image.open(tmp_path / "dark-dark.png") as image:
        assert image.convert("L").getpixel((3, 3)) < 40  # type: ignore[operator]
    title = next(text for text in slide.figure.texts if text.get_gid() == "title")
    assert title.get_color()[0] > 0.9  # type: ignore[operator]


def test_a_long_title_goes_on_in_a_second_line(tmp_path: Path) -> None:
    slide = Slide(Form())
    slide.head("word " * 24, "subtitle")
    texts = [text for text in slide.figure.texts if text.get_fontweight() == "bold"]
    assert len(texts) == 2
    assert all(text.get_window_extent().x1 < slide.figure.bbox.width for text in texts)


def test_what_is_left_out_and_what_failed_is_said_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fakes = (
        Fake("first", lacks=["needs a second CPU", "no jython"]),
        Fake("second", error=ExperimentError("recording refused")),
        Fake("third", error=KeyError("took")),
        Fake("fourth"),
    )
    monkeypatch.setattr(cli, "EXPERIMENTS", fakes)
    assert cli.main(["-o", str(tmp_path / "new")]) == 1
    page = (tmp_path / "new" / "README.md").read_text()
    said = capsys.readouterr().err
    for text in (page, said):
        assert "left out: needs a second CPU, no jython" in text
        assert "failed: recording refused" in text
        assert "failed: KeyError: 'took'" in text
        assert "It is 1.25" in text
    assert cli.main(["-o", str(tmp_path / "new"), "fourth"]) == 0
    assert "failed: recording refused" in (tmp_path / "new" / "README.md").read_text()
    assert cli.main(["-o", str(tmp_path / "new"), "first"]) == 0


def test_what_was_measured_once_is_not_lost_where_it_cannot_be_repeated(tmp_path: Path) -> None:
    gallery(tmp_path).show(Fake())
    assert gallery(tmp_path).show(Fake(lacks=["no python2.7"])).status == "left out"
    assert results.load(tmp_path)["fake"].status == "measured"


def test_redrawing_measures_nothing(tmp_path: Path) -> None:
    gallery(tmp_path).show(Fake())
    (tmp_path / "fake.png").unlink()
    gallery(tmp_path).show(Fake(error=AssertionError()), redraw=True)
    assert (tmp_path / "fake.png").exists()
    assert gallery(tmp_path / "empty").show(Fake(), redraw=True).status == "left out"


@pytest.mark.parametrize(
    "content", ["", "[]", '{"format": 99, "gallery": {}}', '{"format": 1, "gallery": {"a": {"b": 1}}}']
)
def test_results_of_other_origin_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(ExperimentError, match=r"results\.json"):
        gallery(tmp_path)
    assert (tmp_path / "results.json").read_text() == content


def test_files_of_other_origin_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "EXPERIMENTS", (Fake(),))
    (tmp_path / "thesis.txt").write_text("mine")
    assert cli.main(["-o", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert cli.main(["-o", str(tmp_path), "--force"]) == 0
    assert cli.main(["-o", str(tmp_path)]) == 0
    assert (tmp_path / "thesis.txt").read_text() == "mine"
    assert cli.main(["-o", str(tmp_path / "thesis.txt")]) == 2


def test_bad_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["nonsense"], ["--python", str(tmp_path / "none")], ["--python", "/bin/cat"]):
        assert cli.main([*arguments, "-o", str(tmp_path / "new")]) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1 and lines[0].startswith("gilscope: ")
        if arguments == ["nonsense"]:
            assert "every-way" in lines[0] and "small-arrays" in lines[0]
    assert not (tmp_path / "new").exists()
