"""Names that a terminal, rich, matplotlib or a browser would take for something else: nothing arrives raw."""

import html
import io
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import pytest
from matplotlib.axes import Axes
from matplotlib.text import Text

import analysis
import plots
from analysis.commands.cli import main
from analysis.destinations import html_text, json_text, stack_frame, visible
from plots.cli import main as draw
from plots.text import MISSING
from tests.synthetic import TraceWriter
from tracer.cli import main as gilscope

ODD = (
    "\x1b]0;TITLE\x07name",
    "[red]bold[/red][/] :bomb: \\[",
    "$\\frac{a$ $x^{$",
    "<b>bold</b>--><script>",
    "\x1b[2J\x1b[31mred",
    "a\nb\rc\td;e",
    "\u202eRTL\u2066",
    "\x9b31mC1\x7f",
    "\u2028line\u200bzero",
)
FIGURES = (
    *(plots.timeline, plots.ecdf, plots.handoff_matrix, plots.handoff_graph),
    *(plots.wait_anatomy, plots.blame, plots.flame),
)
COMMANDS = (
    ["{trace}"],
    ["{trace}", "--json"],
    ["blame", "{trace}"],
    ["blame", "{trace}", "--json"],
    ["blame", "{trace}", "--collapsed", "{out}"],
    ["blame", "{trace}", "--speedscope", "{out}"],
    ["whatif", "{trace}", "--no-gil"],
    ["whatif", "{trace}", "--json"],
    ["whatif", "{trace}", "--release-gil", ODD[4]],
    ["diff", "{trace}", "{other}", "--all"],
    ["diff", "{trace}", "{other}", "--json"],
    ["{trace}" + ODD[4]],
    ["{trace}", "--fail-if", ODD[4]],
    ["{trace}", "--" + ODD[4]],
)


def raw(text: str) -> set[str]:
    """Return the characters that show nothing of themselves."""
    return {
        c
        for c in text
        if c not in "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    }


def odd_trace(path: Path, step: int) -> Path:
    """Each thread has an odd name, and odd code holds the lock while the next one waits."""
    tids = range(100, 100 + len(ODD))
    with TraceWriter(path) as writer:
        process = writer.process(100, argv=(f"{ODD[4]}.py",))
        for number, (tid, name) in enumerate(zip(tids, ODD, strict=True), 1):
            process.name(tid, 1000, name)
            process.code(number, 1000, f"f{name}".replace("\n", ""), f"/x/{name}.py")
            process.frame(number, 1000, number)
        time = 2000
        process.events([(100, 1600, "recording_start"), (100, 1600, "gil_acquired")])
        for tid in tids[1:]:
            end = time + step
            process.events([(tid, time, "gil_wait"), (tid - 1, end, "gil_released", 0, tid - 100)])
            process.events([(tid, end + 10, "gil_acquired", 0, tid - 99)])
            time = end + step
        process.stop(100, time)
    return path


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    path = tmp_path_factory.mktemp("odd")
    return odd_trace(path / f"a{ODD[4]}\u202e", 100_000), odd_trace(path / "b", 300_000)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands(
    traces: tuple[Path, Path], tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither what is printed, nor files for other tools, nor what is said of what is wrong."""
    out = tmp_path / "out"
    try:
        main([part.format(trace=traces[0], other=traces[1], out=out) for part in command])
    except SystemExit as end:
        assert end.code == 2
    printed = capsys.readouterr()
    assert printed.out + printed.err
    assert not raw(printed.out + printed.err)
    if out.exists():
        assert not raw(out.read_text())


def test_dump(traces: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert gilscope(["dump", str(traces[0])]) == 0
    printed = capsys.readouterr().out
    assert not raw(printed)
    assert printed.count("\n") == len(analysis.load(traces[0]).events)


@pytest.mark.parametrize("ending", [".svg", ".pdf", ".png"])
def test_a_figure_in_every_format(traces: tuple[Path, Path], tmp_path: Path, ending: str) -> None:
    assert draw([str(traces[0]), "-o", str(tmp_path / f"x{ending}")]) == 0
    if ending == ".svg":
        assert not raw(tmp_path.joinpath("x.svg").read_text())
        ElementTree.parse(tmp_path / "x.svg")


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.__name__)
def test_figures_in_the_callers_style(traces: tuple[Path, Path], figure: Callable[..., Axes]) -> None:
    """Where "$" means mathematics, in axes of the caller's own, a name with it is a name."""
    drawn, axes = plt.subplots(figsize=(4, 3))
    figure(analysis.load(traces[0]), ax=axes)
    drawn.savefig(io.BytesIO(), format="svg")
    texts = [text.get_text() for text in drawn.findobj(Text)]
    plt.close("all")
    assert not raw("".join(texts).replace(MISSING, ""))


def test_whatever_reads_it_gets_the_name_itself() -> None:
    for name in ODD:
        assert json.loads(json_text(name)) == name
        assert not raw(visible(name))
        assert html.unescape(html_text(name)) == visible(name)
        assert "<" not in html_text(name)
        assert ";" not in stack_frame(name)
    assert visible("é\N{NO-BREAK SPACE}µ  ⇒ 漢字 🦊") == "é\N{NO-BREAK SPACE}µ  ⇒ 漢字 🦊"
    assert visible("\x1b[2J\r\u202e\udc80") == "\\x1b[2J\\r\\u202e\\udc80"


def test_markup_is_text(traces: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    main([str(traces[0])])
    assert ODD[1] in capsys.readouterr().out


def test_json_is_indented_as_python_does_it() -> None:
    row: dict[Any, Any] = {"a": 1, "b": [1.5, None, True], "c": (), "d": {}}
    values: list[Any] = ["x", [], {}, row, [row, [row, []]], {"n": float("inf"), "rows": [row]}, {1: [{}]}]
    for value in values:
        assert json_text(value) == json.dumps(value, indent=2)
