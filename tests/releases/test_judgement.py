"""Verdicts, thresholds and their sentences, from runs that are given."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from tracer.errors import UsageError
from tracer.releases.judgement import Judgement, judge
from tracer.releases.sizes import read_range, threshold
from tracer.releases.windows import Measured, Run
from tracer.releases.words import details, sentence, threshold_sentence

MS = 1_000_000


def run(kind: str, held: int, without: int = 0, *, released: int = 0, overdue: int = 0) -> Run:
    own = held + without
    return Run(kind, 1, own, held, 0, without, 0, held, overdue, released, without, 0, 0)


def judged(*held: int, of: int = 100, asked: int = 0, released: int = 0) -> Judgement:
    alone = [run("alone", part * MS, (of - part) * MS, released=released) for part in held]
    first, last = run("first", of * MS), run("asked", of * MS, overdue=asked)
    return judge(Measured("f()", (first, *alone, last), True))


@pytest.mark.parametrize(
    ("held", "verdict"),
    [
        ((99, 98, 97), "holds"),
        ((1, 2, 3), "lets go"),
        ((40, 50, 60), "partly"),
        ((79, 82, 85), "unsure"),
        ((90, 91, 92, 93, 30), "holds"),  # one of five has no say
        ((90, 91, 92, 40, 30), "unsure"),
        ((90, 91, 30), "unsure"),
    ],
)
def test_verdict(held: tuple[int, ...], verdict: str) -> None:
    assert judged(*held).verdict == verdict


def noisy(held: int, without: int, *, delayed: int = 0, unplaced: int = 0, ready: int = 0) -> Run:
    quiet = run("alone", held * MS, without * MS)
    wall = quiet.wall + ready * MS
    return replace(quiet, wall=wall, ready=ready * MS, delayed=delayed * MS, unplaced=unplaced * MS)


@pytest.mark.parametrize(
    ("runs", "verdict"),
    [
        ([noisy(15, 85)] * 3, "lets go"),
        ([noisy(15, 85, delayed=40)] * 3, "unsure"),  # 15 of 60, had others not been in the way
        ([noisy(2, 98, delayed=40)] * 3, "lets go"),
        ([noisy(85, 15, unplaced=60)] * 3, "unsure"),  # held it for 25 of 40, perhaps
        ([noisy(100, 0, unplaced=60)] * 3, "holds"),
        ([noisy(19, 81)] * 3, "unsure"),  # too near
        ([noisy(95, 5, ready=100)] * 3, "holds"),
        ([noisy(95, 5, ready=100)] * 2, "unsure"),  # busy, and too few
        ([noisy(99, 1, ready=100)], "holds"),
        ([noisy(85, 15, ready=400)] * 3, "unsure"),  # caches were cold
        ([noisy(66, 34), noisy(70, 30), noisy(77, 23)], "unsure"),  # the next one may be 82
    ],
)
def test_what_the_machine_may_have_done_makes_it_unsure(runs: list[Run], verdict: str) -> None:
    found = judge(Measured("f()", (run("first", MS), *runs), True))
    assert found.verdict == verdict
    assert found.busy == pytest.approx(runs[0].ready / runs[0].wall)


def test_runs_that_are_known_well_are_judged() -> None:
    """47 % on a machine of its own; where a worker of its had no CPU it spun for it: 4 %."""
    first, spun = run("first", MS), noisy(4, 96, delayed=90)
    found = judge(Measured("f()", (first, *[spun] * 6, *[noisy(47, 53)] * 3), True))
    assert (found.verdict, found.share) == ("partly", 0.47)
    found = judge(Measured("f()", (first, *[spun] * 6, *[noisy(47, 53)] * 2), True))
    assert (found.verdict, found.bounds) == ("unsure", (0.04, 0.47))
    assert "runs differ too much" in sentence(found)
    found = judge(Measured("f()", (first, *[spun] * 3), True))
    assert found.verdict == "unsure"
    assert "off the CPUs: on a machine of its own it may be 4 % to 40 %" in sentence(found)
    assert "too near to another verdict for how much runs differ" in sentence(judged(19, 19, 19))


def test_the_verdict_is_on_memory_that_is_used_again() -> None:
    fresh = [replace(run("alone", 75 * MS, 25 * MS), pages=900)] * 3
    kept = [run("kept", 10 * MS, 25 * MS)] * 3
    found = judge(Measured("f()", (run("first", MS), *fresh, *kept), True))
    assert (found.verdict, found.fresh_share, found.pages) == ("partly", 0.75, 900)
    assert found.share == pytest.approx(10 / 35)
    said = details(found, {"version": "3", "free_threaded": False})
    about = next(line for line in said if "page" in line)
    assert about.startswith("with memory fresh from the kernel 75 %: it touches 900 pages a call")
    same = judge(Measured("f()", (run("first", MS), *fresh, *[run("kept", 75 * MS, 25 * MS)] * 3), True))
    assert (same.fresh_share, same.pages) == (0, 0)


def test_sentences_have_the_figures() -> None:
    assert sentence(judged(98, 98, 98, asked=97 * MS)) == (
        "holds the GIL: 98.0 ms of 100 ms a call (98 %), in one piece of up to 97.0 ms;"
        " never lets go by itself."
    )
    assert "lets go when it is asked, 20.0 µs later at most" in sentence(judged(100, 100, asked=20_000))
    assert sentence(judged(40, 40, 40, asked=10 * MS, released=7)).startswith(
        "holds the GIL partly: 40.0 ms of 100 ms a call (40 %), in one piece of up to 10.0 ms;"
        " lets go 7 times a call"
    )


def sizes(lets_go: Callable[[int], bool]) -> Callable[[Iterable[int]], dict[int, Judgement]]:
    return lambda wanted: {size: judged(50, 50, 50, released=int(lets_go(size))) for size in wanted}


def test_bisection_finds_the_very_size() -> None:
    found = threshold(sizes(lambda size: size >= 501), 1, 10**5)
    assert (found.size, found.exact, found.changes) == (501, True, 1)
    assert len(found.points) < 40
    assert threshold_sentence("n", found) == "lets go from n = 501 on; never below."


def test_sizes_that_never_or_always_let_go() -> None:
    never = threshold(sizes(lambda size: False), 10, 10**4)
    always = threshold(sizes(lambda size: True), 10, 10**4)
    assert never.size is None and threshold_sentence("n", never).startswith("never lets go, from n = 10")
    assert always.always and threshold_sentence("n", always).startswith("lets go at every size, from n = 10")
    small = threshold(sizes(lambda size: size < 300), 10, 10**4)
    assert threshold_sentence("n", small) == "lets go at some sizes, but not at n = 10,000."


def test_ranges() -> None:
    assert read_range("1e2..1e8") == (100, 10**8)
    for wrong in ("5..2", "0..9", "5", "..", "1..1e99", "a..b", "1e..2"):
        with pytest.raises(UsageError, match=r"--sizes .*: two sizes"):
            read_range(wrong)
