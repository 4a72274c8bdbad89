"""The atlas as a figure: a row a call; dark blue: with the GIL, green: computes without it, grey: sleeps.

Read it from the left end of a bar: what is blue there nobody else can use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analysis.units import duration, share

from ...style import FAINT, HOLD, INK, MUTED, NATIVE, RELEASED, style
from ...text import elide, printable
from .kept import Sheet

_DPI: Final = 110
_ROW: Final = 0.165
"""Inches."""

_SIZE: Final = 7.5
_LABEL, _BAR, _FIGURES, _GAP = 2.75, 1.6, 1.15, 0.3
"""Inches of a column's parts."""

_COLUMN: Final = _LABEL + _BAR + _FIGURES + _GAP
_ROWS_IN_A_COLUMN: Final = 75
_ROWS_IN_A_PICTURE: Final = 3 * _ROWS_IN_A_COLUMN
_HEAD: Final = 0.75
_MARGIN: Final = 0.25

_SHORT_PIECE: Final = 100_000

Row = tuple[str, Mapping[str, Any] | None]
"""A call and its figures; or a library, and None."""


def save(path: Path, sheets: Sequence[Sheet]) -> None:
    """Draw what was measured of some libraries into a PNG."""
    columns = list(_columns([row for of in sheets for row in _rows(of)]))
    high = max(map(len, columns)) * _ROW + _HEAD + 2 * _MARGIN
    wide = len(columns) * _COLUMN - _GAP + 2 * _MARGIN
    with style():
        figure = Figure(figsize=(wide, high), dpi=_DPI)
        FigureCanvasAgg(figure)
        _write_key(figure, wide, high)
        for number, rows in enumerate(columns):
            left = _MARGIN + number * _COLUMN
            bottom = _MARGIN
            height = high - _HEAD - 2 * _MARGIN
            axes = figure.add_axes((left / wide, bottom / high, (_COLUMN - _GAP) / wide, height / high))
            _draw(axes, rows, height)
        figure.savefig(path)


def parts(sheets: Sequence[Sheet]) -> list[list[Sheet]]:
    """Split libraries, in order, into as many pictures as it takes for each to be read."""
    number = -(-sum(1 + len(of.calls) for of in sheets) // _ROWS_IN_A_PICTURE)
    most = sum(1 + len(of.calls) for of in sheets) / max(number, 1)
    found: list[list[Sheet]] = [[]]
    rows = 0
    for of in sheets:
        if found[-1] and rows + (1 + len(of.calls)) / 2 > most * len(found):
            found.append([])
        found[-1].append(of)
        rows += 1 + len(of.calls)
    return found


def _rows(of: Sheet) -> Iterator[Row]:
    """Yield a library's title, then its calls, those that hold most first."""
    versions = [f"{name} {version}" for name, version in of.versions.items() if version]
    yield (", ".join(versions) or f"{of.library.removeprefix('python-')}, CPython {of.python}", None)
    yield from sorted(of.calls.items(), key=lambda item: -item[1]["held"])


def _columns(rows: list[Row]) -> Iterator[list[Row]]:
    """Cut rows into columns of about the same height; no title stands last, each column has one."""
    number = max(1, -(-len(rows) // _ROWS_IN_A_COLUMN))
    most = -(-len(rows) // number) + 2
    title = ""
    while rows:
        goes_on: list[Row] = [(f"{title} (goes on)", None)] if title and rows[0][1] is not None else []
        cut = min(most - len(goes_on), len(rows))
        while 1 < cut < len(rows) and rows[cut - 1][1] is None:
            cut -= 1
        title = next((name for name, figures in reversed(rows[:cut]) if figures is None), title)
        yield goes_on + rows[:cut]
        rows = rows[cut:]


def _write_key(figure: Figure, wide: float, high: float) -> None:
    x, y = _MARGIN, high - _MARGIN - 0.2
    figure.text(x / wide, y / high, "Share of each call's time", fontsize=13, fontweight="bold", color=INK)
    y -= 0.3
    for colour, word in (
        (HOLD, "holds the GIL"),
        (NATIVE, "computes without it"),
        (RELEASED, "sleeps, or has other threads compute"),
    ):
        figure.add_artist(_patch(x / wide, y / high, 0.16 / wide, 0.11 / high, colour))
        figure.text((x + 0.22) / wide, y / high, word, fontsize=9, color=INK)
        x += 0.45 + 0.085 * len(word)
    figure.text(
        x / wide, y / high, "right: share held · longest piece after being asked", fontsize=9, color=MUTED
    )


def _patch(x: float, y: float, width: float, height: float, colour: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), width, height, facecolor=colour, edgecolor="none")


def _draw(axes: Axes, rows: Sequence[Row], height: float) -> None:
    axes.set_xlim(0, _COLUMN - _GAP)
    axes.set_ylim(height / _ROW, 0)
    axes.set_axis_off()
    for at, (name, figures) in enumerate(rows):
        middle = at + 0.5
        if figures is None:
            title = elide(printable(name), _SIZE + 1, (_COLUMN - _GAP) * 72, "bold")
            axes.text(0, middle, title, fontsize=_SIZE + 1, fontweight="bold", va="center", color=INK)
            continue
        label = elide(printable(_short(name)), _SIZE, (_LABEL - 0.1) * 72)
        axes.text(_LABEL - 0.08, middle, label, fontsize=_SIZE, va="center", ha="right", color=INK)
        left = _LABEL
        axes.barh(middle, _BAR, 0.72, left, color=FAINT, linewidth=0)
        for part, colour in zip(_parts(figures), (HOLD, NATIVE, RELEASED), strict=True):
            axes.barh(middle, part * _BAR, 0.72, left, color=colour, linewidth=0)
            left += part * _BAR
        axes.text(_LABEL + _BAR + 0.08, middle, _figures(figures), fontsize=_SIZE, va="center", color=MUTED)


def _short(name: str) -> str:
    """Return a call's name without the packages that its title names already."""
    called, comma, what = name.partition(", ")
    parts = called.split(".")
    return ".".join(parts[-2:] if len(parts) > 2 else parts) + comma + what


def _parts(figures: Mapping[str, Any]) -> tuple[float, float, float]:
    held = float(figures["held"])
    own = figures["native"] + figures["asleep"]
    native = (1 - held) * figures["native"] / own if own else 0.0
    return held, native, 1 - held - native if own else 0.0


def _figures(figures: Mapping[str, Any]) -> str:
    piece = figures["piece_ns"]
    if figures["verdict"] == "no GIL":
        return "no GIL"
    said = share(figures["held"])
    if figures["lets_go_when_asked"]:
        return f"{said} · when asked"
    return f"{said} · {duration(piece)}" if piece >= _SHORT_PIECE else said
