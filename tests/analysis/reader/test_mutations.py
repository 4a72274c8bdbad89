"""A trace that was damaged: an error that names the file and what was expected, or a salvage that says what
it skipped. Never another exception, a hang, or figures from nowhere."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import analysis
from analysis import TraceFormatError
from analysis.reader.format import EVENT_SIZE, HEADER_SIZE, PACKET_SIZE, Event
from analysis.report.summary import to_json
from tests.analysis.everything import FIGURES, figures, tables
from tests.analysis.scenes import two_threads
from tests.synthetic import TraceWriter

NAMES = (
    *("100/metadata", "100/names", "100/gil_0", "100/gil_1", "200/metadata", "200/names", "200/gil_0"),
    *("sched/metadata", "sched/names", "sched/sched_0", "sched/sched_1", "sched/native_0", "sched/symbols"),
)

OPTIONAL = ("sched/native_0", "sched/symbols")


def family(path: Path) -> Path:
    """Two processes, one with two packets of a stream, so that there is everything to spoil."""
    with TraceWriter(path) as writer:
        first = writer.process(100)
        kinds = np.tile([Event.GIL_ACQUIRED, Event.GIL_RELEASED], 1500)
        first.columns(100, 1000 + 10 * np.arange(3000), kinds)
        first.events(
            [(101, 40_000, "gil_acquired"), (101, 40_005, "gil_released"), (101, 40_006, "thread_exit")]
        )
        for tid in (100, 101):
            first.name(tid, 41_000, f"name of {tid}").name(tid, 41_000, "comm", "thread_comm")
        for number, line in ((1, 3), (2, 7)):
            first.code(number, 37_000, f"f{number}", line=line)
            first.frame(number, 37_000, number, offset=2, caller=number - 1)
        first.events(
            [
                (102, 38_000, "gil_wait"),
                (100, 38_005, "gil_acquired", 0, 1),
                (100, 38_100, "gil_released", 0, 2),
                (102, 38_110, "gil_acquired", 0, 1),
                (102, 38_200, "gil_released", 0, 2),
            ]
        )
        first.name(102, 42_000, "comm", "thread_comm")
        first.stop(100, 50_000)
        second = writer.process(200, ppid=100)
        second.events(
            [(200, 2000, "thread_start"), (200, 2000, "process_fork", 0, 100), (200, 2100, "gil_acquired")]
        )
        second.name(200, 2200, "comm", "thread_comm")
        sched = writer.scheduler(900)
        sched.columns(0, 950 + 7 * np.arange(3000), np.tile([48, 50], 1500), np.full(3000, 100))
        sched.events(1, [(2000, "in", 200), (2400, "lost", 3), (39_000, "in", 101), (40_007, "out", 101)])
        sched.task(100, 950, 100, "python").task(101, 39_000, 100, "python").task(200, 2000, 200, "python")
        sched.mapped(100, 960, 0x1000, 0x2000, "/lib/libz.so.1").symbol("/lib/libz.so.1", 16, 32, "deflate")
        sched.native(0, [(951, 100, 0x1010), (958, 100, 0x1800), (965, 100, 0x9000), (2000, 999, 1)])
        sched.exit(101, 40_007).stop(50_000)
    return path


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return family(tmp_path_factory.mktemp("mutations") / "t")


def is_sound(trace: analysis.Trace) -> None:
    """Everything can be made of it, and what it says of itself is right."""
    analysis.validate(trace)
    summary = to_json(trace)
    assert all(process["end_ns"] >= process["begin_ns"] for process in summary["processes"])
    for process in summary["processes"]:
        for thread in process["threads"]:
            assert sum(thread["time_ns"].values()) == thread["end_ns"] - thread["begin_ns"]
    assert (trace.intervals["duration"] >= 0).all()
    assert len(trace.handoffs) >= 0
    assert len(trace.waits) >= 0


def survives(path: Path) -> None:
    """Load a spoilt trace both ways."""
    try:
        trace = analysis.load(path)
    except TraceFormatError as error:
        assert "expected" in str(error)
        assert "\n" not in str(error)
        assert str(path) in str(error)
        salvaged = analysis.load(path, salvage=True)
        assert salvaged.skipped
        is_sound(salvaged)
    else:
        is_sound(trace)


def spoilt(template: Path, change: Callable[[Path], None]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "t"
        shutil.copytree(template, path)
        change(path)
        survives(path)


def interesting(size: int) -> st.SearchStrategy[int]:
    """Positions in a file: those in headers and first events more often."""
    near = st.sampled_from(range(0, max(size, 1), PACKET_SIZE)).flatmap(
        lambda packet: st.integers(packet, min(packet + HEADER_SIZE + 4 * EVENT_SIZE, size - 1))
    )
    return near | st.integers(0, size - 1)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), name=st.sampled_from(NAMES))
def test_cut_anywhere(template: Path, data: st.DataObject, name: str) -> None:
    size = (template / name).stat().st_size
    at = data.draw(interesting(size), label="at")

    def cut(path: Path) -> None:
        with (path / name).open("r+b") as file:
            file.truncate(at)

    spoilt(template, cut)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), name=st.sampled_from(NAMES), value=st.integers(1, 255))
def test_any_byte_changed(template: Path, data: st.DataObject, name: str, value: int) -> None:
    at = data.draw(interesting((template / name).stat().st_size), label="at")

    def change(path: Path) -> None:
        content = bytearray((path / name).read_bytes())
        content[at] ^= value
        (path / name).write_bytes(content)

    spoilt(template, change)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), name=st.sampled_from(NAMES), junk=st.binary(min_size=1, max_size=200))
def test_junk_anywhere(template: Path, data: st.DataObject, name: str, junk: bytes) -> None:
    at = data.draw(interesting((template / name).stat().st_size), label="at")

    def change(path: Path) -> None:
        content = bytearray((path / name).read_bytes())
        content[at : at + len(junk)] = junk
        (path / name).write_bytes(content)

    spoilt(template, change)


def digit(content: bytearray, draw: Random, at: int) -> None:
    content[at] = draw.choice(b"0123456789abcdef -")


def bit(content: bytearray, draw: Random, at: int) -> None:
    content[at] ^= 1 << draw.randrange(8)


def cut(content: bytearray, draw: Random, at: int) -> None:
    del content[at:]


def moved(content: bytearray, draw: Random, at: int) -> None:
    """All that follows is somewhere else: a record is missing."""
    size = 8 * draw.randrange(1, 4)
    content[at:] = content[at + size :] + bytes(size)


@pytest.mark.parametrize("change", [digit, bit, cut, moved])
@pytest.mark.parametrize("name", NAMES)
def test_everything_after_salvage(
    template: Path, tmp_path: Path, name: str, change: Callable[[bytearray, Random, int], None]
) -> None:
    """Whatever one change leaves of a file, all tables, sentences and figures can be made of the rest."""
    draw = Random(f"{name} {change.__name__}")
    path = tmp_path / "t"
    shutil.copytree(template, path)
    content = bytearray((path / name).read_bytes())
    change(content, draw, draw.randrange(len(content.rstrip(b"\0"))))
    (path / name).write_bytes(content)
    trace = analysis.load(path, salvage=True)
    is_sound(trace)
    tables(trace)
    figures(trace, draw.sample(FIGURES, 3))


@pytest.mark.parametrize("one", NAMES)
@pytest.mark.parametrize("other", NAMES)
def test_swapped(template: Path, one: str, other: str) -> None:
    def swap(path: Path) -> None:
        first, second = (path / one).read_bytes(), (path / other).read_bytes()
        (path / one).write_bytes(second)
        (path / other).write_bytes(first)

    spoilt(template, swap)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OPTIONAL])
def test_deleted(template: Path, tmp_path: Path, name: str) -> None:
    """A file that is missing is missed: threads that are named have events."""
    path = tmp_path / "t"
    shutil.copytree(template, path)
    (path / name).unlink()
    with pytest.raises(TraceFormatError):
        analysis.load(path)
    survives(path)


@pytest.mark.parametrize(("packets", "expected"), [((0, 1), None), ((1, 0), "never decrease")])
def test_packets_swapped(
    template: Path, tmp_path: Path, packets: tuple[int, int], expected: str | None
) -> None:
    path = tmp_path / "t"
    shutil.copytree(template, path)
    data = (path / "100/gil_0").read_bytes()
    parts = [data[at : at + PACKET_SIZE] for at in range(0, len(data), PACKET_SIZE)]
    (path / "100/gil_0").write_bytes(b"".join([*(parts[at] for at in packets), *parts[2:]]))
    if expected is None:
        analysis.load(path)
    else:
        with pytest.raises(TraceFormatError):
            analysis.load(path)
        survives(path)


def patched(tmp_path: Path, at: int, value: bytes, file: str = "gil_0") -> Path:
    path = two_threads(tmp_path / "t")
    content = bytearray((path / "100" / file).read_bytes())
    content[at : at + len(value)] = value
    (path / "100" / file).write_bytes(content)
    return path


def event(number: int, offset: int = 0) -> int:
    return HEADER_SIZE + EVENT_SIZE * number + offset


@pytest.mark.parametrize(
    ("at", "value", "expected"),
    [
        (0, b"\0", "packet 0: found magic 0xc1fc1f00, expected 0xc1fc1fc1"),
        (4, b"\1", "found stream_class 1, expected 0"),
        (16, b"\0" * 8, "found timestamp_end 0, expected one after timestamp_begin"),
        (24, b"\xff\xff\xff\xff", "content_size 4294967295, expected 1024 to 262144"),
        (24, b"\x40", "expected whole events"),
        (24, b"\x80\x04", "zeros behind the content"),
        (32, b"\1", "packet_size 262145, expected 262144"),
        (48, b"\x65", "found tid 101, expected 100, the thread that started there"),
        (52, b"\x65", "found pid 101, expected 100 as in metadata"),
        (event(2), b"\xff" * 8, "time -1 after 1000, expected times that never decrease"),
        (event(6), b"\xff" * 5, "times that never decrease"),
        (event(7), b"\xff\xff", "expected one between timestamp_begin and timestamp_end"),
        (event(2, 8), b"\x63", "found event id 99, expected a known one"),
        (event(2, 8), b"\x03\x01", "found event id 259, expected a known one"),
        (event(2, 8), b"\0", "found event id 0, expected a known one"),
        (event(3, 8), b"\x03", "gil_acquired after gil_acquired (gil 0 then 0)"),
        (event(3, 10), b"\1", "gil_released after gil_acquired (gil 0 then 1)"),
        (event(3, 10), b"\xff\xff", "gil_released with gil 65535, expected the number of one"),
        (event(0, 8), b"\x13", "recording_start first, expected thread_start"),
        (event(0, 12), b"\0", "found tid 0, expected the tid of a thread"),
        (event(1, 10), b"\0\0", "recording_start with gil 0, expected none"),
        (event(1, 12), b"\x65", "found tid 101, expected 100"),
    ],
)
def test_the_error_says_it(tmp_path: Path, at: int, value: bytes, expected: str) -> None:
    """Each kind of damage has its words, which name file and packet."""
    path = patched(tmp_path, at, value)
    with pytest.raises(TraceFormatError) as error:
        analysis.load(path)
    assert expected in str(error.value)
    assert str(error.value).startswith(f"{path}/100/gil_0: packet 0: found ")
    survives(path)


def test_salvage_keeps_what_is_before(tmp_path: Path) -> None:
    """Up to the damage everything is there; what the thread did afterwards is unknown, not held for ever."""
    path = patched(tmp_path, event(5, 8), b"\x63")  # the wait of the main thread
    trace = analysis.load(path, salvage=True)
    main = trace.intervals[trace.intervals["thread"] == 0][["start", "duration", "state"]].tolist()
    assert main == [(1000, 2000, 3), (3000, 0, 1), (3000, 1500, 0)]
    assert trace.skipped == [
        f"{path}/100/gil_0: packet 0: found event id 99, expected a known one; skipped 3 events from there on"
    ]
    assert len(trace.intervals[trace.intervals["thread"] == 1]) == 3


def test_huge_numbers_allocate_nothing(tmp_path: Path) -> None:
    """A tid or a gil out of this world is a number like others, not a reason for gigabytes."""
    import tracemalloc

    path = two_threads(tmp_path / "t")
    content = bytearray((path / "100/gil_1").read_bytes())
    content[48:52] = content[event(0, 12) : event(1)] = b"\xff\xff\xff\xff"
    content[event(5, 12) : event(6)] = b"\xff\xff\xff\xff"
    for number in range(1, 5):
        content[event(number, 10) : event(number, 12)] = b"\xfe\xff"
    (path / "100/gil_1").write_bytes(content)
    tracemalloc.start()
    trace = analysis.load(path)
    analysis.statistics(trace)
    analysis.validate(trace)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert trace.threads[1].tid == 0xFFFFFFFF
    assert trace.gils[1].number == 0xFFFE
    assert peak < 20_000_000
