"""What the atlas (docs/releases.md) knows of a function: whether calls in it hold the GIL, measured."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Final

from ...model import Code

_LIBRARY: Final = re.compile(r".*/(?:site-packages|dist-packages|python3\.\d+t?)/")

FILE: Final = Path(__file__).with_name("atlas.json")
"""{"package/file.py:function": [call, verdict, library and version]}: written by the atlas itself."""


def remark(code: Code) -> str:
    """Return a sentence on code that kept the GIL, or nothing where the atlas has none of it."""
    known = _known().get(f"{_in_package(code.file)}:{code.name}")
    if known is None:
        return ""
    call, verdict, version = known
    if verdict == "holds":
        return (
            f" {call} is known to hold it ({version})."
            f" What if it let go: whatif --release-gil {Path(code.file).stem}.{code.name}"
        )
    return f" {call} should let go ({version} does): did this version change?"


def _in_package(file: str) -> str:
    """Return where a file lies in its library: "scipy/linalg/_decomp.py"."""
    return _LIBRARY.sub("", file)


@cache
def _known() -> dict[str, list[str]]:
    try:
        found: dict[str, list[str]] = json.loads(FILE.read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError):
        return {}
