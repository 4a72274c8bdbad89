"""What the atlas says of code that kept the GIL."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analysis.model import Code
from analysis.why.code import atlas


def code(file: str, name: str) -> Code:
    return Code(0, 0, name, file, 1)


def test_remarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {
        "lib/slow.py:decode": ["lib.decode", "holds", "lib 1.2"],
        "lib/fast.py:sum": ["lib.sum", "lets go", "lib 1.2"],
    }
    (tmp_path / "atlas.json").write_text(json.dumps(known))
    monkeypatch.setattr(atlas, "FILE", tmp_path / "atlas.json")
    atlas._known.cache_clear()
    try:
        place = "/venv/lib/python3.14/site-packages/"
        assert atlas.remark(code(f"{place}lib/slow.py", "decode")) == (
            " lib.decode is known to hold it (lib 1.2). What if it let go: whatif --release-gil slow.decode"
        )
        assert atlas.remark(code("/usr/lib/python3.14/lib/fast.py", "sum")) == (
            " lib.sum should let go (lib 1.2 does): did this version change?"
        )
        assert atlas.remark(code("/home/me/lib/slow.py", "decode")) == ""
    finally:
        atlas._known.cache_clear()


def test_what_the_atlas_measured_is_there() -> None:
    known = json.loads(atlas.FILE.read_text())
    assert known["scipy/linalg/_decomp_svd.py:svd"][:2] == ["scipy.linalg.svd", "holds"]
