"""Text on its way out, one function a destination: names come from other people's programs and hold anything.

A figure's destination is its font: `plots.text.printable`. JSON keeps a name as it is, escaped; whatever
people look at shows what can't be seen in the form that Python writes it in: `\\x1b`, `\\u202e`.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.text import Text


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
    """Say something about the work itself, on stderr."""
    print(f"gilscope: {visible(line)}", file=sys.stderr, flush=True)


def stack_frame(text: str) -> str:
    """Return what to call a frame in a file of stacks, "a;b;c 120"."""
    return visible(text).replace(";", ",")


def json_text(value: Any) -> str:
    """Return JSON that is also fit for a terminal: nothing but printable ASCII, in lines."""
    return json.dumps(value, indent=2).replace("\x7f", "\\u007f")


def html_text(text: str) -> str:
    """Return text for a page, between tags or as the value of an attribute."""
    from html import escape

    return escape(visible(text))
