"""Magics for IPython and Jupyter: `%load_ext tracer`. Each is a module with `register(ipython)`."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

_MAGICS: Final = ("gil_line", "gil_cell")


def register(ipython: Any) -> None:
    """Add all magics to an IPython."""
    for name in _MAGICS:
        import_module(f".{name}", __name__).register(ipython)
