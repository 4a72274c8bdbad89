"""What tests look at in a figure: its artists by their labels, and their outlines."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from analysis.model import State

LABELS = {State.HOLDING: "holds the GIL", State.WAITING: "waits for it", State.RELEASED: "without it"}


def collections(axes: Axes, label: str) -> list[Collection]:
    return [artist for artist in axes.collections if artist.get_label() == label]


def outlines(collection: Collection) -> list[np.ndarray]:
    """The vertices of each polygon."""
    return [np.asarray(path.vertices) for path in collection.get_paths()]


def colours(collection: Collection) -> list[str]:
    return [to_hex(tuple(colour)).upper() for colour in np.asarray(collection.get_facecolor())]


def boxes(collection: Collection) -> np.ndarray:
    """Left, right, top, bottom of each polygon."""
    found = []
    for points in outlines(collection):
        x, y = points[:, 0], points[:, 1]
        found.append((x.min(), x.max(), y.min(), y.max()))
    return np.array(found)


def side_axes(axes: Axes, label: str) -> Axes:
    assert isinstance(axes.figure, Figure)
    return next(each for each in axes.figure.axes if each.get_label() == label)


def area(points: np.ndarray) -> float:
    """The shoelace formula."""
    x, y = points[:, 0], points[:, 1]
    return abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) / 2


def legend_of(axes: Axes) -> list[str]:
    assert isinstance(axes.figure, Figure)
    (legend,) = axes.figure.legends
    return [text.get_text() for text in legend.get_texts()]
