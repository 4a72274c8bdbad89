"""How a result looks in a notebook: `analysis.report.html` knows, and is imported when it is asked."""

from __future__ import annotations

from importlib import import_module


class Shown:
    """Something that a notebook shows as HTML."""

    def _repr_html_(self) -> str:
        return str(import_module("analysis.report.html").html(self))
