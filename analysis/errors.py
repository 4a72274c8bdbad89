"""The exceptions of gilscope: one family, so that a caller can catch all of it by one name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .destinations import visible


class GilscopeError(Exception):
    """Anything that gilscope itself reports; the message is one line for people."""

    def __str__(self) -> str:
        return visible(super().__str__())


class TraceFormatError(GilscopeError):
    """A trace can't be read as what it says it is.

    Parameters
    ----------
    path : Path
        The file or directory that is wrong.
    found, expected : str
        What is there, and what should be.
    where : str, optional
        The place inside the file ("packet 3").
    """

    def __init__(self, path: Path, found: str, expected: str, where: str = "") -> None:
        self.path = path
        self.found = found
        self.expected = expected
        self.where = where
        place = f"{path}: {where}" if where else str(path)
        super().__init__(f"{place}: found {found}, expected {expected}")

    def __reduce__(self) -> tuple[type[TraceFormatError], tuple[Path, str, str, str]]:
        return type(self), (self.path, self.found, self.expected, self.where)


def there(wanted: str, names: Iterable[str]) -> str:
    """Return what there is in place of a name that nothing has: five names, the closest first."""
    from difflib import get_close_matches

    every = list(dict.fromkeys(names))
    near = get_close_matches(wanted, every, 5, 0.3)
    shown = [*near, *(name for name in every if name not in near)][:5]
    more = ", …" if len(every) > len(shown) else ""
    return f"there {'is' if len(every) == 1 else 'are'} {', '.join(shown) or 'none'}{more}"
