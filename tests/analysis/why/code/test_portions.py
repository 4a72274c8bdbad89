"""Waits charged by samples: exact figures on synthetic traces."""

from __future__ import annotations

from pathlib import Path

import analysis
from analysis.whatif.released import portions_in
from analysis.why.code.words import sentences
from tests.synthetic import ProcessWriter, TraceWriter

MS = 1_000_000


def holds(process: ProcessWriter, lengths: list[int]) -> list[tuple[int, int]]:
    """Thread 100 holds so long each time, always waited for by 101, and lets go in log(); when that was."""
    process.code(1, 0, "parse", "app.py", 1).code(2, 0, "log", "app.py", 10)
    process.frame(1, 0, 1, 4).frame(2, 0, 2, 4)
    found, now = [], 0
    for length in lengths:
        process.events(
            [(100, now, "gil_acquired"), (101, now, "gil_wait"), (100, now + length, "gil_released", 0, 2)]
        )
        process.events([(101, now + length, "gil_acquired"), (101, now + length + 1, "gil_released")])
        found.append((now, now + length))
        now += length + 10
    return found


def charged(trace: analysis.Trace) -> dict[str, tuple[int, int, int]]:
    blame = analysis.code_blame(trace)
    assert blame.functions["waited"].sum() == blame.total - blame.nobody
    return {
        trace.codes[row["code"]].name: (int(row["waited"]), int(row["samples"]), int(row["at_ends"]))
        for row in blame.functions
    }


def test_a_long_hold_is_charged_to_its_own_samples(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.trace") as writer:
        process = writer.process()
        (one, other) = holds(process, [4 * MS, 8 * MS])
        process.samples([(100, one[0] + MS, 1), (100, one[0] + 2 * MS, 1), (100, one[0] + 3 * MS, 2)])
        process.samples([(100, other[0] + MS, 2)])
    trace = analysis.load(tmp_path / "t.trace")
    third = 4 * MS / 3
    assert charged(trace) == {"parse": (int(2 * third), 2, 0), "log": (12 * MS - int(2 * third), 2, 0)}
    said = list(sentences(trace, analysis.code_blame(trace)))
    assert said[0].startswith(
        "log(), app.py:12, made 1 thread wait 9.33 ms (2 samples) in 2 holds, longest 8.00 ms"
    )
    # parse() is what its samples are of the first hold; the other has one, and ended like holds of log().
    released = portions_in(trace, ("app.parse",))
    assert trace.intervals_by_column.start[released.interval].tolist() == [one[0], other[0]]
    assert released.begin.tolist() == [one[0], other[0]]
    assert released.end.tolist() == [one[0] + 5 * MS // 2, other[0] + 4 * MS]


def test_short_holds_are_charged_together(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.trace") as writer:
        process = writer.process()
        every = holds(process, [500_000] * 40)
        process.samples([(100, every[4 * at][0] + 100, 1 if at < 9 else 2) for at in range(10)])
    trace = analysis.load(tmp_path / "t.trace")
    assert charged(trace) == {"parse": (18 * MS, 9, 0), "log": (2 * MS, 1, 0)}


def test_without_samples_the_ends_tell(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.trace") as writer:
        holds(writer.process(), [4 * MS])
    trace = analysis.load(tmp_path / "t.trace")
    assert charged(trace) == {"log": (4 * MS, 0, 4 * MS)}


def test_where_a_thread_was_preempted_says_nothing(tmp_path: Path) -> None:
    """A sample while the holder had long had no CPU is none; its hold shares the samples of those like it."""
    with TraceWriter(tmp_path / "t.trace") as writer:
        process = writer.process()
        (one, other) = holds(process, [4 * MS, 6 * MS])
        process.samples([(100, one[0] + number * MS // 4, 1) for number in range(1, 9)])
        process.samples([(100, other[0] + 3 * MS + number * 1000, 2) for number in range(20)])
        process.stop(100, 11 * MS)
        sched = writer.scheduler(0).task(100, 0, 100, "python").task(101, 0, 100, "python")
        sched.events(
            0, [(0, "in", 100), (other[0] + 2 * MS, "preempted", 100), (other[0] + 5 * MS, "in", 100)]
        )
        sched.stop(11 * MS)
    trace = analysis.load(tmp_path / "t.trace")
    assert int(trace.samples["ran"].sum()) == 8 and len(trace.samples) == 28
    assert charged(trace) == {"parse": (10 * MS, 8, 0)}


def test_samples_of_holds_that_are_elsewhere(tmp_path: Path) -> None:
    """A part of a recording may have samples of a GIL, and no hold of it."""
    with TraceWriter(tmp_path / "t.trace") as writer:
        process = writer.process().code(1, 0, "parse").frame(1, 0, 1)
        process.events([(101, 0, "gil_wait"), (101, 5 * MS, "gil_timeout")])
        process.samples([(100, MS, 1)])
    trace = analysis.load(tmp_path / "t.trace")
    assert len(trace.samples) == 0
    assert charged(trace) == {}
