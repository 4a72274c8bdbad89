"""`gilscope detach PID`: end what `attach` began, when that is not there any more to end it."""

from __future__ import annotations

from analysis.destinations import say
from tracer.attach.attach import detach
from tracer.command.arguments import Parser


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit status.

    Raises
    ------
    GilscopeError
        The process is not there, or not recorded.
    """
    parser = Parser(prog="gilscope detach", description="End what attach began.")
    parser.add_argument("pid", metavar="PID", type=int)
    pid = parser.parse_args(arguments).pid
    detach(pid)
    say(f"process {pid} is not recorded any more")
    return 0
