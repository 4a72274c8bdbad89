"""The errors of recording; the family is analysis's, so that one name catches everything of gilscope's."""

from analysis.errors import GilscopeError, TraceFormatError

__all__ = ["GilscopeError", "RecordingError", "TraceFormatError", "UsageError"]


class RecordingError(GilscopeError):
    """A recording can't begin: one runs already, the GIL can't be seen, or its files can't be made."""


class UsageError(GilscopeError):
    """The command line asks for something that can't be done; nothing has run yet."""
