"""The summary's answers to why threads waited."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import analysis
from analysis.report.sentences import anatomy_sentence, why
from analysis.units import duration
from analysis.why.anatomy import Parts
from analysis.why.code.words import sentences
from tests.synthetic import TraceWriter


def test_parts_in_words() -> None:
    parts = Parts(
        9, 47_000_000, 33_000_000, 19_500_000, 500_000, 0, 30_000_000, 5_000_000, 0, 0, 1_000_000, 1_000_000
    )
    assert anatomy_sentence(parts) == (
        "Threads waited 100 ms: 47 % before anybody asked for the lock (politeness), 33 % until the holder"
        " let go (response), 20 % overtaken by others; for 35 % of it the holder had no CPU and for 2 % of it"
        " the holder slept."
    )
    assert anatomy_sentence(Parts(1, 0, 0, 0, 2_000, *[0] * 7)) == (
        "Threads waited 2.00 µs: 100 % to be woken up (handoff)."
    )


def answers(path: Path, holds: list[tuple[int, int]], waiters: int = 3) -> list[str]:
    """Return what is said of threads 101 … that wait while one after the other holds: (tid, ns)."""
    with TraceWriter(path) as writer:
        process = writer.process().code(1, 0, "parse", "/srv/app.py", 120).frame(1, 0, 1)
        now = 0
        for tid, length in holds:
            process.events([(tid, now, "gil_acquired")])
            waiting = [other for other in range(101, 101 + waiters) if other != tid]
            process.events([(other, now + 10, "gil_wait") for other in waiting])
            process.events([(tid, now + length, "gil_released", 0, 1)])
            for place, other in enumerate(waiting, 1):
                process.events([(other, now + length + 10 * place - 5, "gil_acquired")])
                process.events([(other, now + length + 10 * place, "gil_released")])
            now += length + 100
        process.stop(holds[0][0], now)
    return list(why(analysis.load(path)))


def test_who_and_which_code(tmp_path: Path) -> None:
    waits, who, code = answers(tmp_path / "t", [(101, 80_000), (102, 10_000), (103, 10_000)])
    assert waits.startswith("Threads waited 200 µs: ")
    assert who == "thread 101 held the lock for 80 % of that."
    assert code.startswith(
        "parse(), app.py:120, made 3 threads wait 200 µs in 3 holds that ended in it, longest 80.0 µs"
    )


def test_a_sample_that_stands_for_more_than_the_hold_it_saw(tmp_path: Path) -> None:
    """ "Wait 6.51 ms in 1 hold, longest 186 µs" would be more than there is room for."""
    answers(tmp_path / "t", [(101, 80_000), (102, 10_000)])
    trace = analysis.load(tmp_path / "t")
    blame = analysis.code_blame(trace)
    row = blame.functions.copy()
    row["samples"], row["at_ends"], row["holds"], row["longest"] = 1, 0, 1, 20_000
    (said,) = sentences(trace, replace(blame, functions=row))
    waited = duration(row["waited"][0])
    assert f"wait about {waited} (by 1 sample), released voluntarily" in said
    row["longest"] = row["contended"] - 1  # some ns, from a hold without samples of its own
    (said,) = sentences(trace, replace(blame, functions=row))
    assert f"wait {waited} (1 sample) in 1 hold, longest" in said


def test_nobody_in_particular(tmp_path: Path) -> None:
    said = answers(tmp_path / "t", [(101, 10_000), (102, 10_000), (103, 10_000)])
    assert not any("held the lock" in answer for answer in said)
    two = answers(tmp_path / "u", [(101, 80_000), (102, 10_000)], waiters=2)
    assert not any("held the lock" in answer for answer in two)  # it is clear without being said


def test_nothing_to_explain(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        events = [(100, 0, "gil_acquired"), (101, 10, "gil_wait"), (100, 50, "gil_released")]
        writer.process().events([*events, (101, 60, "gil_acquired")]).stop(101, 1_000_000)
    assert list(why(analysis.load(tmp_path / "t"))) == []
