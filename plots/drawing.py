"""Draws all lanes of a view: each as it is drawn best, and what a close-up has besides."""

from __future__ import annotations

from matplotlib.axes import Axes

from analysis.reader.format import Event

from .timeline import lanes
from .timeline.over import marks, said
from .timeline.rows import Plan, Row
from .timeline.view import View


def draw_lanes(axes: Axes, view: View, rows: Plan) -> set[str]:
    """Draw the lanes; return which keys besides the states the legend needs."""
    trace, window = view.trace, view.window
    origin, parts = trace.begin, set()
    axes.set_xlim(window.start - origin, window.end - origin)
    polygons = [(row, view.drawn.rows(row.thread)) for row in rows.lanes() if view.is_exact(row.thread)]
    lanes.draw_exact(axes, polygons, origin, window.start, window.end, view.pixel, view.styles)
    lanes.draw_shares(
        axes,
        [(row, view.lane(row.thread)) for row in rows.lanes() if not view.is_exact(row.thread)],
        view.edges,
        origin,
        view.styles,
    )
    time = view.state_times.sum(axis=0)
    parts |= {style.label for style in view.styles if style.rare and time[style.state] >= view.pixel}
    firsts = [(row, view.seen.rows(row.thread, 1)) for row in rows.lanes() if not view.is_exact(row.thread)]
    if lanes.draw_unknown(axes, polygons + firsts, origin, window.start, window.end):
        parts.add("unknown")
    for row in rows.rows:
        if row.kind == "rest":
            times = view.lane_crowd(list(rows.hidden))
            lanes.draw_crowd(axes, row, times, view.edges, origin, view.styles)
    lane_of = rows.lane_of()
    if view.all_exact and 0 < view.holds <= 4 * marks.ARROWS:
        parts |= _draw_close_up(axes, view, lane_of)
    if window.focus is not None:
        marks.draw_focus(axes, window.focus, lane_of, origin)
    if said.draw_spans(axes, trace, window, lane_of):
        parts.add("span")
    if said.draw_marks(axes, trace, window, lane_of):
        parts.add("mark")
    said.draw_switches(axes, trace, window, lane_of)
    if marks.draw_ends(axes, trace, window, rows.lanes(), origin):
        parts.add("cut")
    return parts


def _draw_close_up(axes: Axes, view: View, lane_of: dict[int, Row]) -> set[str]:
    parts = set()
    trace, window, origin = view.trace, view.window, view.trace.begin
    inch = window.span * axes.figure.dpi / axes.get_window_extent().width
    switches = marks.switches(view.rows_of([int(thread) for thread in view.alive]))
    if len(switches) <= marks.ARROWS and marks.draw_arrows(axes, switches, lane_of, origin):
        parts.add("handoff")
    requests = marks.requests(trace, window, lane_of)
    few = sum(map(len, requests.values())) <= marks.REQUESTS
    if few and marks.draw_requests(axes, requests, lane_of, view.visible, origin, inch):
        parts.add("drop request")
    passed = marks.events(trace, window, Event.GIL_TIMEOUT, lane_of)
    few = sum(map(len, passed.values())) <= marks.TIMEOUTS
    if few and marks.draw_timeouts(axes, passed, lane_of, origin):
        parts.add("timeout")
    return parts
