"""Command lines whose mistakes are said in one line, as all that is wrong is said."""

from __future__ import annotations

import argparse
from typing import NoReturn

from .destinations import say


class Parser(argparse.ArgumentParser):
    """argparse would write the usage too."""

    def error(self, message: str) -> NoReturn:
        """Say it, and exit with 2."""
        say(f"{message} ({self.prog} --help lists the options)")
        self.exit(2)
