"""What people and machines get to see."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

import analysis
from analysis.__main__ import main
from analysis.commands.dump import dump
from analysis.report.summary import to_json
from analysis.report.terminal import print_summary
from analysis.report.verdict import verdict
from analysis.units import count, duration, share
from tests.analysis.scenes import one_thread, two_threads
from tests.synthetic import TraceWriter


def shown(path: Path, width: int = 200, *, salvage: bool = False) -> str:
    file = io.StringIO()
    print_summary(analysis.load(path, salvage=salvage), Console(file=file, width=width))
    return file.getvalue()


def said(path: Path) -> str:
    return verdict(analysis.statistics(analysis.load(path)))


def test_dump(tmp_path: Path) -> None:
    file = io.StringIO()
    dump(analysis.load(two_threads(tmp_path / "t")), file)
    assert (
        file.getvalue()
        == """\
     0.000000000     100     100 MainThread       thread_start 100
     0.000000000     100     100 MainThread       recording_start 100
     0.000000000     100     100 MainThread       gil_acquired gil=0
     0.000001000     100     101 worker           thread_start 101
     0.000001000     100     101 worker           gil_wait gil=0
     0.000001500     100     101 worker           gil_timeout gil=0
     0.000002000     100     100 MainThread       gil_released gil=0
     0.000002000     100     100 MainThread       gil_drop_requested gil=0
     0.000002100     100     101 worker           gil_acquired gil=0
     0.000002500     100     100 MainThread       gil_wait gil=0
     0.000003000     100     101 worker           gil_released gil=0
     0.000003050     100     100 MainThread       gil_acquired gil=0
     0.000003500     100     101 worker           thread_exit 101
     0.000004000     100     100 MainThread       recording_stop 100
"""
    )


def test_summary_for_people(tmp_path: Path) -> None:
    text = shown(two_threads(tmp_path / "t"))
    assert "2 threads · 4.00 µs · GIL held 96 %, contended 41 % · 2 handoffs" in text
    main_line, worker_line = text.splitlines()[5:7]
    figures = "2.95 µs 74 % 550 ns 14 % 500 ns 12 % 2 1 0 1 0 550 ns 550 ns 550 ns 2.00 µs"
    assert " ".join(main_line.split()) == f"MainThread ███████████████▒▒▒·· {figures}"
    assert worker_line.startswith("worker ")
    assert "\x1b" not in text


def test_the_same_on_a_narrow_terminal(tmp_path: Path) -> None:
    """Nothing is cut off: what does not fit beside each other comes below each other."""
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, color_system=None)
    print_summary(analysis.load(two_threads(tmp_path / "t")), console)
    text = file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for column in ("holding", "released", "acquires", "voluntary", "wait p99", "longest hold"):
        assert column in text


def test_brackets_in_names(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100, argv=["[red]x.py"])
        process.events([(100, 0, "gil_acquired")]).name(100, 1, "[bold]main[/x]").stop(100, 10)
    assert "[bold]main[/x]" in shown(tmp_path / "t")


def crowd(path: Path, threads: int, processes: int = 1) -> Path:
    with TraceWriter(path) as writer:
        for number in range(processes):
            process = writer.process(1000 * (number + 1))
            for index in range(threads):
                tid = process.pid + index
                begin = 1000 * index
                process.events([(tid, begin, "gil_acquired"), (tid, begin + 100 + index, "gil_released")])
            process.stop(process.pid, 1000 * threads)
    return path


def test_many_threads(tmp_path: Path) -> None:
    lines = shown(crowd(tmp_path / "t", 600)).splitlines()
    assert len(lines) < 40
    rest = next(line for line in lines if "595 more threads" in line)
    assert "–" in rest  # no percentile of percentiles
    assert any("thread 1599" in line for line in lines), "the ones that held most are shown"


def test_many_processes(tmp_path: Path) -> None:
    lines = shown(crowd(tmp_path / "t", 5, 30)).splitlines()
    assert any("24 more processes" in line for line in lines)
    assert any(line.startswith("process 1000") for line in lines), "that of the program"
    assert len(lines) < 36


def test_one_process_more_has_its_name(tmp_path: Path) -> None:
    for processes in range(2, 12):
        assert "1 more process" not in shown(crowd(tmp_path / str(processes), 4, processes))


def test_remarks(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        writer.process(100).events([(100, 0, "gil_acquired")]).fail(10, 28, "no space").discard(100, 7)
        writer.process(101).events([(101, 0, "gil_acquired"), (101, 5, "gil_released")])
    text = shown(tmp_path / "t")
    assert "The recording of process 100 ended early: No space left on device: no space." in text
    assert "process 100 lost 7 events." in text
    assert "1 process ended without a stop" in text


def test_verdicts(tmp_path: Path) -> None:
    assert said(one_thread(tmp_path / "one")) == (
        "One thread ran Python: it held the GIL 67 % of the time, and nobody waited for it."
    )
    assert said(two_threads(tmp_path / "two")) == (
        "2 threads held the GIL 96 % of the time: 74 % + 22 % holding, 41 % of the time someone waited."
    )
    assert said(crowd(tmp_path / "two-processes", 1, 2)) == (
        "2 processes, each with a GIL of its own, ran 0.2 cores' worth of Python;"
        " nowhere did a thread wait for the GIL."
    )
    with TraceWriter(tmp_path / "idle") as writer:
        for pid in (100, 200):
            writer.process(pid).events([(pid, 0, "gil_acquired"), (pid, 10, "gil_released")]).stop(
                pid, 100_000
            )
        events = [(101, 5, "gil_wait"), (101, 10, "gil_acquired"), (101, 11, "gil_released")]
        writer.process(300).events([(300, 0, "gil_acquired"), *events[:1], (300, 10, "gil_released")]).events(
            events[1:]
        ).stop(300, 100_000)
    assert said(tmp_path / "idle") == (
        "3 processes, each with a GIL of its own, ran < 0.1 cores' worth of Python;"
        " nowhere did threads wait for the GIL more than 0.1 % of the time."
    )
    with TraceWriter(tmp_path / "again") as writer:
        writer.process(100).events([(100, 0, "gil_acquired"), (100, 40, "gil_released")]).stop(100, 40)
        writer.process(100).events([(100, 50, "gil_acquired"), (100, 90, "gil_released")]).stop(100, 100)
    assert said(tmp_path / "again") == (
        "2 Pythons in 1 process, each with a GIL of its own, ran 0.8 cores' worth of Python;"
        " nowhere did a thread wait for the GIL."
    )
    assert "  2 Pythons in 1 process · 2 threads · " in shown(tmp_path / "again")
    with TraceWriter(tmp_path / "none") as writer:
        writer.process(100).events([(100, 0, "recording_start")]).stop(100, 10)
    assert said(tmp_path / "none") == "Nobody took the GIL while it was recorded."


def test_verdict_of_two_that_thrash(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        for turn in range(100):
            tid, other = 100 + turn % 2, 101 - turn % 2
            begin = 5_000_000 * turn
            process.events([(tid, begin + 20_000, "gil_acquired"), (other, begin + 30_000, "gil_wait")])
            process.events(
                [(other, begin + 4_000_000, "gil_timeout"), (tid, begin + 5_000_000, "gil_released")]
            )
            process.events([(tid, begin + 5_000_000, "gil_drop_requested")])
        process.stop(100, 500_000_000)
    assert said(tmp_path / "t") == (
        "2 threads shared one core's worth of Python: 50 % + 50 % holding, 99.8 % of the time someone waited."
    )


def test_verdict_of_threads_of_one_name(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        for tid in (101, 102, 103):
            process.name(tid, 0, "worker")
        for turn in range(30):
            tid, begin = 101 + turn % 3, 1_000_000 * turn
            others = [other for other in (101, 102, 103) if other != tid]
            process.events([(tid, begin + 10, "gil_acquired")])
            process.events([(other, begin + 20, "gil_wait") for other in others if not turn])
            process.events([(tid, begin + 1_000_000, "gil_released")])
            process.events([(tid, begin + 1_000_001, "gil_wait")])
        process.stop(100, 30_000_100)
    assert "; all of them waited 6" in said(tmp_path / "t")


def test_verdict_of_interpreters(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t") as writer:
        process = writer.process(100)
        process.events([(100, 0, "gil_acquired", 0), (101, 0, "gil_acquired", 1)]).stop(100, 100)
    assert said(tmp_path / "t") == (
        "2 interpreters, each with a GIL of its own, ran 2.0 cores' worth of Python; nobody waited for one."
    )


def test_json(tmp_path: Path) -> None:
    """The schema: what is asserted here may be relied on."""
    summary = to_json(analysis.load(two_threads(tmp_path / "t")))
    assert summary == json.loads(json.dumps(summary))
    assert {
        key: summary[key] for key in ("summary_version", "begin_ns", "end_ns", "wall_ns", "discarded")
    } == {
        "summary_version": 3,
        "begin_ns": 1000,
        "end_ns": 5000,
        "wall_ns": 4000,
        "discarded": 0,
    }
    assert summary["utc_begin_ns"] == 1_700_000_000_000_001_000
    assert summary["gil_held_share"] == 0.9625
    assert summary["gil_contended_share"] == 0.4125
    [process] = summary["processes"]
    assert process["pid"] == 100
    assert process["ended"] == "stopped"
    assert process["failure"] is None
    main_thread, worker = process["threads"]
    none = {"count": 0, "total": 0, **dict.fromkeys(("min", "mean", "p50", "p90", "p99", "max"))}
    assert worker == {
        "tid": 101,
        "name": "worker",
        "main": False,
        "states_ns": None,
        "cpu": None,
        "begin_ns": 2000,
        "end_ns": 4500,
        "time_ns": {"unknown": 0, "released": 500, "waiting": 1100, "holding": 900},
        "counts": {
            "acquires": 1,
            "contended_acquires": 1,
            "timeouts": 1,
            "requested_releases": 0,
            "voluntary_releases": 1,
            "abandons": 0,
        },
        "wait_ns": dict.fromkeys(("total", "min", "mean", "p50", "p90", "p99", "max"), 1100) | {"count": 1},
        "hold_ns": dict.fromkeys(("total", "min", "mean", "p50", "p90", "p99", "max"), 900) | {"count": 1},
        "lock_wait_ns": none,
        "stop_ns": none,
        "anatomy": {
            "politeness_ns": 500,
            "response_ns": 500,
            "overtaken_ns": 0,
            "handoff_ns": 100,
            "unknown_ns": 0,
            "stalled_politeness_ns": 0,
            "stalled_response_ns": 0,
            "stalled_overtaken_ns": 0,
            "asleep_politeness_ns": 0,
            "asleep_response_ns": 0,
            "asleep_overtaken_ns": 0,
        },
    }
    assert main_thread["main"]
    [gil] = process["gils"]
    assert (gil["number"], gil["held_ns"], gil["contended_ns"]) == (0, 3850, 1650)
    assert summary["handoffs"] == [
        {"pid": 100, "from_tid": 100, "to_tid": 101, "count": 1, "requested": 1},
        {"pid": 100, "from_tid": 101, "to_tid": 100, "count": 1, "requested": 0},
    ]
    assert summary["blame"] == [
        {"pid": 100, "blocked_tid": 100, "holder_tid": None, "time_ns": 50, "waits": 1},
        {"pid": 100, "blocked_tid": 100, "holder_tid": 101, "time_ns": 500, "waits": 1},
        {"pid": 100, "blocked_tid": 101, "holder_tid": None, "time_ns": 100, "waits": 1},
        {"pid": 100, "blocked_tid": 101, "holder_tid": 100, "time_ns": 1000, "waits": 1},
    ]
    whole = {"waited_ns": 1650, "nobody_ns": 150, "unknown_ns": 1500}
    assert {key: summary["code"][key] for key in whole} == whole
    assert [line["function"] for line in summary["code"]["lines"]] == [None]


def test_json_of_nothing(tmp_path: Path) -> None:
    summary = to_json(analysis.load(one_thread(tmp_path / "t")))
    assert summary["wait_ns"] == {
        "count": 0,
        "total": 0,
        **dict.fromkeys(("min", "mean", "p50", "p90", "p99", "max")),
    }


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = two_threads(tmp_path / "t")
    assert main([str(path)]) == 0
    assert "worker" in capsys.readouterr().out
    assert main([str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["wall_ns"] == 4000


def test_errors_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "no")]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert (
        output.err == f"gilscope: {tmp_path}/no: found no such file or directory,"
        " expected a trace directory, or one in a file\n"
    )


def test_salvage_says_what_it_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = two_threads(tmp_path / "t")
    (path / "100/gil_1").write_bytes(b"\1" * 100)
    assert main([str(path), "--salvage"]) == 0
    assert "gil_1: packet 0: found 100 bytes" in capsys.readouterr().err


def test_reader_that_goes_away(tmp_path: Path) -> None:
    """| head is no error to complain about."""
    path = crowd(tmp_path / "t", 3000)
    command = [sys.executable, "-m", "analysis", str(path), "--json"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 1
    process.stderr.close()


def test_without_unicode(tmp_path: Path) -> None:
    """An ASCII terminal gets question marks, not a traceback."""
    path = two_threads(tmp_path / "t")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "analysis", str(path)]
    done = subprocess.run(
        command, capture_output=True, env=environment, cwd=Path(__file__).parents[3], check=True
    )
    assert b"worker" in done.stdout


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0"),
        (0.4, "0"),
        (1, "1 ns"),
        (999, "999 ns"),
        (1000, "1.00 µs"),
        (999_600, "1.00 ms"),
        (4_980_000, "4.98 ms"),
        (49_960_000, "50.0 ms"),
        (500_000_000, "500 ms"),
        (12_400_000_000, "12.4 s"),
        (4_000_000_000_000, "4000 s"),
    ],
)
def test_durations(ns: float, text: str) -> None:
    assert duration(ns) == text


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.49, "49 %"),
        (0.004, "0.4 %"),
        (0.0001, "< 0.1 %"),
        (0.996, "99.6 %"),
        (0.99999, "> 99.9 %"),
        (1.5, "150 %"),
    ],
)
def test_shares(part: float, text: str) -> None:
    assert share(part) == text


def test_counts() -> None:
    assert count(1234567) == "1,234,567"


@pytest.mark.parametrize("command", [[], ["blame"], ["whatif"], ["diff"]])
def test_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    assert "usage: python -m analysis" in capsys.readouterr().out
