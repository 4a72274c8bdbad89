"""Record what a program's threads do with the GIL: exactly, on a stock CPython.

From the command line: ``python -m tracer script.py``. From inside a program::

    import tracer

    with tracer.trace("out.trace"):
        work()
"""

from __future__ import annotations

from tracer.api import arm, snapshot, start, stop, trace
from tracer.bootstrap.gilscope_recording import VERSION as __version__
from tracer.errors import GilscopeError, RecordingError

__all__ = ["GilscopeError", "RecordingError", "__version__", "arm", "snapshot", "start", "stop", "trace"]


def load_ipython_extension(ipython: object) -> None:
    """Add the magics to an IPython: ``%load_ext tracer``."""
    from tracer.notebook import register

    register(ipython)
