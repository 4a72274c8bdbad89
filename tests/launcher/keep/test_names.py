"""Names that are still needed of packets that a flight recorder gives up: exact, and in bounded memory."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from analysis.reader import names
from analysis.reader.format import Name
from analysis.reader.locks import read_locks
from analysis.reader.problems import Problems
from tests.synthetic import TraceWriter
from tracer.directory import PACKET_SIZE, SCHED
from tracer.keep.names import KeptNames
from tracer.keep.streams import Stream, now

ME = os.getpid()
"""A process whose threads are to be seen from here."""

ODD = 1 << 30
"""No thread of this process has such an id."""

LONG = 1000 * "x"
"""So that few names are many packets."""


def recorded(path: Path, threads: int = 600) -> Path:
    """So many threads that have ended, one that lives and was called otherwise first, and some code."""
    with TraceWriter(path) as trace:
        process, scheduler = trace.process(pid=ME), trace.scheduler()
        process.events([(ME, 0, "recording_start"), (ME, 0, "gil_acquired"), (ME, threads, "gil_released")])
        process.name(ME, 1, "first").code(1, 2, "work").name(ME, 3, "second")
        scheduler.task(ME, 0, ME, "python").events(0, [(0, "in", ME)])
        for number in range(threads):
            process.name(ODD + number, 10 + number, f"worker-{number} {LONG}")
            scheduler.task(ODD + number, 10 + number, ME, LONG).exit(ODD + number, 10 + number)
    return path


def names_of(place: Path) -> KeptNames:
    stream = Stream(place / "names")
    stream.look()
    return KeptNames(place, stream)


def give_up(place: Path) -> None:
    kept = names_of(place)
    kept.give_up_before(now())  # settled, from then on
    kept.give_up_before(now())


def read(path: Path, *, again: bool = False) -> names.Names:
    return names.read_names(path, pid=None, problems=Problems(), again=again)


def packets_left(path: Path) -> int:
    return 512 * path.stat().st_blocks // PACKET_SIZE


def test_what_is_needed_is_kept(tmp_path: Path) -> None:
    place = recorded(tmp_path / "t") / str(ME)
    before = read(place / "names").records
    kept = names_of(place)
    begin = now()
    for _ in range(2):
        kept.give_up_before(begin)  # who is alive at that time is not settled yet
    assert read(place / "names").records == before
    kept.give_up_before(now())
    after = read(place / "names").records
    rest = [record for record in after if record.ref >= ODD]
    assert list(after[: -len(rest)]) == [
        record for record in before if record.kind in (Name.CODE, Name.CODE_LINES) or record.text == "second"
    ]
    assert rest == list(before[-len(rest) :])  # those of packets that are left
    assert packets_left(place / "names") <= 4 < len(before) * len(LONG) // PACKET_SIZE
    give_up(place)  # there is too little for another time
    assert read(place / "names").records == after


def test_locks_that_have_ended_are_given_up(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as trace:
        process = trace.process(pid=ME)
        process.events([(ME, 0, "recording_start"), (ME, 0, "gil_acquired"), (ME, 600, "gil_released")])
        for number in range(1, 600):
            process.lock(number, number, "semaphore", number, LONG)
            if number % 100:
                process.name(number, number, "", "lock_ended")
    place = tmp_path / "t" / str(ME)
    give_up(place)
    kept = read(place / "names_kept").records
    assert [(record.kind, record.ref) for record in kept] == [
        (Name.LOCK, number) for number in (100, 200, 300, 400, 500)
    ]
    after = read(place / "names")
    assert after.records[-1].ref == 599
    assert packets_left(place / "names") <= 4
    assert {lock.number for lock in read_locks(after, Problems())} >= {100, 500, 599}


def test_tasks_that_have_not_ended_are_kept(tmp_path: Path) -> None:
    place = recorded(tmp_path / "t") / SCHED
    give_up(place)
    after = read(place / "names").records
    assert [record.ref for record in after[:2]] == [ME, after[-1].ref - (len(after) - 2) // 2]
    assert packets_left(place / "names") <= 4


@pytest.mark.parametrize("kind", [str(ME), SCHED])
def test_keeping_takes_little_memory(tmp_path: Path, kind: str) -> None:
    place = recorded(tmp_path / "t", 1500) / kind
    kept = names_of(place)
    kept.give_up_before(now())
    tracemalloc.start()
    kept.give_up_before(now())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (place / "names_kept").exists()
    assert most < 20 * PACKET_SIZE < 1500 * len(LONG)


def test_what_was_given_up_is_forgotten(tmp_path: Path) -> None:
    """By who looks at names again and again: those of files that are no more, too."""
    names._remembered.looks.clear()
    place = recorded(tmp_path / "t") / str(ME)
    other = recorded(tmp_path / "u", 10) / str(ME) / "names"
    whole = read(place / "names", again=True).records
    read(other, again=True)
    met = {path: len(look.met) for path, look in names._remembered.looks.items()}
    assert met[place / "names"] > 15 and met[other] == 1
    give_up(place)
    other.unlink()
    after = read(place / "names", again=True).records
    assert after._packets[-1] is whole._packets[-1]  # it was not decoded again
    met = {path: len(look.met) for path, look in names._remembered.looks.items()}
    assert met[place / "names_kept"] == 1
    assert met[place / "names"] < 4
    assert other not in met
    assert after == read(place / "names").records
