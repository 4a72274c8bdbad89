"""A figure of the gallery: a slide with a finding, room to draw in, and the forms that it can have.

Everything is placed in inches of the slide, 13.3 x 7.5, with fonts of 14 points and more. The forms for
papers are the same drawn smaller: as wide as a page, or, narrower first, as a column.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..style import DARK_GROUND, FAINT, INK, MUTED, darken, style
from ..text import fit, printable, width

PAGE: Final = 7.0
COLUMN: Final = 3.4
"""Inches in a paper."""

_WIDTH: Final = 13.3
_HEIGHT: Final = 7.5
_PRINT: Final = PAGE / _WIDTH
"""What is 14 points on a slide is 7.4 in a paper, whatever its width."""

_DPI: Final = 150
_PRINT_DPI: Final = 300
_MARGIN: Final = 0.45


@dataclass(frozen=True)
class Form:
    """How figures are made: on a slide or in a paper, light or dark."""

    paper: bool = False
    dark: bool = False

    @property
    def suffix(self) -> str:
        """What the name of a figure's file ends in, before the dot."""
        return ("-paper" if self.paper else "") + ("-dark" if self.dark else "")


class Slide:
    """One figure in the making.

    Attributes
    ----------
    width, height : float, inches
    narrow : bool
        It is a column: there is room for one chart.
    """

    def __init__(self, form: Form, *, column: bool = False) -> None:
        self.form = form
        self.narrow = form.paper and column
        self.width = COLUMN / _PRINT if self.narrow else _WIDTH
        self.height = 6.2 if self.narrow else _HEIGHT
        self.figure = Figure(figsize=(self.width, self.height), dpi=_DPI)
        FigureCanvasAgg(self.figure)
        self.top = self.height

    def head(self, title: str, subtitle: str) -> None:
        """Write the finding, in one line or two, and below it what was done; `top` then is what is left."""
        room = 72 * (self.width - 2 * _MARGIN)
        sizes = (19.0, 18.0, 17.0) if self.form.paper else (27.0, 26.0, 25.0, 24.0, 23.0)
        lines, size = _wrapped(printable(title).replace(" ×", "\N{NO-BREAK SPACE}×"), room, sizes)
        y = self.height - 0.36
        for number, line in enumerate(lines):
            gid = "title" if number == 0 else None
            self._write(y, line, size, INK, "bold", gid)
            y -= size * 1.22 / 72
        y -= 0.07
        lines, size = _wrapped(printable(subtitle), room, (14.0,))
        for number, line in enumerate(lines):
            self._write(y, line, size, MUTED, "normal", "subtitle" if number == 0 else None)
            y -= size * 1.3 / 72
        self.top = y

    def _write(self, y: float, text: str, size: float, colour: str, weight: str, gid: str | None) -> None:
        self.figure.text(
            _MARGIN / self.width,
            y / self.height,
            text,
            size=size,
            weight=weight,
            color=colour,
            va="top",
            gid=gid,
        )

    def axes(self, left: float, bottom: float, width: float, height: float, name: str = "") -> Axes:
        """Return axes at a place in inches from the lower left corner."""
        return self.figure.add_axes(
            (left / self.width, bottom / self.height, width / self.width, height / self.height), label=name
        )

    def panels(
        self,
        weights: Sequence[float] = (1,),
        *,
        left: float = 1.15,
        gap: float = 1.35,
        bottom: float = 0.95,
        right: float = 0.5,
        top: float = 0.35,
    ) -> list[Axes]:
        """Return axes side by side, below the head; with so much room around and between them, in inches."""
        room = self.width - left - right - gap * (len(weights) - 1)
        made, x = [], left
        for weight in weights:
            wide = room * weight / sum(weights)
            made.append(self.axes(x, bottom, wide, self.top - top - bottom))
            made[-1].grid(axis="y", color=FAINT, zorder=0)
            x += wide + gap
        return made

    def note(self, axes: Axes, text: str) -> None:
        """Write over axes what they show."""
        axes.text(
            0,
            1 + 0.12 / (axes.get_position().height * self.height),
            printable(text),
            transform=axes.transAxes,
            size=15,
            weight="bold",
            color=INK,
        )

    def save(self, stem: Path) -> list[Path]:
        """Write `STEM.png` and `STEM.svg`, with the form's suffix; return their paths."""
        if self.form.dark:
            with style():
                darken(self.figure)
        inches = (COLUMN if self.narrow else PAGE) if self.form.paper else self.width
        png, svg = (stem.with_name(stem.name + self.form.suffix + end) for end in (".png", ".svg"))
        ground = DARK_GROUND if self.form.dark else "white"
        with style():
            dots = _PRINT_DPI * inches / self.width if self.form.paper else _DPI
            self.figure.savefig(
                png, dpi=dots, facecolor=ground, pil_kwargs={"dpi": (dots * self.width / inches,) * 2}
            )
            self.figure.savefig(svg, metadata={"Date": None}, facecolor=ground)
        if self.form.paper:
            svg.write_text(_resized(svg.read_text(), inches / self.width))
        return [png, svg]


def _resized(svg: str, scale: float) -> str:
    """Return an SVG file's text with another size on paper; what it shows stays."""

    def smaller(match: re.Match[str]) -> str:
        return f'{match[1]}="{float(match[2]) * scale:.3f}pt"'

    begin = svg.index("<svg")
    end = svg.index(">", begin)
    return svg[:begin] + re.sub(r'\b(width|height)="([\d.]+)pt"', smaller, svg[begin:end]) + svg[end:]


def _wrapped(text: str, room: float, sizes: Sequence[float]) -> tuple[list[str], float]:
    """Return the text in one line and the largest size in which it fits so; or in lines, in the smallest."""
    weight = "bold" if sizes[0] > 14 else "normal"
    for size in sizes:
        if width(text, size, weight) <= room:
            return [text], size
    size = sizes[-1]
    lines = _broken(text, room, size, weight)
    narrower = room
    while narrower > 0.5 * room:  # as even as it goes in so many lines
        narrower -= 0.03 * room
        tighter = _broken(text, narrower, size, weight)
        if len(tighter) > len(lines):
            break
        lines = tighter
    return [fit(line, room, (size,), weight)[0] for line in lines], size


def _broken(text: str, room: float, size: float, weight: str) -> list[str]:
    lines: list[str] = []
    for word in text.split(" "):
        if lines and width(f"{lines[-1]} {word}", size, weight) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
