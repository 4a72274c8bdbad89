"""The pieces that run inside the traced interpreter, alone."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable

import pytest

from tracer.bootstrap import gilscope_recording as recording
from tracer.bootstrap import gilscope_threads as threads


@pytest.mark.parametrize(
    ("line", "flags", "program"),
    [
        ("script.py -O", [], ["script.py", "-O"]),
        ("-O -B script.py", ["-O", "-B"], ["script.py"]),
        ("-X dev -W error script.py -X", ["-X", "dev", "-W", "error"], ["script.py", "-X"]),
        ("-Xdev -Werror -m module", ["-Xdev", "-Werror"], ["-m", "module"]),
        ("-um module x", ["-u"], ["-m", "module", "x"]),
        ("-mmodule x", [], ["-m", "module", "x"]),
        ("-OBXdev -c pass", ["-OBXdev"], ["-c", "pass"]),
        ("-OBX dev script.py", ["-OBX", "dev"], ["script.py"]),
        ("--check-hash-based-pycs never x.py", ["--check-hash-based-pycs", "never"], ["x.py"]),
        ("-u - x", ["-u"], ["-", "x"]),
        ("-u", ["-u"], []),
        ("", [], []),
    ],
)
def test_split_command_line(line: str, flags: list[str], program: list[str]) -> None:
    assert recording.split_command_line(line.split()) == (flags, program)


@pytest.mark.parametrize(
    "text", ["", "plain", 'a "quoted" \\ one', "tab\tline\n", "ünï", "\U0001f40d", "\udc80"]
)
def test_json_string_is_json(text: str) -> None:
    encoded = recording.json_string(text)
    assert encoded.isascii()
    assert json.loads(encoded) == text


def test_environment_has_no_line_that_a_value_could_break() -> None:
    lines = recording.environment_text('off: a "quoted"\nreason').splitlines()
    assert all(line.startswith("  ") and line.endswith(";") and " = " in line for line in lines)
    assert [line.split()[0] for line in lines][:2] == ["hostname", "argv"]


@pytest.fixture
def named() -> dict[int, str]:
    return {}


def following(named: dict[int, str]) -> Callable[[], None]:
    return threads.follow_thread_names(named.__setitem__)


def test_names_are_followed_until_undone(named: dict[int, str]) -> None:
    before = threading.Thread.__dict__["name"], threading.Thread.__dict__["_set_native_id"]
    undo = following(named)
    try:
        assert named[threading.get_native_id()] == threading.current_thread().name
        release = threading.Event()
        thread = threading.Thread(target=release.wait, name="first")
        thread.start()
        assert thread.native_id is not None
        assert named[thread.native_id] == "first"
        thread.name = "second"
        assert named[thread.native_id] == "second"
        release.set()
        thread.join()
        thread.name = "after its end"
        assert "after its end" not in named.values()
    finally:
        undo()
    assert before == (threading.Thread.__dict__["name"], threading.Thread.__dict__["_set_native_id"])
    thread = threading.Thread(target=int, name="unseen")
    thread.start()
    thread.join()
    assert "unseen" not in named.values()


def test_a_name_never_raises() -> None:
    def fails(tid: int, name: str) -> None:
        raise RuntimeError

    undo = threads.follow_thread_names(fails)
    try:
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
    finally:
        undo()


def test_exit_hooks_are_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    monkeypatch.setattr(os, "_exit", calls.append)
    replaced = os._exit
    undo = recording.stop_before_exit(lambda: calls.append("stop"))
    os._exit(3)
    assert calls == ["stop", 3]
    with pytest.raises(TypeError):
        os._exit("no status")
    assert calls == ["stop", 3]
    undo()
    assert os._exit is replaced
