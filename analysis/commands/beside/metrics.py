"""Serve a recording's figures for Prometheus while it goes on: a process beside the launcher, which says it.

`python -m analysis.commands.beside.metrics TRACE [HOST:]PORT` prints the address, or "error: " and why there
is none, and ends when its standard input does.
"""

from __future__ import annotations

import select
import signal
import sys
from pathlib import Path

from ...errors import GilscopeError
from ...live.metrics import Metrics, serve
from ...live.second import look, now

_EVERY = 1.0


def main(arguments: list[str]) -> int:
    """Serve until standard input ends; returns the exit status."""
    path, where = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program
    try:
        metrics = Metrics()
        print(serve(metrics, where), flush=True)
    except GilscopeError as error:
        print(f"error: {error}", flush=True)
        return 2
    begin, over = now(), False
    while not over:
        over = bool(select.select([sys.stdin], [], [], _EVERY)[0])
        end = now()
        try:
            second = look(Path(path), begin, end)
        except GilscopeError:
            continue  # there is nothing of it yet, or nothing any more
        if second is not None:
            metrics.add(second)
        begin = end
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
