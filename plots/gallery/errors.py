"""What may go wrong in the gallery."""

from __future__ import annotations

from analysis.errors import GilscopeError


class ExperimentError(GilscopeError):
    """An experiment could not be carried out; the message is one line for people."""
