"""What to call of a library: a file of `examples/releases`.

::

    distributions = ["numpy"]            # whose versions are noted
    binding = "Cython"                   # what joins it to Python, where that is worth a word
    setup = "import numpy as np"

    [calls]
    "numpy.sort, 10⁶ floats" = {setup = "x = np.random.rand(10**6)", run = "np.sort(x)"}
    "numpy.add" = {setup = "x = np.ones(n)", run = "np.add(x, x)", n = 1_000_000, sizes = "1..1e5"}

A call is named by the dotted name of what is called, and after a comma what tells it from others.
With `sizes` the size from which on it lets go is looked for; `n` is the size of all else. `slow` is left out
by --quick.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tracer.releases.recording import Call

from ..errors import ExperimentError

SOURCES: Final = Path(__file__).resolve().parents[3] / "examples" / "releases"

_KEYS: Final = {"setup", "run", "n", "sizes", "slow"}


@dataclass(frozen=True)
class Entry:
    """One call of a library, and the sizes to look at, where that is asked."""

    call: Call
    sizes: str
    slow: bool


@dataclass(frozen=True)
class Library:
    """What is called of a library. `standard`: it comes with Python."""

    name: str
    about: str
    distributions: tuple[str, ...]
    setup: str
    entries: tuple[Entry, ...]
    binding: str = ""

    @property
    def standard(self) -> bool:
        return not self.distributions


def libraries(directory: Path = SOURCES) -> dict[str, Library]:
    """Return the libraries that a directory has files of, by name.

    Raises
    ------
    ExperimentError
        One of the files is not of that form.
    """
    found = {path.stem: read(path) for path in sorted(directory.glob("*.toml"))}
    if not found:
        raise ExperimentError(f"{directory} has no libraries: the atlas runs from the project's source tree")
    return found


def read(path: Path) -> Library:
    """Read one file.

    Raises
    ------
    ExperimentError
        It is not of that form.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        entries = tuple(_entry(path, name, entry) for name, entry in content["calls"].items())
        return Library(
            name=path.stem,
            about=str(content.get("about", "")),
            distributions=tuple(content.get("distributions", ())),
            setup=str(content.get("setup", "pass")),
            entries=entries,
            binding=str(content.get("binding", "")),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError, OSError) as error:
        raise ExperimentError(f"{path}: not a library of the atlas: {error}") from None


def _entry(path: Path, name: str, content: dict[str, Any]) -> Entry:
    if unknown := set(content) - _KEYS:
        raise ExperimentError(
            f"{path}: {name}: no key {min(unknown)!r}: there are {', '.join(sorted(_KEYS))}"
        )
    call = Call(
        name=name,
        statement=content["run"],
        setup=content.get("setup", "pass"),
        values={"n": content["n"]} if "n" in content else {},
        repeat=3,
        budget=4.0,
    )
    return Entry(call, content.get("sizes", ""), content.get("slow", False))
