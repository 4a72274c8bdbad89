"""The page: markup, style, code and data in one file.

Nothing in it asks for anything: a policy in the page itself forbids requests, and code other than its own.
What comes from the trace (names, paths, arguments may hold anything) is data, and becomes text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from analysis.destinations import html_text
from analysis.export.places import places

from ..timeline.window import window
from .encoding import deflated
from .facts import facts
from .lanes import encode
from .shares import encode_shares
from .words import WORDS

if TYPE_CHECKING:
    from analysis.tables.trace import Trace

SIZE: Final = 15_000_000
"""Bytes that a page may have."""

MODULES: Final = (
    "units.js",
    "bytes.js",
    "store.js",
    "columns.js",
    "paint.js",
    "sweep.js",
    "waits.js",
    "dom.js",
    "view.js",
    "axis.js",
    "minimap.js",
    "said.js",
    "picture.js",
    "panels.js",
    "search.js",
    "main.js",
)
"""The page's code: each module imports only from those before it."""


def save_page(
    trace: Trace,
    path: str | Path,
    *,
    start: int | None = None,
    end: int | None = None,
    around: str | None = None,
    title: str | None = None,
) -> Path:
    """Write a trace as one HTML file; return its path.

    Parameters
    ----------
    trace : Trace
    path : str or Path
        Replaced if it exists.
    start, end : int, optional
        Where it opens, ns since the trace's begin; all of the trace is in it.
    around : str, optional
        "largest-wait", "largest-hold" or "largest-stall", or a time such as "12ms": where it opens.
    title : str, optional
        By default what the program is called.

    Raises
    ------
    PlotError
        If nothing of the trace is where it should open.
    OSError
        If the file can't be written.
    """
    target = Path(path)
    target.write_text(page(trace, start=start, end=end, around=around, title=title), encoding="utf-8")
    return target


def page(
    trace: Trace,
    *,
    start: int | None = None,
    end: int | None = None,
    around: str | None = None,
    title: str | None = None,
    size: int = SIZE,
) -> str:
    """Return the page as text of at most about `size` bytes; see `save_page`."""
    view = window(trace, start, end, around)
    numbered = places(trace)
    grids, bins = encode_shares(trace)
    code = script()
    sheet = _asset("page.css")
    room = (size - len(code) - len(sheet) - 400_000) * 3 // 4 - len(deflated(bins))
    lanes = encode(trace, numbered, max(room, 0))
    data = facts(trace, view, numbered, lanes, grids, title or _title(trace))
    return _filled(
        {
            "TITLE": html_text(data["title"]),
            "POLICY": _policy(code, sheet),
            "STYLE": sheet,
            "NOSCRIPT": html_text(str(WORDS["no_script"])),
            "FACTS": _json(data),
            "SHARES": _payload(joined(lanes.index, bins)),
            "INTERVALS": _payload(lanes.planes),
            "SCRIPT": code,
        }
    )


def joined(*parts: bytes) -> bytes:
    """Return byte strings in one, each behind its length in eight bytes."""
    return b"".join(len(part).to_bytes(8, "little") + part for part in parts)


def script() -> str:
    """Return the page's code, as classic code: a page that was opened from a file may not load modules."""
    code = "\n".join(_scoped(name, _asset(f"js/{name}")) for name in MODULES)
    return f"(() => {{\n'use strict';\nconst modules = {{}};\n{code}\n}})();"


def _scoped(name: str, module: str) -> str:
    """Return a module as a function of its own, which takes what it imports and leaves what it exports."""
    exported = re.findall(r"^export (?:async )?(?:class|function|const) (\w+)", module, re.MULTILINE)
    code = re.sub(
        r"^import (\{[^}]*\}) from '\./([\w.]+)';$", r"const \1 = modules['\2'];", module, flags=re.MULTILINE
    )
    code = re.sub(r"^export ", "", code, flags=re.MULTILINE)
    return f"modules['{name}'] = (() => {{\n{code}return {{ {', '.join(exported)} }};\n}})();"


def _policy(code: str, sheet: str) -> str:
    def digest(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    return f"default-src 'none'; script-src {digest(code)}; style-src {digest(sheet)}; base-uri 'none'"


def _json(data: Any) -> str:
    """Return JSON that can stand in an element: no tag can begin in it."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _payload(raw: bytes) -> str:
    return base64.b64encode(deflated(raw)).decode("ascii")


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _filled(parts: dict[str, str]) -> str:
    return re.sub(r"@([A-Z]+)@", lambda found: parts[found[1]], _asset("page.html"))


def _title(trace: Trace) -> str:
    return (trace.processes[0].command if trace.processes else "") or trace.path.name
