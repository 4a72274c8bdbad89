"""python -m analysis TRACE [--json]: say what a trace amounts to."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence

from .errors import GilscopeError
from .trace import load


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m analysis", description=__doc__)
    parser.add_argument("trace", metavar="TRACE", help="the directory that was recorded")
    parser.add_argument(
        "--json", action="store_true", help="for machines; the schema is in analysis/summary.py"
    )
    parser.add_argument("--salvage", action="store_true", help="skip what can't be read, and say so")
    options = parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without µ and █ shows something else for them
    try:
        trace = load(options.trace, salvage=options.salvage)
        for line in trace.skipped:
            print(f"gilscope: {line}", file=sys.stderr)
        if options.json:
            from .summary import to_json

            json.dump(to_json(trace), sys.stdout, indent=2)
            print()
        else:
            from .terminal import print_summary

            print_summary(trace)
        sys.stdout.flush()
    except GilscopeError as error:
        print(f"gilscope: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader has seen enough; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
