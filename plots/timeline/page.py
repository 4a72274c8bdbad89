"""A figure of its own around the lanes: a slide, composed in inches.

Title and figures, legend, patterns, names | lanes and owner strips | shares, waiters, time axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analysis.measures.switch_interval import intervals_in
from analysis.states import State

from ..drawing import draw_lanes
from ..style import ALARM, FAINT, INK, MUTED, NATIVE, OTHERS, owner_colours
from ..text import elide, fit, printable, width
from ..timeaxis import duration, set_time_axis
from . import headline as title_texts
from . import strips
from .covered import view_of
from .legend import draw_legend
from .over.patterns import ROW, draw_patterns, in_window
from .rows import plan, process_label
from .shares import FONT, draw_shares, share_columns, shares_from, width_of
from .view import EXACT, FEW_THREADS
from .window import Window

if TYPE_CHECKING:
    from analysis.tables.trace import Trace
    from analysis.why.detectors.finding import Pattern

_DPI: Final = 150
_WIDTH: Final = 13.3  # inches: a slide
_HEIGHT: Final = 7.5
_LEFT: Final = 0.40
_KEYS: Final = 1.27  # to the legend
_TOP: Final = 1.68  # to the first row
_WAITERS: Final = 0.55
_WAITERS_GAP: Final = 0.16
_BOTTOM: Final = 0.86
_NAMES: Final = (1.25, 2.55)  # least and greatest width of the names
_SWATCH: Final = 0.13
_SWATCH_GAP: Final = 0.11


def _names_width(labels: list[str]) -> float:
    widths = [width(printable(label), FONT) / 72 for label in labels]
    return float(np.clip(max(widths, default=0), *_NAMES))


def _labels(trace: Trace, threads: list[int]) -> list[str]:
    """Return what rows may be called, if these threads get lanes."""
    labels = [trace.threads[t].name for t in threads] + [f"{len(threads)} more threads"]
    processes = {trace.threads[t].process for t in threads}
    if len(processes) > 1:
        labels += [process_label(trace.processes[p]) for p in processes]
    if len(trace.gils) > len(processes):
        labels += [f"owner of GIL {gil.number}" for gil in trace.gils]
    return labels


class Page:
    """A figure of its own, composed."""

    def __init__(
        self,
        trace: Trace,
        window: Window,
        max_lanes: int | None,
        exact: bool | None,
        patterns: Sequence[Pattern] = (),
    ) -> None:
        self.trace = trace
        self.window = window
        self.patterns = in_window(patterns, window)
        room = _HEIGHT - _TOP - _WAITERS_GAP - _WAITERS - _BOTTOM - ROW * len(self.patterns)
        first = view_of(trace, window, 1, exact)
        if len(first.alive) > FEW_THREADS:  # which of them get a lane is not a matter of columns
            self.plan = plan(trace, first.seen, first.times, room, max_lanes=max_lanes, native=first.native)
            self.names = _names_width([row.label for row in self.plan.rows])
        else:
            self.names = _names_width(_labels(trace, [int(t) for t in first.alive]))
        lanes_left = _snap(_LEFT + self.names + _SWATCH + 2 * _SWATCH_GAP)
        columns = share_columns(trace, first)
        lanes_right = _snap(_WIDTH - 0.1 - width_of(columns))
        self.lanes_left = lanes_left
        self.shares = shares_from(lanes_right, columns)
        self.lanes_width = lanes_right - lanes_left
        self.view = first.at(round(self.lanes_width * _DPI))
        if len(first.alive) <= FEW_THREADS:
            self.plan = plan(
                trace, self.view.seen, self.view.times, room, max_lanes=max_lanes, native=first.native
            )
        self.view.show(self.plan.shown)
        self.height = _snap(_HEIGHT - room + max(room, self.plan.height))
        self.figure = Figure(figsize=(_WIDTH, self.height), dpi=_DPI)
        FigureCanvasAgg(self.figure)
        self.colours = self._owner_colours()

    def _owner_colours(self) -> dict[int, str]:
        """Give each lane's thread a colour, from the first one anew in each process: its GILs are its own."""
        colours: dict[int, str] = {}
        for process in {row.process for row in self.plan.lanes()}:
            threads = [row.thread for row in self.plan.lanes() if row.process == process]
            colours.update(zip(threads, owner_colours(len(threads)), strict=True))
        return colours

    def draw(self, title: str | None) -> Axes:
        """Compose everything; return the axes of the lanes."""
        below = _BOTTOM + _WAITERS + _WAITERS_GAP
        axes = self._axes(below, self.plan.height, "lanes")
        waiters = self._axes(_BOTTOM, _WAITERS, "waiters")
        axes.set_ylim(self.plan.height, 0)
        parts = draw_lanes(axes, self.view, self.plan)
        self._draw_labels(axes)
        if self.patterns:
            above = self._axes(below + self.plan.height, ROW * len(self.patterns), "patterns")
            draw_patterns(above, self.trace, self.patterns, self.window)
        self._draw_owners(axes)
        waited = self._draw_waiters(waiters)
        self._draw_time_axis(axes, waiters)
        for share in self.shares:
            self.figure.text(
                share.x / _WIDTH,
                1 - _KEYS / self.height,
                share.title,
                ha="right",
                va="top",
                color=share.colour,
                weight="bold",
                size=FONT,
            )
        draw_shares(axes, self.shares, self.plan, self.view, self.lanes_left, self.lanes_width)
        measures = title_texts.Measures.of(self.view, waited)
        self._draw_head(title or title_texts.headline(self.trace, self.window, measures), measures)
        draw_legend(
            self.figure,
            _LEFT / _WIDTH,
            1 - _KEYS / self.height,
            parts,
            72 * (self.shares[0].x - 0.75 - _LEFT),
            self.view.styles,
        )
        return axes

    def _axes(self, bottom: float, height: float, name: str) -> Axes:
        axes = self.figure.add_axes(
            (
                self.lanes_left / _WIDTH,
                bottom / self.height,
                self.lanes_width / _WIDTH,
                height / self.height,
            ),
            label=name,
        )
        axes.spines[:].set_visible(False)
        axes.set_xlim(self.window.start - self.trace.begin, self.window.end - self.trace.begin)
        return axes

    def _draw_labels(self, axes: Axes) -> None:
        """Write each row's name, and the square with the colour in which the strips show it as owner."""
        rows = [row for row in self.plan.rows if not row.attached]
        texts = [elide(printable(row.label), FONT, 72 * self.names) for row in rows]
        axes.set_yticks([row.middle for row in rows], texts)
        axes.tick_params(axis="y", length=0, pad=72 * (_SWATCH + 2 * _SWATCH_GAP))
        for label, row in zip(axes.get_yticklabels(), rows, strict=True):
            label.set_fontweight("bold" if row.kind == "process" else "normal")
            label.set_color(INK if row.kind in ("lane", "process") else MUTED)
        for row in self.plan.lanes():
            axes.scatter(
                [-(_SWATCH_GAP + _SWATCH / 2) / self.lanes_width],
                [row.middle],
                s=(72 * _SWATCH) ** 2,
                marker="s",
                color=self.colours[row.thread],
                linewidths=0,
                transform=axes.get_yaxis_transform(),
                clip_on=False,
                label="swatch",
            )

    def _draw_owners(self, axes: Axes) -> None:
        view, window, rows = self.view, self.window, self.plan.strips()
        polygons = []
        for row in rows:
            process = self.trace.processes[row.process]
            strips.draw_ground(axes, row, process.begin - self.trace.begin, process.end - self.trace.begin)
            threads = [int(t) for t in view.alive if self.trace.threads[t].process == row.process]
            if all(view.is_exact(t) for t in threads):
                polygons.append((row, strips.held_by(view.rows_of(threads), row.gil)))
                continue
            hidden = [t for t in threads if t not in self.colours]
            parts = [(self.colours[t], view.held(t, row.gil)) for t in threads if t in self.colours]
            if hidden:
                parts.append((OTHERS, view.crowd(hidden, row.gil)[0]))
            strips.draw_owner_shares(axes, row, parts, view.edges, self.trace.begin)
        names = {t: printable(self.trace.threads[t].name) for t in self.colours}
        strips.draw_owners(
            axes,
            polygons,
            self.colours,
            names,
            self.trace.begin,
            window.start,
            window.end,
            72 * self.lanes_width,
        )

    def _draw_waiters(self, axes: Axes) -> float | None:
        """Draw how many threads wait; return the share of the time in which any does, if that is known."""
        view, window = self.view, self.window
        if not self.trace.gils and view.cpus:
            self._draw_running(axes)
            waited: float | None = None
        elif view.seen.count() <= EXACT:
            rows = view.rows_of([int(t) for t in view.alive])
            times, counts = strips.waiters(rows[rows["state"] == State.WAITING], window.start, window.end)
            strips.draw_waiters(axes, times, counts, self.trace.begin)
            waited = float(np.diff(times)[counts > 0].sum()) / window.span
        else:
            shown = list(self.plan.shown)
            waiting = sum((view.columns(t)[1] for t in shown), view.crowd(list(self.plan.hidden))[1])
            strips.draw_waiters(axes, view.edges, waiting / np.diff(view.edges), self.trace.begin)
            waited = None
        axes.tick_params(axis="y", length=0, pad=6, labelsize=12, labelcolor=MUTED)
        axes.text(
            -(2 * _SWATCH_GAP + _SWATCH) / self.lanes_width,
            0.5,
            "waiting" if self.trace.gils or not view.cpus else "on a CPU",
            transform=axes.transAxes,
            ha="right",
            va="center_baseline",
            color=MUTED,
        )
        return waited

    def _draw_running(self, axes: Axes) -> None:
        """Without a GIL nobody waits for one: draw how many threads have a CPU."""
        view = self.view
        native = [style.state for style in view.styles].index(State.NATIVE)
        running = view.lane_crowd([int(t) for t in view.alive])[native]
        strips.draw_waiters(axes, view.edges, running / np.diff(view.edges), self.trace.begin, NATIVE)

    def _draw_time_axis(self, axes: Axes, waiters: Axes) -> None:
        for each in (axes, waiters):
            set_time_axis(each, self.window.start - self.trace.begin, self.window.end - self.trace.begin)
            each.grid(axis="x", color=FAINT, zorder=0)
        axes.tick_params(axis="x", length=0, labelbottom=False)
        axes.set_xlabel("")
        waiters.spines["bottom"].set_visible(True)
        self._draw_interval(waiters)

    def _draw_interval(self, waiters: Axes) -> None:
        """Draw the switch interval as a scale below the axis, where it has a size that can be seen."""
        intervals = intervals_in(self.trace)
        if len(intervals) != 1:
            return
        (interval,) = intervals
        share = interval / self.window.span
        if not 0.012 <= share <= 0.35:
            return
        y = -0.50 / _WAITERS
        waiters.plot(
            [0, share],
            [y, y],
            color=INK,
            linewidth=1.2,
            marker="|",
            markersize=9,
            transform=waiters.transAxes,
            clip_on=False,
            label="switch interval",
        )
        waiters.text(
            share + 0.08 / self.lanes_width,
            y,
            f"switch interval {duration(interval)}",
            transform=waiters.transAxes,
            va="center_baseline",
            color=MUTED,
            size=12,
        )

    def _draw_head(self, title: str, measures: title_texts.Measures) -> None:
        room = 72 * (_WIDTH - 2 * _LEFT)
        text, size = fit(printable(title), room, (25, 23, 21, 19, 17), "bold")
        self.figure.text(
            _LEFT / _WIDTH, 1 - 0.36 / self.height, text, size=size, weight="bold", va="top", gid="title"
        )
        warning = " · ".join(title_texts.warnings(self.trace))
        lost = width(warning + "   ", FONT) if warning else 0.0
        text, size = fit(
            printable(title_texts.subtitle(self.trace, self.window, measures)), room - lost, (14, 13, 12)
        )
        y = 1 - 0.84 / self.height
        self.figure.text(_LEFT / _WIDTH, y, text, size=size, color=MUTED, va="top", gid="subtitle")
        if warning:
            x = _LEFT / _WIDTH + (width(text + "  ·  ", size) / 72) / _WIDTH
            self.figure.text(x, y, warning, size=size, color=ALARM, va="top", gid="warning")


def _snap(inches: float) -> float:
    """Return the nearest length that is whole pixels: columns then are pixel columns."""
    return round(inches * _DPI) / _DPI
