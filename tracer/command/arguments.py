"""Command lines whose mistakes are said in one line."""

from __future__ import annotations

import argparse
from typing import NoReturn

from tracer.errors import UsageError


class Parser(argparse.ArgumentParser):
    """argparse would write the usage too, and exit by itself."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(f"{message} ({self.prog} --help lists the options)")
