"""docs/releases.md: what was measured, a table a library, and what differs from Python to Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from analysis.units import count, duration, share

from . import figure
from .kept import Sheet
from .library import Library

_HEADINGS: Final = ("call", "verdict", "with the GIL", "one call", "in one piece", "lets go", "without it")
_WORTH_A_WORD: Final = 0.05
_CLEARLY: Final = 0.3
"""Shares that are this far apart are not the machine's."""

_SHORT: Final = 100_000
"""ns: a piece that is shorter is nobody's concern."""

_INTRODUCTION: Final = """\
Does a call let go of the GIL, so that other threads of Python run meanwhile? Here it is measured, with
`python -m tracer releases`: each call runs in a thread of its own, recorded exactly, and what the machine is
busy with otherwise does not count. `python -m plots.gallery atlas` measures it anew and writes this page; all
figures are in `examples/releases/results`, the calls in `examples/releases`.

- **holds**: more than 80 % of its time with the GIL; **lets go**: less than 20 %; **partly**: between;
  **unsure**: runs differed too much, or the machine may have decided.
- *in one piece*: how long it kept the GIL, at most, after another thread had asked for it. "–": less than
  0.1 ms. "when asked": it lets go within that time, as Python does between its instructions.
- "with fresh memory": the share where each call's memory comes from the kernel page by page. Whether it does
  is decided by what the process freed before, so the verdict is on memory that is used again.
- *lets go*: how often, a call; *without it*: computes (green in the figure) or sleeps.
- "from n = …": the size from which on it lets go at all, found by bisection.
"""


def write(path: Path, sheets: Sequence[Sheet], libraries: Sequence[Library]) -> Path:
    """Write the page, and the figures beside it.

    Parameters
    ----------
    sheets : sequence of Sheet
        All that is kept. A library's are shown with the newest Python that has most of them.
    libraries : sequence of Library
        What the atlas has, in order; those without a sheet are listed as left out.
    """
    main = main_python(sheets)
    shown = {of.library: of for of in sheets if of.minor == main}
    order = [library for library in libraries if library.name in shown]
    standard = [shown[library.name] for library in order if library.standard]
    others = [shown[library.name] for library in order if not library.standard]
    by_name = {library.name: library for library in libraries}
    lines = ["# Does it let go of the GIL?", "", _INTRODUCTION]
    lines += list(_measured([*others, *standard]))
    path.parent.mkdir(parents=True, exist_ok=True)
    for name, title, part in (
        ("libraries", "Libraries", others),
        ("standard", "Python's standard library", standard),
    ):
        if part:
            lines += ["", f"## {title}"]
            for number, shown_here in enumerate(figure.parts(part)):
                picture = path.with_name(f"{path.stem}-{name}{f'-{number + 1}' if number else ''}.png")
                figure.save(picture, shown_here)
                lines += ["", f"![{title}: share of its time that each call holds the GIL]({picture.name})"]
            for of in part:
                lines += ["", *_section(of, by_name[of.library])]
    lines += list(_changes(sheets, [library for library in libraries if library.standard], main))
    lines += list(_left_out(shown, libraries, main))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def main_python(sheets: Sequence[Sheet]) -> str:
    """Return the Python, "3.14", with which most calls were measured; the newest of several."""
    calls: Counter[str] = Counter()
    for of in sheets:
        calls[of.minor] += len(of.calls)
    return max(calls, key=lambda minor: (calls[minor], [int(part) for part in minor.split(".")]))


def _measured(sheets: Sequence[Sheet]) -> Iterator[str]:
    verdicts = Counter(figures["verdict"] for of in sheets for figures in of.calls.values())
    packages = {name.split(".")[0].split(",")[0] for of in sheets if of.versions for name in of.calls}
    total = verdicts.total()
    said = ", ".join(
        f"{count(verdicts[verdict])} {word}"
        for verdict, word in (
            ("holds", "hold"),
            ("partly", "hold it partly"),
            ("lets go", "let go"),
            ("unsure", "are unsure"),
            ("no GIL", "ran without a GIL"),
        )
        if verdicts[verdict]
    )
    pythons = ", ".join(sorted({of.python for of in sheets}))
    days = sorted({of.when for of in sheets})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    yield f"{count(total)} calls of {len(packages)} packages and of Python's standard library: {said}."
    yield f"CPython {pythons}; {'; '.join(sorted({of.machine for of in sheets}))}; {when}."


def _section(of: Sheet, library: Library) -> Iterator[str]:
    yield f"### {of.library}"
    yield ""
    versions = ", ".join(f"{name} {version}" for name, version in of.versions.items() if version)
    about = versions or library.about[:1].upper() + library.about[1:]
    bound = f"; bound with {library.binding}" if library.binding else ""
    yield f"{about}{bound}; CPython {of.python}, {of.when}."
    yield ""
    yield "| " + " | ".join(_HEADINGS) + " |"
    yield "|---|---|--:|--:|--:|--:|---|"
    for name, figures in of.calls.items():
        yield "| " + " | ".join(_cells(name, figures)) + " |"
    for name, why in of.failures.items():
        yield (
            f"\n`{name}` could not be measured: {_plain(why)}."
            if name == next(iter(of.failures))
            else f"`{name}`: {_plain(why)}."
        )


def _cells(name: str, figures: Mapping[str, Any]) -> tuple[str, ...]:
    called, _, what = name.partition(", ")
    verdict = figures["verdict"]
    return (
        f"`{called}`" + (f", {_plain(what)}" if what else ""),
        (verdict if verdict == "lets go" else f"**{verdict}**") + _from_size(figures),
        share(figures["held"]) + _fresh(figures),
        duration(figures["call_ns"]),
        _piece(figures),
        _times(figures["lets_go_times"]),
        _without(figures),
    )


def _fresh(figures: Mapping[str, Any]) -> str:
    if "held_with_fresh_memory" not in figures:
        return ""
    return f" ({share(figures['held_with_fresh_memory'])} with fresh memory)"


def _from_size(figures: Mapping[str, Any]) -> str:
    if "sizes" not in figures:
        return ""
    low, high = figures["sizes"]
    size = figures["lets_go_from"]
    if size is None:
        return f", never from n = {count(low)} to {count(high)}"
    if size == low:
        return f", at every size from n = {count(low)} on"
    return (
        f", from n = {count(size)} on"
        if figures["lets_go_from_exact"]
        else f", from about n = {count(size)} on"
    )


def _piece(figures: Mapping[str, Any]) -> str:
    piece = figures["piece_ns"]
    if figures["lets_go_when_asked"]:
        return "when asked"
    return duration(piece) if piece >= _SHORT else "–"


def _times(number: float) -> str:
    return "never" if number < 0.005 else f"{number:.2g} ×" if number < 10 else f"{count(round(number))} ×"


def _without(figures: Mapping[str, Any]) -> str:
    parts = [
        (figures["native"], "computes"),
        (figures["asleep"], "sleeps"),
    ]
    said = [f"{word} {share(part)}" for part, word in parts if part >= _WORTH_A_WORD]
    if figures["other_threads"] >= _WORTH_A_WORD:
        said.append(f"other threads {figures['other_threads']:.2g} CPUs")
    return ", ".join(said) or "–"


def _changes(sheets: Sequence[Sheet], standard: Sequence[Library], main: str) -> Iterator[str]:
    """Yield the calls of the standard library whose verdict, or size, is not the same with all Pythons."""
    pythons = sorted({of.minor for of in sheets}, key=lambda minor: [int(part) for part in minor.split(".")])
    if len(pythons) < 2:
        return
    by_key = {(of.library, of.minor): of for of in sheets}
    versions = {of.minor: of.python for of in sheets}
    rows, same = [], 0
    for library in standard:
        for entry in library.entries:
            name = entry.call.name
            found = [
                by_key[key].calls.get(name)
                for key in ((library.name, minor) for minor in pythons)
                if key in by_key
            ]
            cells = [_in_short(figures) for figures in found]
            known = [figures for figures in found if figures is not None]
            if len(known) > 1 and _differ(known):
                rows.append((name, cells))
            elif len(known) > 1:
                same += 1
    yield ""
    yield "## From Python to Python"
    yield ""
    yield (
        f"The standard library's calls with {', '.join(versions[minor] for minor in pythons)}:"
        f" {count(same)} give the same answer wherever they are there, these do not."
    )
    yield ""
    yield "| call | " + " | ".join(pythons) + " |"
    yield "|---|" + "---|" * len(pythons)
    for name, cells in rows:
        yield f"| `{_plain(name)}` | " + " | ".join(cells) + " |"


def _differ(known: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the size is another one, or the verdict, by more than runs of one Python differ."""
    if len({figures["lets_go_from"] for figures in known if "lets_go_from" in figures}) > 1:
        return True
    if any(figures["verdict"] == "unsure" for figures in known):
        return False
    shares = [figures["held"] for figures in known]
    return len({figures["verdict"] for figures in known}) > 1 and max(shares) - min(shares) > _CLEARLY


def _in_short(figures: Mapping[str, Any] | None) -> str:
    if figures is None:
        return "–"
    return f"{figures['verdict']}, {share(figures['held'])}{_from_size(figures)}"


def _left_out(shown: Mapping[str, Sheet], libraries: Sequence[Library], main: str) -> Iterator[str]:
    missing = [library.name for library in libraries if library.name not in shown]
    if missing:
        yield ""
        yield f"Not measured with Python {main}: {', '.join(missing)}."


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("`", "'")
