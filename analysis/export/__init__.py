"""A trace in the files of other programs. `write(trace, path, format)`; formats: `FORMATS`."""

from .formats import FORMATS, write

__all__ = ["FORMATS", "write"]
