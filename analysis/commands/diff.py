"""`python -m analysis diff A B`: what changed between two recordings, or two sets of them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from ..destinations import json_text, say, terminal
from ..errors import GilscopeError
from ..report.difference import Change, diff
from ..report.reservations import early_ends
from ..tables.load import load
from ..units import count, duration, share

_WIDTH_WITHOUT_TERMINAL: Final = 200
_WORTH_A_LINE: Final = 0.01
_CODE: Final = 15
_TIMES: Final = 11
"""From here on, +1000 %, a change is told as a factor."""

EPILOG: Final = """\
    python -m analysis diff before.trace after.trace
    python -m analysis diff old1.trace old2.trace old3.trace --to new1.trace new2.trace new3.trace

With several runs a side a figure is the median, with the range beside it, and * marks what changed beyond
that: all runs of one side are above all runs of the other."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add all options."""
    parser.add_argument("before", nargs="+", metavar="TRACE", help="A and B; with --to, runs of one side")
    parser.add_argument("--to", nargs="+", metavar="TRACE", default=[], help="runs of the other side")
    parser.add_argument("--all", action="store_true", help="show what changed by less than 1 %% too")
    parser.add_argument("--json", action="store_true", help="for machines: a list of changes")


def check(options: argparse.Namespace) -> None:
    """Raise GilscopeError if there are not two sides."""
    if options.to:
        options.after = options.to
    elif len(options.before) == 2:
        options.after = [options.before.pop()]
    else:
        raise GilscopeError(
            f"{count(len(options.before))} traces and no --to: `diff A B` compares two,"
            " `diff A1 A2 --to B1 B2` several a side"
        )


def run(options: argparse.Namespace) -> None:
    """Print what changed."""
    changes = diff(*(_loaded(side, options) for side in (options.before, options.after)))
    if options.json:
        print(json_text(to_json(changes)))
        return
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _WIDTH_WITHOUT_TERMINAL)
    print_diff(changes, console, everything=options.all)


def _loaded(paths: Sequence[str], options: argparse.Namespace) -> list[Any]:
    traces = []
    for path in paths:
        traces.append(load(path, salvage=options.salvage))
        for line in traces[-1].skipped:
            say(line)
        for line in early_ends(traces[-1].processes):
            say(f"{path}: {line}")
    return traces


def to_json(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Return the changes for `json.dumps`: values in ns, shares of 1 or counts, null where there is none."""
    return [
        {
            **vars(change),
            "before": list(change.before),
            "after": list(change.after),
            "before_median": change.medians[0],
            "after_median": change.medians[1],
            "relative": change.relative,
            "beyond_spread": change.beyond_spread,
        }
        for change in changes
    ]


def print_diff(changes: Sequence[Change], console: Console, *, everything: bool = False) -> None:
    """Print a table of what changed: by 1 % or more, unless everything is wanted."""
    several = any(len(change.before) + len(change.after) > 2 for change in changes)
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, header_style="dim"
    )
    table.add_column("", overflow="fold")
    table.add_column("figure")
    for title in ("before", "after", "change"):
        table.add_column(title, justify="right", no_wrap=True)
    for subject, shown in _shown(changes, everything):
        for at, change in enumerate(shown):
            cells = [_side(change, change.before), _side(change, change.after), _changed(change)]
            style = "bold" if change.beyond_spread else ""
            table.add_row(terminal(subject) if not at else "", change.figure, *cells, style=style)
    if table.row_count:
        console.print(table, highlight=False)
    else:
        console.print("Nothing changed by 1 % or more.")
    if several:
        console.print(
            "* beyond the spread: all runs of one side are above all runs of the other.", style="dim"
        )


def _shown(changes: Sequence[Change], everything: bool) -> Iterator[tuple[str, list[Change]]]:
    several_processes = len({change.process for change in changes if change.kind == "thread"}) > 1
    code = 0
    for (kind, process, name), group in groupby(
        changes, key=lambda each: (each.kind, each.process, each.name)
    ):
        shown = [change for change in group if everything or _worth(change)]
        if not shown:
            continue
        code += kind == "code"
        if code > _CODE and not everything:
            return
        subject = {"all": "all", "process": process}.get(kind, name)
        if kind == "thread" and several_processes:
            subject = f"{process}: {name}"
        yield subject, shown


def _worth(change: Change) -> bool:
    before, after = change.medians
    if before is None or after is None:
        return before != after
    return abs(after - before) >= _WORTH_A_LINE * max(abs(before), abs(after)) and before != after


def _side(change: Change, side: Sequence[float | None]) -> str:
    values = sorted(value for value in side if value is not None)
    if not values:
        return "–"
    median = change.medians[0 if side is change.before else 1]
    assert median is not None
    text = _value(change.unit, median)
    if len(values) > 1:
        text += f" ({_value(change.unit, values[0])} – {_value(change.unit, values[-1])})"
    return text


def _value(unit: str, value: float) -> str:
    if unit == "time":
        return duration(value)
    return share(value) if unit == "share" else count(round(value))


def _changed(change: Change) -> str:
    before, after = change.medians
    if before is None or after is None:
        return "gone" if after is None else "new"
    mark = " *" if change.beyond_spread else ""
    if change.relative is None:
        return f"from 0{mark}" if after else ""
    times = 1 + change.relative
    return f"{times:,.0f} ×{mark}" if times >= _TIMES else f"{100 * change.relative:+.1f} %{mark}"
