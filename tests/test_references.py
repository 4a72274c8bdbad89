"""Where a comment, a help text or a document names a file of the source, the file is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("tracer", "analysis", "plots", "examples", "benchmarks", "docs", "tools")
TEXTS = {".py", ".pyx", ".pxd", ".pyi", ".c", ".h", ".md", ".cfg", ".toml"}
NAMED = re.compile(rf"(?<![\w./-])((?:{'|'.join(STAGES)})/(?:[\w-]+/)*[\w-]+\.(?:pyx|pxd|py|c|h|md|toml))\b")


def texts(top: str) -> list[Path]:
    return [
        path
        for path in sorted((ROOT / top).rglob("*"))
        if path.suffix in TEXTS and "node_modules" not in path.parts
    ]


@pytest.mark.parametrize("top", ["tracer", "analysis", "plots", "examples", "benchmarks", "docs", "."])
def test_named_files_are_there(top: str) -> None:
    there = texts(top) if top != "." else [*ROOT.glob("*.md"), *ROOT.glob("*.cfg"), *ROOT.glob("*.toml")]
    assert there
    gone = [
        f"{path.relative_to(ROOT)}:{number}: {name}"
        for path in there
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        for name in NAMED.findall(line)
        if not (ROOT / name).exists()
    ]
    assert not gone
