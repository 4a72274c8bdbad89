"""`%gil STATEMENT`: does it let go of the GIL? With the notebook's own names, in its own process."""

from __future__ import annotations

import shlex
from typing import Any, Final

from analysis.destinations import say
from tracer.errors import GilscopeError, UsageError
from tracer.releases.recording import Call, record_here

_USAGE: Final = "%gil [-n CALLS] [-r RUNS] STATEMENT"


def register(ipython: Any) -> None:
    """Add the magic to an IPython."""

    def gil(line: str) -> None:
        """Say whether a statement lets go of the GIL: %gil [-n CALLS] [-r RUNS] STATEMENT"""
        try:
            answer(line, ipython.user_ns)
        except GilscopeError as error:
            say(str(error))

    ipython.register_magic_function(gil, "line", "gil")


def answer(line: str, namespace: dict[str, Any]) -> None:
    """Measure a statement with these globals, and print what it did.

    Raises
    ------
    UsageError
        The line asks for something that can't be done, or the statement fails.
    """
    from rich.console import Console

    from tracer.releases import words
    from tracer.releases.judgement import judge

    statement, options = _split(line)
    call = Call("statement", statement, number=options["-n"], repeat=options["-r"])
    recorded = record_here([call], namespace)
    if recorded.failures:
        raise UsageError(f"no verdict on the statement: {recorded.failures[call.name]}")
    words.print_judgement(Console(), statement, judge(recorded.calls[0]), recorded.interpreter)


def _split(line: str) -> tuple[str, dict[str, int]]:
    options = {"-n": 0, "-r": 5}
    rest = line.strip()
    while rest[:2] in options:
        name, rest = rest[:2], rest[2:].lstrip()
        number, _, rest = rest.partition(" ")
        if not number.isdecimal() or int(number) < 1:
            raise UsageError(f"{name} {shlex.quote(number)}: a number from 1 on: {_USAGE}")
        options[name], rest = int(number), rest.lstrip()
    if not rest:
        raise UsageError(f"no statement: {_USAGE}")
    return rest, options
