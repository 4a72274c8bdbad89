"""The house: rooms are small and import down only, and no module comes back to itself."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

ANALYSIS = (
    "reader",
    "fold",
    "tables",
    "measures",
    "why",
    "whatif",
    "report",
    "export",
    "fleet",
    "live",
    "commands",
)
"""Each imports those before it. What lies in no room is below all, but for the two ways in."""

RECORDS = "plots.gallery"
"""Draws what it has recorded itself, so it stands above the recorder too."""

WAYS_IN = ("analysis", "analysis.__main__")

MOST = 17
"""Ideas that somebody who comes into a room can look over: files by stem, a header or stub is its file's."""

SOURCES = {".py", ".pyx", ".pxd", ".pyi", ".c", ".h", ".js"}


def modules(top: str) -> dict[str, Path]:
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in (ROOT / top).rglob("*.py")
    }


def imported(name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Yield the modules among the known ones that a module imports, not those for type checkers only."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    nodes: list[ast.AST] = [ast.parse(path.read_text())]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        nodes += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name in known)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = parts[: len(parts) + 1 - node.level] if node.level else []
            target = ".".join([*base, *([node.module] if node.module else [])])
            for each in node.names:
                found = f"{target}.{each.name}"
                if found in known or target in known:
                    yield found if found in known else target


def room(name: str) -> int:
    """Return the floor of a module of the analysis: 0 where it lies in no room."""
    part = name.split(".")[1] if name.count(".") else ""
    return ANALYSIS.index(part) + 1 if part in ANALYSIS else 0


def test_rooms_of_the_analysis_import_down() -> None:
    known = modules("analysis")
    assert {name.split(".")[1] for name in known if name.count(".") > 1} == set(ANALYSIS)
    upward = [
        f"{name} imports {other}"
        for name, path in known.items()
        if name not in WAYS_IN
        for other in imported(name, path, known)
        if room(other) > room(name)
    ]
    assert not upward


@pytest.mark.parametrize(
    ("lower", "upper"), [("analysis", "plots"), ("analysis", "tracer"), ("plots", "tracer")]
)
def test_stages_import_down(lower: str, upper: str) -> None:
    above = modules(upper)
    assert not [
        f"{name} imports {other}"
        for name, path in modules(lower).items()
        if not name.startswith(RECORDS)
        for other in imported(name, path, above)
    ]


@pytest.mark.parametrize("top", ["analysis", "plots", "tracer"])
def test_no_module_comes_back_to_itself(top: str) -> None:
    known = modules(top)
    inside = {name: path for name, path in known.items() if path.name != "__init__.py"}
    try:
        TopologicalSorter(
            {name: set(imported(name, path, inside)) for name, path in inside.items()}
        ).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(error.args[1]))


@pytest.mark.parametrize("stage", ["analysis.reader", "analysis.tables"])
def test_no_room_within_a_stage_comes_back_to_itself(stage: str) -> None:
    """What lies in no room of the stage is below some and above others: it is left out."""
    known = {name: path for name, path in modules("analysis").items() if name.startswith(f"{stage}.")}
    depth = stage.count(".") + 1
    rooms: dict[str, set[str]] = {}
    for name, path in known.items():
        inside, *more = name.split(".")[depth:]
        if more:
            others = (other.split(".")[depth:] for other in imported(name, path, known))
            rooms.setdefault(inside, set()).update(
                other[0] for other in others if len(other) > 1 and other[0] != inside
            )
    try:
        TopologicalSorter(rooms).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(error.args[1]))


@pytest.mark.parametrize("top", ["analysis", "plots", "tracer", "tests"])
def test_rooms_can_be_looked_over(top: str) -> None:
    rooms: dict[Path, set[str]] = {}
    for path in (ROOT / top).rglob("*"):
        made = path.suffix == ".c" and path.with_suffix(".pyx").exists()
        if path.suffix in SOURCES and not made and not path.stem.startswith("__"):
            rooms.setdefault(path.parent.relative_to(ROOT), set()).add(path.stem)
    assert {str(room): len(ideas) for room, ideas in rooms.items() if len(ideas) > MOST} == {}
