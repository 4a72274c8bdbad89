"""Record what a program's threads do with the GIL: exactly, on a stock CPython.

From the command line: ``python -m tracer script.py``. From inside a program::

    import tracer

    with tracer.trace("out.trace"):
        work()
        tracer.mark("half of it")
        with tracer.span("the rest"):
            more()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracer.api import start, stop, trace
from tracer.bootstrap.gilscope_recording import VERSION as __version__
from tracer.errors import GilscopeError, RecordingError

if TYPE_CHECKING:
    from tracer._marks import mark, span

__all__ = ["GilscopeError", "RecordingError", "__version__", "mark", "span", "start", "stop", "trace"]


def __getattr__(name: str) -> object:
    """Bring in the compiled part of marks where it is used: the launcher does without."""
    if name not in ("mark", "span"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tracer import _marks

    value: object = getattr(_marks, name)
    globals()[name] = value
    return value


def load_ipython_extension(ipython: object) -> None:
    """Add the magics to an IPython: ``%load_ext tracer``."""
    from tracer.notebook import register

    register(ipython)
