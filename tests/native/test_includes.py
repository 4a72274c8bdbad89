"""The core's house: what a file includes never comes back to it, and code is included by nobody."""

import re
from collections import defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

NATIVE = Path(__file__).resolve().parents[2] / "tracer" / "native"


def included(path: Path) -> Iterator[Path]:
    """Yield the core's own files that a file of it includes."""
    for name in re.findall(r'^#\s*include\s+"([^"]+)"', path.read_text(), re.MULTILINE):
        beside = path.parent / name
        yield (beside if beside.exists() else NATIVE / name).resolve()


def idea(path: Path) -> str:
    """Return a header and its code as one: "stacks/places"."""
    return str(path.relative_to(NATIVE).with_suffix(""))


def test_no_idea_comes_back_to_itself() -> None:
    needs: dict[str, set[str]] = defaultdict(set)
    for path in NATIVE.rglob("*.[ch]"):
        needs[idea(path)] |= {idea(other) for other in included(path)} - {idea(path)}
    assert "gil/gil" in needs["gil/hooks"]
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        pytest.fail(" includes ".join(error.args[1]))


def test_what_is_included_is_a_header_that_is_there() -> None:
    every = [other for path in NATIVE.rglob("*.[ch]") for other in included(path)]
    assert not [other for other in every if other.suffix != ".h" or not other.exists()]
