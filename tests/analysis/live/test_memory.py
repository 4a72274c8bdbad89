"""What looking at a recording again and again has in memory, by what it is given."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import pytest

from analysis.live.second import look
from analysis.reader import names
from analysis.reader.code import frames
from analysis.reader.disk.files import LARGEST_METADATA
from analysis.reader.disk.metadata import read_metadata
from analysis.reader.format import Name
from analysis.reader.problems import Problems
from analysis.reader.records import Texts
from analysis.tables.load import load
from tests.synthetic import TraceWriter

MS = 1_000_000
MANY = 1_000
TEXT = "GET /orders/{}"
OWNERS = ("Condition 7f0012345678 Condition.wait", "Event 7f0012345690 Event.wait")


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    names._remembered.looks.clear()
    frames._readers.clear()


def many(path: Path, count: int = MANY) -> Path:
    """A thread with so many marks, each with a text and a lock of its own, of which the last few are new."""
    with TraceWriter(path) as trace:
        process = trace.process(pid=100)
        end = (count + 1) * MS
        process.events([(100, 0, "recording_start"), (100, 0, "gil_acquired")])
        for number in range(1, count + 1):
            process.text(number, number * MS, TEXT.format(number))
            process.lock(number, number * MS, "condition", 16 * number, "Condition", *OWNERS)
            if number > count - 3:
                process.events([(100, number * MS, "mark", 0, number), (100, number * MS, "lock_wait", 0, 7)])
                process.events([(100, number * MS + 1, "lock_acquired", 0, 7)])
        process.events([(100, end, "gil_released")])
    return path


def in_use() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def test_names_take_little_more_than_their_bytes(tmp_path: Path) -> None:
    path = many(tmp_path / "t") / "100" / "names"
    window = (MANY * MS, (MANY + 1) * MS)
    load(tmp_path / "t", salvage=True, within=window)
    names._remembered.looks.clear()
    tracemalloc.start()
    try:
        before, sizes, peaks = in_use(), [], []
        for _ in range(4):
            tracemalloc.reset_peak()
            assert look(tmp_path / "t", *window) is not None
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
            sizes.append(in_use() - before)
    finally:
        tracemalloc.stop()
    size = path.stat().st_size
    assert sizes[1] < 1.5 * size  # 18 bytes for each beside its own
    assert sizes[3] - sizes[1] < 0.05 * size
    assert max(peaks) < 4 * size


def test_only_what_events_mention_is_made_of_it(tmp_path: Path) -> None:
    path = many(tmp_path / "t", 300)
    whole, part = load(path), load(path, within=(300 * MS, 301 * MS))
    assert [whole.mark_names[mark["name"]] for mark in whole.marks] == [
        TEXT.format(number) for number in (298, 299, 300)
    ]
    assert part.mark_names == whole.mark_names
    assert [lock.number for lock in part.locks] == [7]
    assert len(whole.locks) == 300


def test_texts_by_number(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as trace:
        process = trace.process(pid=100)
        process.events([(100, 0, "recording_start"), (100, 0, "gil_acquired"), (100, 9, "gil_released")])
        process.text(3, 1, "three").text(1, 2, "one").name(100, 3, "main").text(3, 4, "another")
    read = names.read_names(tmp_path / "t" / "100" / "names", pid=100, problems=Problems())
    texts = Texts(read.records, Name.MARK_TEXT)
    assert texts.of([0, 1, 2, 3, 100]) == {1: "one", 3: "another"} and texts.of([]) == {}
    assert [record.text for record in read.records[1:3]] == ["one", "main"]
    assert read.records[-1].text == "another"
    assert [record.text for record in read.records.only(read.records.time > 2)] == ["main", "another"]


def test_metadata_take_no_more_than_they_are(tmp_path: Path) -> None:
    """Not what the largest that may be would take: 3.14 sets 128 KiB aside for any file."""
    path = many(tmp_path / "t", 1) / "100" / "metadata"
    read_metadata(path)
    tracemalloc.start()
    try:
        read_metadata(path)
        assert tracemalloc.get_traced_memory()[1] < LARGEST_METADATA // 16
    finally:
        tracemalloc.stop()
