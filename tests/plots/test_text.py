from __future__ import annotations

import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from plots.style import style
from plots.text import ELLIPSIS, MISSING, elide, fit, font_file, percent, printable, width

NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (0.0001, "<1 %"),
        (0.0049, "<1 %"),
        (0.45, "45 %"),
        (0.9949, "99 %"),
        (0.9999, ">99 %"),
        (1, "100 %"),
    ],
)
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text.replace(" ", NBSP)


@pytest.mark.parametrize("room", [0, 20, 60, 100, 150, 1000])
def test_elide_fits_and_keeps_both_ends(room: float) -> None:
    name = "ThreadPoolExecutor-0_12"
    with style():
        short = elide(name, 14, room)
        assert short == name if width(name, 14) <= room else ELLIPSIS in short
        if room >= 20:
            assert width(short, 14) <= room
        if room >= 60:
            assert name.startswith(short.split(ELLIPSIS)[0])
            assert name.endswith(short.split(ELLIPSIS)[-1])
            assert short[-1] == "2"


def test_width_is_the_renderers() -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with style():
        figure = Figure()
        FigureCanvasAgg(figure)
        for text in ("countdown-1", "ThreadPoolExecutor-0_12", "iiii", "MMMM"):
            box = figure.text(0, 0, text, size=14).get_window_extent()
            assert width(text, 14) == pytest.approx(box.width * 72 / figure.dpi, abs=2)


@pytest.mark.parametrize("text", ["WAVE", "f", "Tj.", "waits: 12 ms …", "@%&ß", "AV'", "lane 0)", "jJ"])
def test_width_is_that_of_all_outlines(text: str) -> None:
    """It is measured on the few that may reach farthest."""
    with style():
        path = TextPath((0, 0), text, size=9, prop=FontProperties(fname=font_file()))
        assert width(text, 9) == path.get_extents().x1


def test_printable_is_one_line_in_the_font() -> None:
    with style():
        assert printable("two\nlines\t x") == "two lines x"
        assert printable("\x1b[31mred") == f"{MISSING}[31mred"
        assert printable("é µ → $x$") == "é µ → $x$"
        assert printable("🦊") == MISSING


def test_fit_prefers_large() -> None:
    with style():
        assert fit("short", 1000, (20, 10)) == ("short", 20)
        assert fit("short", width("short", 10) + 1, (20, 10)) == ("short", 10)
        text, size = fit("a rather long title", 60, (20, 10))
        assert size == 10
        assert ELLIPSIS in text
        assert width(text, 10) <= 60
