from __future__ import annotations

import pytest

from analysis.model import State
from plots import PlotError
from plots.timeline.window import window

from ..conftest import Scene
from ..scenes import MS


def test_all_by_default(scene: Scene) -> None:
    trace = scene("two_threads")
    found = window(trace, None, None)
    assert (found.start, found.end, found.whole) == (trace.begin, trace.end, True)


def test_times_count_from_the_begin(scene: Scene) -> None:
    trace = scene("two_threads")
    found = window(trace, 40 * MS, 75 * MS)
    assert (found.start, found.end, found.whole) == (trace.begin + 40 * MS, trace.begin + 75 * MS, False)
    assert window(trace, 40 * MS, 10**15).end == trace.end
    assert window(trace, 0, 10**15).whole


@pytest.mark.parametrize("around", ["largest-wait", "largest-hold"])
def test_around_the_largest(scene: Scene, around: str) -> None:
    trace = scene("four_kinds")
    state = State.WAITING if around == "largest-wait" else State.HOLDING
    rows = trace.intervals[trace.intervals["state"] == state]
    longest = rows[rows["duration"].argmax()]
    found = window(trace, None, None, around)
    assert found.focus == (longest["thread"], longest["start"], longest["start"] + longest["duration"])
    assert trace.begin <= found.start <= longest["start"]
    assert longest["start"] + longest["duration"] <= found.end <= trace.end
    assert found.span >= 4 * trace.processes[0].switch_interval
    assert found.finding is not None
    assert trace.threads[int(longest["thread"])].name in found.finding


def test_around_a_time_is_centred_and_stays_inside(scene: Scene) -> None:
    trace = scene("four_kinds")
    middle = window(trace, None, None, "100ms")
    assert (middle.start + middle.end) // 2 == trace.begin + 100 * MS
    assert window(trace, None, None, "0").start == trace.begin
    assert window(trace, None, None, "248.9ms").end == trace.end


@pytest.mark.parametrize(
    ("start", "end", "around", "message"),
    [
        (300 * MS, None, None, "is 232 ms long: nothing to draw from 300 ms on"),
        (50 * MS, 40 * MS, None, "the end must be later"),
        (50 * MS, 50 * MS, None, "the end must be later"),
        (50 * MS, None, "largest-wait", "leave out --start"),
        (None, None, "the-moon", "'the-moon' is none of largest-wait"),
        (None, None, "400ms", "is after its end"),
    ],
)
def test_windows_with_nothing_in_them(
    scene: Scene, start: int | None, end: int | None, around: str | None, message: str
) -> None:
    with pytest.raises(PlotError) as caught:
        window(scene("two_threads"), start, end, around)
    text = str(caught.value).replace("\N{NO-BREAK SPACE}", " ")
    assert message in text
    assert "\n" not in text


def test_no_wait_to_look_at(scene: Scene) -> None:
    with pytest.raises(PlotError, match="no wait for the GIL"):
        window(scene("one_thread"), None, None, "largest-wait")
    with pytest.raises(PlotError, match="no hold of the GIL"):
        window(scene("single_event"), None, None, "largest-hold")


def test_one_event_still_has_a_window(scene: Scene) -> None:
    assert window(scene("single_event"), None, None).span == 1
