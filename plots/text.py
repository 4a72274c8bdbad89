"""Text that fits: measured with the renderer, shortened where there is no room."""

from __future__ import annotations

import pathlib
from functools import lru_cache
from typing import Any, Final

import matplotlib
import numpy as np
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.path import Path
from matplotlib.textpath import TextPath

ELLIPSIS: Final = "…"
MISSING: Final = "\N{REPLACEMENT CHARACTER}"


@lru_cache(maxsize=4096)
def _width(text: str, size: float, weight: str, font: str) -> float:
    if not text.strip():
        return 0.25 * size * len(text)
    # The advance of a final space counts for nothing, as in a renderer.
    return _right_end(TextPath((0, 0), text, size=size, prop=FontProperties(fname=font, weight=weight)))


def _right_end(path: Path) -> float:
    """Return the largest x of a path: `get_extents().x1`, but of the outlines alone that may reach so far."""
    vertices: Any = path.vertices
    codes: Any = path.codes
    begins = np.flatnonzero(codes == Path.MOVETO)
    # A curve lies between its control points, and each outline begins on itself.
    reach = np.maximum.reduceat(vertices[:, 0], begins) >= vertices[begins, 0].max()
    kept = np.repeat(reach, np.diff(np.append(begins, len(vertices))))
    return float(Path(vertices[kept], codes[kept]).get_extents().x1)


def font_file(weight: str = "normal") -> str:
    """Return the font that the current style writes in."""
    return str(findfont(FontProperties(family=matplotlib.rcParams["font.family"], weight=weight)))


def width(text: str, size: float, weight: str = "normal") -> float:
    """Return the width of one line of text in points, in the current style's font."""
    return _width(text, size, weight, font_file(weight))


@lru_cache(maxsize=8)
def _glyphs(font: str) -> frozenset[int]:
    return frozenset(get_font(pathlib.Path(font)).get_charmap())


def printable(text: str) -> str:
    """Return the text as one line that the font can write: a name may hold anything."""
    glyphs = _glyphs(font_file())
    line = " ".join(text.split())
    if matplotlib.rcParams["text.parse_math"]:  # as in figures of the caller's own; not so in our style
        line = line.replace("$", r"\$")
    return "".join(c if c.isprintable() and ord(c) in glyphs else MISSING for c in line)


def elide(text: str, size: float, limit: float, weight: str = "normal") -> str:
    """Return the text, or as much of its begin and end as fits into `limit` points with "…" between.

    The end of a thread's name is what tells it from its siblings ("ThreadPoolExecutor-0_12").
    """
    if width(text, size, weight) <= limit:
        return text
    low, high = 0, len(text) - 1  # characters kept
    while low < high:
        keep = (low + high + 1) // 2
        if width(_shortened(text, keep), size, weight) <= limit:
            low = keep
        else:
            high = keep - 1
    return _shortened(text, low)


def _shortened(text: str, keep: int) -> str:
    tail = keep // 2
    return text[: keep - tail].rstrip() + ELLIPSIS + text[len(text) - tail :].lstrip()


def fit(text: str, limit: float, sizes: tuple[float, ...], weight: str = "normal") -> tuple[str, float]:
    """Return the text and the largest of `sizes` (descending) in which it fits; shortened if none does."""
    for size in sizes:
        if width(text, size, weight) <= limit:
            return text, size
    return elide(text, sizes[-1], limit, weight), sizes[-1]


def percent(share: float) -> str:
    """Return "45 %"; what is there but would round to nothing is "<1 %"."""
    nbsp = "\N{NO-BREAK SPACE}"
    if 0 < share < 0.005:
        return f"<1{nbsp}%"
    if 0.995 <= share < 1:
        return f">99{nbsp}%"
    return f"{round(100 * share)}{nbsp}%"
