"""What is shown of two hundred threads: who held, waited or was blamed, who computes beside, the rest."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

import analysis
from analysis.commands.cli import main
from analysis.report.rows import rows
from analysis.report.terminal import print_summary
from analysis.report.verdict import verdict
from tests.synthetic import TraceWriter


def program_of_many(path: Path) -> Path:
    """As a JAX program is: four threads that wait for each other, 30 idle, 60 of a library, 40 compilers.

    All in 1 ms. The library's own threads are known to the scheduler only; two of them compute.
    """
    with TraceWriter(path) as writer:
        process = writer.process(100, argv=("-m", "train", "--fast"))
        process.events([(100, 0, "recording_start"), (100, 0, "gil_acquired"), (100, 20_000, "gil_released")])
        for number in range(30):
            tid, begin = 110 + number, 21_000 + 100 * number
            process.name(tid, 21_000, f"idle-{number}")
            process.events([(tid, begin, "gil_acquired"), (tid, begin + 50, "gil_released")])
        for turn in range(9):
            begin = 100_000 + 100_000 * turn
            for number in range(4):
                tid, at = 104 + number, begin + 25_000 * number
                process.events([(tid, begin, "gil_wait"), (tid, at + 10, "gil_acquired")])
                process.events([(tid, at + 25_000, "gil_released")])
        for number in range(4):
            process.name(104 + number, 30_000, f"infer-{number}")
        process.stop(100, 1_000_000)
        sched = writer.scheduler(0)
        for tid in (100, *range(104, 108), *range(110, 140)):
            sched.task(tid, 0, 100, "python")
        for number in range(60):
            tid = 200 + number
            sched.task(tid, 0, 100, "python" if number else "cuda-EvtHandlr")
            sched.events(0, [(1000 + 16 * number, "in", tid), (1000 + 16 * number + 8, "out", tid)])
        for cpu, tid in ((1, 200), (2, 207)):
            sched.events(cpu, [(2000, "in", tid), (402_000, "out", tid)])
        for number in range(40):
            pid, begin = 500 + number, 3000 + 100 * number
            sched.task(pid, 3000, pid, "ptxas", ppid=100)
            sched.events(3, [(begin, "in", pid), (begin + 90, "out", pid)])
            sched.exit(pid, begin + 90)
        sched.stop(1_000_000)
    return path


def test_the_order_of_a_crowd(tmp_path: Path) -> None:
    trace = analysis.load(program_of_many(tmp_path / "t"))
    assert len(trace.threads) == 135
    found = list(rows(analysis.statistics(trace)))
    assert [row.name for row in found] == [
        "process 100 train",
        "MainThread",
        *("infer-3", "infer-2", "infer-1", "infer-0"),
        *("cuda-EvtHandlr", "thread 207"),
        "88 more threads",
        "40 × ptxas",
    ]
    assert sum(row.threads for row in found if not row.is_process) == 135
    everything = list(rows(analysis.statistics(trace), None))
    assert len(everything) == 135 + 1, "each process with more than one thread has a line of its own too"


@pytest.mark.parametrize("width", [80, 120, 160, 200])
def test_some_thirty_lines(tmp_path: Path, width: int, capsys: pytest.CaptureFixture[str]) -> None:
    path = program_of_many(tmp_path / "t")
    file = io.StringIO()
    print_summary(analysis.load(path), Console(file=file, width=width, force_terminal=True))
    assert file.getvalue().count("\n") <= 35
    plain = re.sub(r"\x1b\[[0-9;]*m|\s", "", file.getvalue())  # wherever the lines break
    assert "--allhasalineforeach" in plain
    assert main([str(path), "--all"]) == 0
    shown = capsys.readouterr().out
    assert "idle-17" in shown
    assert "process 520 ptxas" in shown


@pytest.mark.parametrize("width", [80, 200])
def test_a_fleet_has_no_more_lines(tmp_path: Path, width: int) -> None:
    """Sixty processes of three threads, two of which want the GIL at a time."""
    with TraceWriter(tmp_path / "t") as writer:
        for pid in range(100, 700, 10):
            process = writer.process(pid, argv=("server.py",))
            process.events([(pid, 0, "gil_acquired"), (pid, 1000, "gil_released")])
            for turn in range(20):
                at = 10_000_000 * (turn + 1)
                one, two = pid + 1 + turn % 2, pid + 2 - turn % 2
                process.events([(one, at, "gil_acquired"), (two, at + 1000, "gil_wait")])
                process.events([(one, at + 8_000_000, "gil_released"), (two, at + 8_000_000, "gil_acquired")])
                process.events([(two, at + 8_001_000, "gil_released")])
            process.stop(pid, 220_000_000)
    file = io.StringIO()
    print_summary(analysis.load(tmp_path / "t"), Console(file=file, width=width, force_terminal=True))
    said = file.getvalue()
    assert said.count("\n") <= 35
    # On a narrow terminal the states have their shares, and no word is cut.
    heads = re.sub(r"\x1b\[[0-9;]*m", "", said).splitlines()
    assert any(line.split()[:3] == ["thread", "holding", "waiting"] for line in heads), said


def test_short_threads_are_a_pool(tmp_path: Path) -> None:
    """Twenty pairs one after the other; of each the first makes the second wait."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        process.events([(100, 0, "gil_acquired"), (100, 100, "gil_released")])
        for number in range(20):
            at, one, two = 1000 * (number + 1), 200 + 2 * number, 201 + 2 * number
            for tid in (one, two):
                process.name(tid, at, f"Thread-{tid} (handle)")
            process.events([(one, at, "gil_acquired"), (two, at + 100, "gil_wait")])
            process.events([(one, at + 400, "gil_released"), (one, at + 400, "thread_exit")])
            process.events([(two, at + 400, "gil_acquired"), (two, at + 800, "gil_released")])
            process.events([(two, at + 800, "thread_exit")])
        process.stop(100, 21_000)
    figures = analysis.statistics(analysis.load(tmp_path / "t"))
    assert verdict(figures) == (
        "40 short threads (handle), 1.0 at a time, held the GIL 77 % of the time: 76 % holding,"
        " 29 % of the time someone waited; they waited 27 % of their lives."
    )
    found = list(rows(figures, 20))
    assert [row.name for row in found] == ["MainThread", "40 × handle"]
    assert (found[1].threads, found[1].wait.count, found[1].wait.max) == (40, 20, 300)


def test_shares_that_are_told_make_the_whole(tmp_path: Path) -> None:
    """A hundred threads that live as long as the program have half a hundredth of it each."""
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        for tid in range(200, 300):
            process.events([(tid, 0, "gil_acquired"), (tid, 1, "gil_released")])
        process.events([(100, 1000, "gil_acquired"), (200, 101_000, "gil_wait")])
        process.events([(100, 101_000, "gil_released"), (200, 101_000, "gil_acquired")])
        for tid in range(200, 299):
            at = 101_000 + 5000 * (tid - 199)
            process.events(
                [(tid + 1, at - 2500, "gil_wait"), (tid, at, "gil_released"), (tid + 1, at, "gil_acquired")]
            )
        process.stop(299, 1_000_000)
    said = verdict(analysis.statistics(analysis.load(tmp_path / "t")))
    assert said == (
        "101 threads held the GIL 99.9 % of the time: 40 % + 60 % by 100 more holding,"
        " 25 % of the time someone waited."
    )


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (("-m", "gunicorn", "app:app"), "gunicorn"),
        (("-mgunicorn",), "gunicorn"),
        (("/srv/app.py", "-m"), "app.py"),
        (("-c", "pass"), "-c"),
        (("-m",), "-m"),
        ((), ""),
        (("",), "embedded Python"),
    ],
)
def test_programs_are_called_by_their_names(tmp_path: Path, argv: tuple[str, ...], name: str) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        writer.process(100, argv=argv).events([(100, 0, "gil_acquired")])
    assert analysis.load(tmp_path / "t").processes[0].program == name


def test_names_take_the_room_that_is_left(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        for number in range(4):
            tid, begin = 101 + number, 10_000 * number
            process.name(tid, 0, f"Thread-{number} (_handle_all)")
            process.events([(tid, begin, "gil_acquired"), (tid, begin + 9_000, "gil_released")])
        process.stop(100, 50_000)
        sched = writer.scheduler(0)
        for tid in range(101, 105):
            sched.task(tid, 0, 100, "python")
            sched.events(
                0, [(10_000 * (tid - 101) + 1, "in", tid), (10_000 * (tid - 101) + 8_000, "out", tid)]
            )
        sched.stop(50_000)
    for width, whole in ((40, False), (80, True), (200, True)):
        file = io.StringIO()
        print_summary(analysis.load(tmp_path / "t"), Console(file=file, width=width, force_terminal=True))
        assert ("Thread-1 (_handle_all)" in file.getvalue()) == whole
        assert "a line for each" not in file.getvalue()
