"""Write summaries of a recording while it goes on: a process beside the launcher, which says it.

`python -m analysis.commands.beside.summaries TRACE DIR SECONDS [TAG…]` prints "ready", or "error: " and why
it can't, and ends when its standard input does; what has not been told of by then is.
"""

from __future__ import annotations

import select
import signal
import sys
from pathlib import Path

from ...destinations import say
from ...errors import GilscopeError
from ...fleet import schema
from ...fleet.tags import tags_of_options
from ...live.second import now
from ...live.summaries import SETTLED, Summaries


def main(arguments: list[str]) -> int:
    """Write until standard input ends; returns the exit status."""
    path, directory, seconds, *tags = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program
    every = round(float(seconds) * 1e9)
    try:
        schema.arrow()
        made = Summaries(Path(path), directory, now(), every, tags_of_options(tags))
    except (GilscopeError, ValueError) as error:
        print(f"error: {error}", flush=True)
        return 2
    print("ready", flush=True)
    over, said = False, ""
    while not over:
        over = bool(select.select([sys.stdin], [], [], min(every / 1e9, 1.0))[0])
        if not over and not made.due(now()):
            continue
        problem, lost = "", made.lost
        try:
            made.write(now() - (0 if over else SETTLED))
        except GilscopeError as error:  # nothing of it yet, or no room: the next one tells of this time too
            problem = str(error) if Path(path).exists() else ""
        if made.lost and not lost:
            problem = (
                f"{directory}: some of it was given up before a summary told of it: --summaries-every less"
            )
        if problem and problem != said:
            said = problem
            say(problem)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
