"""Text on its way out, one function a destination: names come from other people's programs and hold anything.

A figure's destination is its font: `plots.text.printable`. JSON keeps a name as it is, escaped; whatever
people look at shows what can't be seen in the form that Python writes it in: `\\x1b`, `\\u202e`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_HOLDERS: Final = (dict, list, tuple)


def visible(text: str) -> str:
    """Return text as one line in which every character shows itself.

    What moves a cursor, ends a line, turns the direction of writing (U+202E) or is none at all (a lone
    surrogate) becomes its escape sequence; spaces of all widths stay.
    """
    if text.isprintable():
        return text
    import unicodedata

    return "".join(
        c if c.isprintable() or unicodedata.category(c) == "Zs" else c.encode("unicode_escape").decode()
        for c in text
    )


def terminal(text: str, style: str = "") -> Text:
    """Return a line, or a cell of a table, for a terminal: no markup, nothing that a terminal obeys."""
    from rich.text import Text  # errors are said where there is no need of it

    return Text(visible(text), style=style)


def say(line: str) -> None:
    """Say something about the work itself, on stderr; where there is none, or nobody reads it, to nobody."""
    if sys.stderr is not None:  # print would take stdout, which is the program's
        with suppress(OSError):
            print(f"gilscope: {visible(line)}", file=sys.stderr, flush=True)


def stderr_console() -> Console:
    """Return a console on stderr that falls silent when its reader has gone: rich would exit with 1."""
    from rich.console import Console

    class Stderr(Console):
        def on_broken_pipe(self) -> None:
            self.quiet = True

    return Stderr(stderr=True)


def stack_frame(text: str) -> str:
    """Return what to call a frame in a file of stacks, "a;b;c 120"."""
    return visible(text).replace(";", ",")


def json_text(value: Any) -> str:
    """Return JSON that is also fit for a terminal: nothing but printable ASCII, in lines."""
    return "".join(_indented(value, "\n")).replace("\x7f", "\\u007f")


def _indented(value: Any, line: str) -> Iterator[str]:
    """Yield what json.dumps(value, indent=2) returns; C, which can't indent, makes what holds no other."""
    if not isinstance(value, _HOLDERS) or not value:
        yield json.dumps(value)
        return
    items = value.values() if isinstance(value, dict) else value
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    inner = line + "  "
    if not any(isinstance(each, _HOLDERS) for each in items):
        yield f"{opening}{inner}{_encoder(inner)(value)[1:-1]}{line}{closing}"
        return
    before = opening + inner
    keys = [json.dumps({key: 0})[1:-2] for key in value] if isinstance(value, dict) else [""] * len(value)
    for key, each in zip(keys, items, strict=True):
        yield before + key
        yield from _indented(each, inner)
        before = "," + inner
    yield line + closing


@lru_cache
def _encoder(line: str) -> Callable[[Any], str]:
    return json.JSONEncoder(separators=("," + line, ": ")).encode


def html_text(text: str) -> str:
    """Return text for a page, between tags or as the value of an attribute."""
    from html import escape

    return escape(visible(text))
