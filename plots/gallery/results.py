"""What was measured, kept: `results.json` in the gallery's directory."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from .errors import ExperimentError
from .experiment import Values

FILE: Final = "results.json"

_FORMAT: Final = 1
"""1: the first."""

Status = Literal["measured", "left out", "failed"]


@dataclass(frozen=True)
class Result:
    """One experiment: what came of it, when, and on what.

    `why` says what is missing, or what went wrong. `shape` and `criterion` say whether the published shape
    holds; `figures` are file names.
    """

    name: str
    about: str
    published: str
    status: Status
    why: str = ""
    when: str = ""
    seconds: float = 0.0
    quick: bool = False
    title: str = ""
    caption: str = ""
    shape: str = ""
    criterion: str = ""
    figures: list[str] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=dict)
    values: Values = field(default_factory=dict)


def load(directory: Path) -> dict[str, Result]:
    """Return the results that a gallery holds, by name; none if it has no file of them.

    Raises
    ------
    ExperimentError
        The file is not one of a gallery.
    """
    path = directory / FILE
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text())
        if content["format"] != _FORMAT:
            raise ExperimentError(f"{path}: found format {content['format']!r}, expected {_FORMAT}")
        return {name: Result(name=name, **entry) for name, entry in content["gallery"].items()}
    except (ValueError, LookupError, TypeError, AttributeError):
        raise ExperimentError(f"{path}: not the results of a gallery; choose another directory") from None


def save(directory: Path, results: dict[str, Result]) -> None:
    """Write them; the file is never there in half."""
    gallery = {name: asdict(result) for name, result in results.items()}
    for entry in gallery.values():
        del entry["name"]
    path = directory / FILE
    fresh = path.with_suffix(".json.new")
    fresh.write_text(json.dumps({"format": _FORMAT, "gallery": gallery}, indent=1) + "\n")
    fresh.replace(path)
