"""python -m analysis TRACE: say what a trace amounts to. The command line is in analysis/commands/cli.py."""

from __future__ import annotations

import sys

from .commands.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
