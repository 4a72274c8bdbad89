"""Blame by code in words, tables and files."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

import analysis
from analysis.commands import blame as blame_command
from analysis.why.code import words as code_words
from tests.synthetic import TraceWriter


def recorded(path: Path, holds: list[tuple[int, bool]]) -> analysis.Trace:
    """Thread 100's holds in parse(), each so many ms waited for, and whether it was asked to let go."""
    with TraceWriter(path) as writer:
        process = writer.process()
        process.code(1, 0, "Feed.<locals>.parse", "/srv/app.py", 118).frame(1, 0, 1, 4)
        now = 0
        for milliseconds, requested in holds:
            end = now + milliseconds * 1_000_000
            timeouts = [(101, now + 5_000_000, "gil_timeout")] if requested else []
            asked = [(100, end, "gil_drop_requested")] if requested else []
            process.events([(100, now, "gil_acquired"), (101, now, "gil_wait"), *timeouts])
            process.events([(100, end, "gil_released", 0, 1), *asked])
            process.events([(101, end + 10, "gil_acquired"), (101, end + 20, "gil_released")])
            now = end + 100
    return analysis.load(path)


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    blame_command.add_arguments(parser)
    return parser.parse_args(arguments)


def printed(trace: analysis.Trace, *arguments: str) -> str:
    file = io.StringIO()
    blame_command.run(trace, options(*arguments), Console(file=file, width=100))
    return file.getvalue()


@pytest.mark.parametrize(
    ("holds", "sentence"),
    [
        (
            [(210, False), (90, False)],
            "wait 300 ms in 2 holds that ended in it, longest 210 ms, always released voluntarily.",
        ),
        (
            [(7, True)],
            "wait 7.00 ms in 1 hold that ended in it, longest 7.00 ms, released when it was asked to.",
        ),
        ([(17, True)], "longest 17.0 ms, released when it was asked to, up to 12.0 ms after being asked."),
        ([(7, True)] * 2, "always released when it was asked to."),
        ([(7, True)] * 19 + [(1, False)], "mostly released when it was asked to."),
        ([(7, True)] + [(1, False)] * 2, "released voluntarily 2 times, when asked to once."),
    ],
)
def test_sentences(tmp_path: Path, holds: list[tuple[int, bool]], sentence: str) -> None:
    trace = recorded(tmp_path / "t.trace", holds)
    (found,) = code_words.sentences(trace, analysis.code_blame(trace))
    assert found.startswith("Feed.parse(), app.py:120, made 1 thread wait ")
    assert found.endswith(sentence)


def test_tables(tmp_path: Path) -> None:
    trace = recorded(tmp_path / "t.trace", [(210, False), (90, False)])
    text = printed(trace)
    assert "Feed.parse() app.py:120 300 ms" in " ".join(text.split())
    assert "code not recorded" in text  # where the waiter was
    assert "Of 300 ms of waiting nobody held it for 20 ns: handoffs." in text


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = recorded(tmp_path / "t.trace", [(210, False), (90, False)])
    printed(trace, "--json")
    found = json.loads(capsys.readouterr().out)
    assert (found["waited_ns"], found["nobody_ns"], found["unknown_ns"]) == (300_000_020, 20, 0)
    assert found["lines"] == [
        {
            "function": "Feed.<locals>.parse",
            "file": "/srv/app.py",
            "line": 120,
            "waited_ns": 300_000_000,
            "contended_ns": 300_000_000,
            "at_ends_ns": 300_000_000,
            "samples": 0,
            "holds": 2,
            "requested": 0,
            "longest_ns": 210_000_000,
            "longest_at_ns": 210_000_000,
            "slowest_ns": 0,
            "threads": 1,
        }
    ]
    assert found["functions"] == found["lines"]
    assert found["waiting"][0]["function"] is None


def test_files_for_other_tools(tmp_path: Path) -> None:
    trace = recorded(tmp_path / "t.trace", [(1, False)])
    stacks, profile = tmp_path / "stacks.txt", tmp_path / "profile.json"
    printed(trace, "--collapsed", str(stacks), "--speedscope", str(profile))
    assert stacks.read_text() == "Feed.<locals>.parse (app.py:118) 1000000\n"
    assert json.loads(profile.read_text())["profiles"][0]["weights"] == [1_000_000]
    with pytest.raises(analysis.GilscopeError, match=r"stacks.txt exists: .* --force"):
        blame_command.check(options("--collapsed", str(stacks)))
    blame_command.check(options("--collapsed", str(stacks), "--force"))
    with pytest.raises(analysis.GilscopeError, match="can't be written: No such file"):
        printed(trace, "--collapsed", str(tmp_path / "no" / "stacks.txt"))


def test_nothing_to_blame(tmp_path: Path) -> None:
    with TraceWriter(tmp_path / "t.trace") as writer:
        writer.process().events([(100, 0, "gil_acquired"), (100, 50, "gil_released")])
    trace = analysis.load(tmp_path / "t.trace")
    assert printed(trace) == "Nobody waited for the GIL.\n"
    assert list(code_words.sentences(trace, analysis.code_blame(trace))) == []
