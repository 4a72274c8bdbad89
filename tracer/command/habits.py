"""What users of py-spy, perf, memray and strace write, and the word for it here."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tracer.errors import UsageError

_EVERYTHING: Final = "nothing: every event is recorded, none is sampled"
_ATTACH: Final = "gilscope attach PID"
_FOR: Final = "gilscope attach PID --for 10s"
_CHILDREN: Final = "nothing: processes that it starts are recorded unless --no-children"
_STACKS: Final = "nothing: Python stacks are recorded unless --no-stacks"

_WORDS: Final = {
    "record": f"gilscope script.py, or {_ATTACH}",
    "run": "gilscope script.py",
    "trace": f"gilscope script.py, or {_ATTACH}",
    "stat": "gilscope --json script.py",
    "report": "python -m analysis TRACE",
    "script": "gilscope dump TRACE",
    "flamegraph": "python -m plots TRACE --figure flame -o FILE",
    "live": "gilscope top PID",
}
"""In place of a program, where none is called so."""

_OPTIONS: Final = {
    "-p": _ATTACH,
    "--pid": _ATTACH,
    "-d": _FOR,
    "--duration": _FOR,
    "-r": _EVERYTHING,
    "--rate": _EVERYTHING,
    "-F": _EVERYTHING,
    "--freq": _EVERYTHING,
    "-i": _EVERYTHING,
    "--interval": _EVERYTHING,
    "-g": _STACKS,
    "--call-graph": _STACKS,
    "-n": "nothing: native code is sampled unless --no-native",
    "--native": "nothing: native code is sampled unless --no-native",
    "-s": _CHILDREN,
    "--subprocesses": _CHILDREN,
    "--follow-fork": _CHILDREN,
    "--follow": _CHILDREN,
    "-f": "python -m analysis export TRACE",
    "--format": "python -m analysis export TRACE",
    "-t": "nothing: threads are told apart",
    "--threads": "nothing: threads are told apart",
    "--gil": "nothing: who holds the GIL is what is recorded",
    "--idle": "nothing: threads that wait are recorded too",
    "--nonblocking": "nothing: nobody is stopped",
    "-a": "--exec -- COMMAND, for all processes of a command",
}
"""Before the program."""

_OF_COMMANDS: Final = {
    "-p": "gilscope {} PID",
    "--pid": "gilscope {} PID",
    "-d": "--for 10s",
    "--duration": "--for 10s",
    "-r": _EVERYTHING,
    "--rate": _EVERYTHING,
    "--nonblocking": "nothing: nobody is stopped",
}
_COMMANDS: Final = ("attach", "detach", "dump", "snapshot", "top")
"""Those that other tools have too; what they take comes after them."""

_DUMP: Final = "gilscope snapshot PID -o DIR, and gilscope dump DIR"


def check_command(command: str, arguments: list[str]) -> None:
    """Raise UsageError if what follows a command has a word of another tool."""
    for word in _names(arguments) if command in _COMMANDS else ():
        if command == "dump" and word in ("-p", "--pid"):
            raise _error(f"dump {word}", _DUMP)
        if word in _OF_COMMANDS:
            raise _error(word, _OF_COMMANDS[word].format(command))


def check(options: list[str], program: list[str]) -> None:
    """Raise UsageError if a command line without a command has one, before the program or in place of it."""
    for word in _names(options):
        if word in _OPTIONS:
            raise _error(word, _OPTIONS[word])
    if program and program[0] in _WORDS and not Path(program[0]).exists():
        others = set(_names(program[1:])) & {"-p", "--pid"}
        raise _error(program[0], _ATTACH if others else _WORDS[program[0]])


def _names(arguments: list[str]) -> list[str]:
    return [argument.partition("=")[0] for argument in arguments]


def _error(word: str, ours: str) -> UsageError:
    return UsageError(f"{word} is not a word of gilscope's: here it is {ours}")
