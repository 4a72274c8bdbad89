"""What to do about a wrong trace: stop at the first thing, or go on and say what was skipped."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import TraceFormatError


@dataclass
class Problems:
    """The policy of one load: raise, or with `salvage` collect one line for each thing skipped."""

    salvage: bool = False
    skipped: list[str] = field(default_factory=list)

    def report(self, error: TraceFormatError, skipped: str) -> None:
        """Raise the error, or remember that `skipped` is what is missing because of it."""
        if not self.salvage:
            raise error
        self.skipped.append(f"{error}; skipped {skipped}")
