"""Write summaries of a recording while it goes on: a process beside the launcher, which says it.

`python -m analysis.commands.summaries TRACE DIR SECONDS` prints "ready", or "error: " and why it can't, and
ends when its standard input does; what has not been told of by then is.
"""

from __future__ import annotations

import select
import signal
import sys
from pathlib import Path

from ..destinations import say
from ..errors import GilscopeError
from ..fleet import schema
from ..fleet.summarise import tags_of_environment
from ..live.second import now
from ..live.summaries import Summaries


def main(arguments: list[str]) -> int:
    """Write until standard input ends; returns the exit status."""
    path, directory, seconds = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program
    every = round(float(seconds) * 1e9)
    try:
        schema.arrow()
        made = Summaries(Path(path), directory, now(), every, tags_of_environment())
    except (GilscopeError, ValueError) as error:
        print(f"error: {error}", flush=True)
        return 2
    print("ready", flush=True)
    over, said = False, ""
    while not over:
        over = bool(select.select([sys.stdin], [], [], min(every / 1e9, 1.0))[0])
        if not over and not made.due(now()):
            continue
        try:
            made.write(now())
        except GilscopeError as error:  # nothing of it yet, or no room: the next one tells of this time too
            if str(error) != said and Path(path).exists():
                said = str(error)
                say(said)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
