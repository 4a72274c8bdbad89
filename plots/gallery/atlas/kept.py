"""What was measured of a library with one Python: JSON, which `diff` can compare from release to release."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tracer.releases.judgement import Judgement
from tracer.releases.sizes import Threshold

from ..errors import ExperimentError
from .survey import Surveyed

_FORMAT: Final = 1
"""1: the first."""

_IN_A_LIBRARY: Final = re.compile(r".*/(?:site-packages|dist-packages|python3\.\d+t?)/")
_DIGITS: Final = 3


@dataclass(frozen=True)
class Sheet:
    """What was measured of a library: `calls` by name, figures as `_figures` makes them."""

    library: str
    python: str
    versions: dict[str, str | None]
    when: str
    machine: str
    calls: dict[str, dict[str, Any]]
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def minor(self) -> str:
        """The Python without its micro version: "3.14"."""
        return ".".join(self.python.split(".")[:2])

    @property
    def title(self) -> str:
        """The library with its version: "numpy 2.5.1"."""
        own = next((version for version in self.versions.values() if version), None)
        return f"{self.library} {own}" if own else self.library


def sheet(library: str, surveyed: Surveyed, when: str, machine: str) -> Sheet:
    """Return what to keep of what was measured."""
    calls = {
        name: _figures(judgement, surveyed.thresholds.get(name)) for name, judgement in surveyed.calls.items()
    }
    return Sheet(
        library,
        surveyed.python,
        surveyed.versions,
        when,
        machine,
        calls,
        dict(sorted(surveyed.failures.items())),
    )


def _figures(of: Judgement, threshold: Threshold | None) -> dict[str, Any]:
    """Return the figures of a call: shares from 0 to 1, times of one call in ns, three digits each."""
    found: dict[str, Any] = {
        "verdict": of.verdict,
        "held": round(of.share, _DIGITS),
        "held_least": round(of.shares[0], _DIGITS),
        "held_most": round(of.shares[1], _DIGITS),
        "call_ns": _rounded(of.own),
        "piece_ns": _rounded(of.piece),
        "lets_go_when_asked": of.yields,
        "lets_go_times": float(f"{of.released:.3g}"),
        "native": round(of.native, _DIGITS),
        "asleep": round(of.asleep, _DIGITS),
        "other_threads": round(of.elsewhere, 2),
        "first_call_ns": _rounded(of.first_wall),
        "first_held": round(of.first_share, _DIGITS),
    }
    if of.pages:
        found["held_with_fresh_memory"] = round(of.fresh_share, _DIGITS)
        found["pages_touched"] = round(of.pages)
    if threshold is not None:
        found["lets_go_from"] = threshold.size
        found["lets_go_from_exact"] = threshold.exact
        found["sizes"] = [min(threshold.points), max(threshold.points)]
        found["lets_go_changes"] = threshold.changes
    if of.function and not of.function[0].startswith("<"):
        found["function"] = f"{_IN_A_LIBRARY.sub('', of.function[0])}:{of.function[1]}"
    return found


def _rounded(value: float) -> int:
    return int(float(f"{value:.3g}"))


def path_of(directory: Path, library: str, python: str) -> Path:
    """Return where the sheet of a library and a Python lies: one file, whichever the versions."""
    return directory / f"{library}-{'.'.join(python.split('.')[:2])}.json"


def save(directory: Path, of: Sheet) -> Path:
    """Write a sheet; the file is never there in half."""
    path = path_of(directory, of.library, of.python)
    directory.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".json.new")
    fresh.write_text(
        json.dumps({"format": _FORMAT, **vars(of)}, indent=1, ensure_ascii=False) + "\n", "utf-8"
    )
    fresh.replace(path)
    return path


def load(directory: Path) -> list[Sheet]:
    """Return all sheets of a directory, by library, newest Python first.

    Raises
    ------
    ExperimentError
        A file there is no sheet.
    """
    sheets = []
    for path in sorted(directory.glob("*.json")):
        try:
            content = json.loads(path.read_text("utf-8"))
            if content.pop("format") != _FORMAT:
                raise ValueError("its format is another one")
            sheets.append(Sheet(**content))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ExperimentError(f"{path}: not a sheet of the atlas: {error}") from None
    return sorted(sheets, key=lambda of: (of.library, [-int(part) for part in of.minor.split(".")]))


def differences(old: list[Sheet], new: list[Sheet]) -> Iterator[tuple[str, str, str, str]]:
    """Yield library, call and two verdicts with their shares, of calls whose verdict is another one."""
    before = {(of.library, of.minor): of.calls for of in old}
    for of in new:
        for name, figures in of.calls.items():
            was = before.get((of.library, of.minor), {}).get(name)
            if was is not None and was["verdict"] != figures["verdict"]:
                told, tells = (f"{each['verdict']} ({each['held']:.1%})" for each in (was, figures))
                yield f"{of.library}, Python {of.minor}", name, told, tells


def known_functions(sheets: list[Sheet]) -> dict[str, list[str]]:
    """Return what a summary may say of functions of libraries: see analysis.why.code.atlas.

    A function counts where it has the call's own name, and all that was measured of that call agrees.
    """
    found: dict[str, list[str]] = {}
    for of in sheets:
        verdicts: dict[str, set[str]] = {}
        for name, figures in of.calls.items():
            verdicts.setdefault(name.partition(", ")[0], set()).add(figures["verdict"])
        for name, figures in of.calls.items():
            called, verdict = name.partition(", ")[0], figures["verdict"]
            package = called.partition(".")[0]
            file, _, function = figures.get("function", "").partition(":")
            own = function.rpartition(".")[2].lstrip("_") == called.rpartition(".")[2]
            if not (own and file.startswith(f"{package}/") and verdicts[called] in ({"holds"}, {"lets go"})):
                continue
            if not (verdict == "holds" and figures["lets_go_when_asked"]):
                found[f"{file}:{function}"] = [called, verdict, _version(of, package)]
    return dict(sorted(found.items()))


def _version(of: Sheet, package: str) -> str:
    for name, version in of.versions.items():
        if version and (len(of.versions) == 1 or name.lower().replace("-", "_") == package.lower()):
            return f"{name} {version}"
    return f"CPython {of.python}"
