"""The pages of a gallery: `index.html` and `README.md`, with the same table and the same captions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from analysis.destinations import html_text, visible

from .machine import sentence
from .results import Result

PAGES: Final = ("index.html", "README.md")

_HEADINGS: Final = ("experiment", "published", "measured here", "shape holds?")
_STYLE: Final = """
body { font: 16px/1.5 sans-serif; color: #222; max-width: 1100px; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse } th, td { text-align: left; vertical-align: top; padding: .4em .8em }
tr { border-bottom: 1px solid #ddd } img { max-width: 100%; border: 1px solid #ddd }
.no { color: #b00020 } small, .left { color: #666 }
"""


def write(directory: Path, results: Sequence[Result]) -> None:
    """Write both pages, experiments in the order given."""
    (directory / "index.html").write_text(_html(results))
    (directory / "README.md").write_text(_markdown(results))


def measured_cell(result: Result) -> str:
    """Return what came of an experiment, in a line: what was measured, or why it wasn't."""
    if result.status != "measured":
        return f"{result.status}: {result.why}"
    missing = result.values.get("left_out")
    without = f" (left out: {'; '.join(missing)})" if missing else ""
    return result.title + without + (" (quick form)" if result.quick else "")


def _shape_cell(result: Result) -> str:
    return result.shape if result.status == "measured" else "–"


def _where(results: Sequence[Result]) -> list[str]:
    """Return on which machines, and when, the measurements were taken: one line each."""
    lines: dict[str, list[str]] = {}
    for result in results:
        if result.status == "measured":
            lines.setdefault(sentence(result.machine), []).append(result.when[:16].replace("T", " "))
    found = [f"{text} · {min(when)} UTC" for text, when in lines.items()]
    busy = [r.name for r in results if r.status == "measured" and _busy(r)]
    if busy:
        found.append(f"Other programs kept the machine busy when these began: {', '.join(busy)}.")
    return found


def _busy(result: Result) -> bool:
    return float(result.machine.get("load", 0.0)) > 0.5 * float(result.machine["cpus"])


def _png(result: Result) -> str | None:
    """Return the figure to show: that for slides if there is one."""
    pictures = [name for name in result.figures if name.endswith(".png")]
    return min(pictures, key=len) if pictures else None


def _markdown(results: Sequence[Result]) -> str:
    def cell(text: str) -> str:
        return visible(text.replace("\n", " ")).replace("|", "\\|")

    lines = ["# The GIL, experiment by experiment", "", *_where(results), ""]
    lines += ["| " + " | ".join(_HEADINGS) + " |", "|---" * len(_HEADINGS) + "|"]
    for result in results:
        name = f"[{result.name}](#{result.name})" if result.status == "measured" else result.name
        cells = (name, cell(result.published), cell(measured_cell(result)), _shape_cell(result))
        lines.append("| " + " | ".join(cells) + " |")
    for result in results:
        if result.status != "measured":
            continue
        lines += ["", f"## {result.name}", "", f"**{result.title}**", ""]
        picture = _png(result)
        if picture:
            lines += [f"![{result.title}]({picture})", ""]
        lines += [result.caption, "", f"Published: {result.published}", ""]
        lines += [f"Shape holds? {result.shape} ({result.criterion})", ""]
        lines += [", ".join(f"[{name}]({name})" for name in result.figures)]
    return "\n".join(lines) + "\n"


def _html(results: Sequence[Result]) -> str:
    rows = []
    for result in results:
        name = html_text(result.name)
        link = f'<a href="#{name}">{name}</a>' if result.status == "measured" else name
        measured = html_text(measured_cell(result))
        if result.status != "measured":
            measured = f'<span class="{"no" if result.status == "failed" else "left"}">{measured}</span>'
        shape = html_text(_shape_cell(result))
        rows.append(
            f"<tr><td>{link}<br><small>{html_text(result.about)}</small></td>"
            f"<td>{html_text(result.published)}</td><td>{measured}</td>"
            f'<td class="{shape}" title="{html_text(result.criterion)}">{shape}</td></tr>'
        )
    parts = []
    for result in results:
        if result.status != "measured":
            continue
        picture = _png(result)
        image = (
            f'<a href="{picture}"><img src="{picture}" alt="{html_text(result.title)}"></a>'
            if picture
            else ""
        )
        files = ", ".join(f'<a href="{name}">{name}</a>' for name in result.figures)
        parts.append(
            f'<h2 id="{html_text(result.name)}">{html_text(result.title)}</h2>\n{image}\n'
            f"<p>{html_text(result.caption)}</p>\n"
            f"<p><small>Published: {html_text(result.published)}<br>"
            f"Shape holds? {html_text(result.shape)} ({html_text(result.criterion)})<br>{files}</small></p>"
        )
    head = "".join(f"<th>{heading}</th>" for heading in _HEADINGS)
    where = "<br>".join(map(html_text, _where(results)))
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">\n'
        f"<title>The GIL, experiment by experiment</title>\n<style>{_STYLE}</style>\n"
        f"<h1>The GIL, experiment by experiment</h1>\n<p>{where}</p>\n"
        f"<table><tr>{head}</tr>\n" + "\n".join(rows) + "\n</table>\n" + "\n".join(parts) + "\n</html>\n"
    )
