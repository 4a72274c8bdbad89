"""The core's house: what a file includes never comes back to it, and code is included by nobody."""

import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

NATIVE = Path(__file__).resolve().parents[2] / "tracer" / "native"


def name(path: Path) -> str:
    return str(path.relative_to(NATIVE))


def included(path: Path) -> Iterator[Path]:
    """Yield the core's own files that a file of it includes."""
    for file in re.findall(r'^#\s*include\s+"([^"]+)"', path.read_text(), re.MULTILINE):
        beside = path.parent / file
        yield (beside if beside.exists() else NATIVE / file).resolve()


def test_no_file_comes_back_to_itself() -> None:
    files = NATIVE.rglob("*.[ch]")
    needs = {name(path): {name(other) for other in included(path)} for path in files}
    assert "gil/gil.h" in needs["gil/hooks.c"]
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        pytest.fail(" includes ".join(error.args[1]))


def test_what_is_included_is_a_header_that_is_there() -> None:
    every = [other for path in NATIVE.rglob("*.[ch]") for other in included(path)]
    assert not [other for other in every if other.suffix != ".h" or not other.exists()]
