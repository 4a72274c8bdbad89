"""`python -m analysis fleet PATH…`: traces and summaries of many processes, ranked by the waits they made."""

from __future__ import annotations

import argparse
import datetime
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..destinations import json_text, say, terminal
from ..errors import GilscopeError
from ..fleet import fleet as ask
from ..fleet import schema
from ..fleet.answer import Fleet, to_json, to_row
from ..fleet.cluster import LOCAL
from ..fleet.difference import Shift, difference
from ..fleet.limits import FIGURES, limit
from ..fleet.limits import check as check_limits
from ..fleet.merge import COLUMNS, OF_CODE
from ..fleet.work import Between
from ..measures.histogram import RELATIVE_ERROR
from ..units import count, duration, long_duration, share
from .summarise import how

if TYPE_CHECKING:
    from rich.table import Table

_WIDTH: Final = max(map(len, FIGURES)) + 2
EPILOG: Final = "\n".join(
    [
        "dimensions for --by: service, host, pid, python, gilscope, any tag; and line, function, file: the",
        "code that held the GIL while others waited. Without one of these a group is ranked by how long its",
        "threads waited.",
        "",
        "figures for --fail-if, of each group:",
        *(f"  {figure.name:{_WIDTH}}{figure.unit:7}{figure.meaning}" for figure in FIGURES.values()),
    ]
)


def add_sources(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is added up, and how."""
    add = parser.add_argument
    add("paths", nargs="+", metavar="PATH", help="a trace, a file of summaries, or a directory of these")
    add("--by", default="service,line", metavar="NAMES", help="what to tell apart (default: service,line)")
    add("--between", nargs=2, metavar=("BEGIN", "END"), help="only this time: 2026-11-29T10:00 (UTC)")
    add("--scheduler", default=LOCAL, metavar="ADDRESS", help="of a Dask scheduler (default: local workers)")
    add("--tag", action="append", default=[], metavar="NAME=VALUE", help="of the traces among the paths")
    add("--every", metavar="TIME", help="summarise these traces in stretches of this length")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_sources(parser)
    add = parser.add_argument
    add("--diff", metavar="NAME=A,B", help="two values of a dimension side by side, as release=1.3,1.4")
    add(
        "--fail-if", action="append", default=[], metavar="EXPRESSION", help="exit with 1 if so: 'rate > 60s'"
    )
    add("--all", action="store_true", help="every group (default: the worst 20)")
    add("--json", action="store_true", help="for machines")
    add("-o", "--output", type=Path, metavar="FILE", help="the groups as Parquet")
    add("--force", action="store_true", help="replace FILE")


def check_sources(options: argparse.Namespace) -> None:
    """Raise GilscopeError for what can't be meant, or without what it needs."""
    schema.arrow()
    options.how = how(options)
    options.by = tuple(filter(None, (name.strip() for name in options.by.split(","))))
    if not options.by:
        raise GilscopeError("--by: name at least one dimension, such as service or line")
    if sum(name in OF_CODE for name in options.by) > 1:
        raise GilscopeError(f"--by {','.join(options.by)}: one of {', '.join(OF_CODE)}")
    options.between = _between(*options.between) if options.between else None


def check(options: argparse.Namespace) -> None:
    """Raise GilscopeError as `check_sources`, and for what is no limit or no two sides."""
    check_sources(options)
    options.limits = [limit(text) for text in options.fail_if]
    options.sides = _sides(options.diff) if options.diff else None
    if options.sides and options.sides[0] not in options.by:
        options.by = (options.sides[0], *options.by)
    if options.output is not None and options.output.exists() and not options.force:
        raise GilscopeError(f"{options.output} exists: choose another name, or replace it with --force")


def _sides(text: str) -> tuple[str, str, str]:
    name, equals, values = text.partition("=")
    before, comma, after = values.partition(",")
    if not (name and equals and before and comma and after):
        raise GilscopeError(f"--diff {text}: a dimension and two of its values, as in release=1.3,1.4")
    return name, before, after


def _between(begin: str, end: str) -> Between:
    first, last = _utc(begin), _utc(end)
    if first >= last:
        raise GilscopeError(f"--between {begin} {end}: nothing lies between")
    return Between(first, last)


def _utc(text: str) -> int:
    try:
        time = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise GilscopeError(
            f"--between {text}: a time like 2026-11-29T10:00 (UTC) or …T10:00+02:00"
        ) from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=datetime.UTC)
    return round(time.timestamp() * 1e9)


def run(options: argparse.Namespace) -> int:
    """Print the groups; return 1 if a limit is not kept."""
    found = _asked(options)
    for problem in found.problems:
        say(problem)
    if not found.summaries:
        raise GilscopeError("nothing could be counted")
    _check_known(found)
    shifts = difference(found, *options.sides) if options.sides else None
    if options.json:
        print(json_text(to_json(found) | ({"diff": [_shift_row(each) for each in shifts]} if shifts else {})))
    else:
        _print(found, shifts, options)
    if options.output is not None:
        rows = [to_row(group, found.by) for group in found.groups]
        schema.save(schema.arrow().Table.from_pylist(rows), str(options.output))
    failures = check_limits(found, options.limits)
    sys.stdout.flush()
    for failure in failures:
        say(str(failure))
    return 1 if failures else 0


def _check_known(found: Fleet) -> None:
    """Raise GilscopeError for a dimension that is none, and no tag of any process."""
    for at, name in enumerate(found.by):
        if name not in (*COLUMNS, *OF_CODE) and found.groups and not any(g.values[at] for g in found.groups):
            raise GilscopeError(
                f"--by {name}: no process has such a tag; ask by {', '.join((*COLUMNS, *OF_CODE))},"
                " or by a tag that they have (--tag, GILSCOPE_TAGS)"
            )


def _asked(options: argparse.Namespace) -> Fleet:
    from rich.console import Console
    from rich.progress import Progress

    arguments: dict[str, Any] = {
        "by": options.by,
        "between": options.between,
        "scheduler": options.scheduler,
        "how": options.how,
    }
    console = Console(stderr=True)
    if not console.is_terminal:
        return ask(options.paths, **arguments)
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("adding up", total=1.0)
        return ask(options.paths, **arguments, progress=lambda done: bar.update(task, completed=done))


def _print(found: Fleet, shifts: list[Shift] | None, options: argparse.Namespace) -> None:
    from rich.console import Console

    console = Console(highlight=False, emoji=False)
    if not console.is_terminal:
        console = Console(highlight=False, emoji=False, width=160)
    processes = f"{count(found.processes)} process{'es' if found.processes != 1 else ''}"
    hosts = f"{count(found.hosts)} host{'s' if found.hosts != 1 else ''}"
    console.print(
        terminal(
            f"{processes} on {hosts}, {found.life / 3.6e12:.3g} process-hours: their threads waited"
            f" {long_duration(found.waited)} for GILs"
        )
    )
    console.print(_of_groups(found, options) if shifts is None else _of_shifts(shifts, options))
    if not any(name in OF_CODE for name in found.by):
        console.print(terminal(f"percentiles are within {100 * RELATIVE_ERROR:.1f} %", style="dim"))


_MOST: Final = 20


def _table(columns: list[tuple[str, bool]], rows: list[list[str]], everything: bool) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, right in columns:
        table.add_column(terminal(name), justify="right" if right else "left", overflow="fold")
    shown = rows if everything else rows[:_MOST]
    for row in shown:
        table.add_row(*(terminal(cell) for cell in row))
    if len(rows) > len(shown):
        table.caption = terminal(f"{count(len(rows) - len(shown))} more: --all")
        table.caption_justify = "left"
    return table


def _of_groups(found: Fleet, options: argparse.Namespace) -> Table:
    of_code = any(name in OF_CODE for name in found.by)
    figures = [("waited", True), ("share", True), ("an hour", True), ("longest", True)]
    figures += [] if of_code else [("p50", True), ("p99", True)]
    figures += [("hosts", True), ("processes", True)]
    rows = []
    for group in found.groups:
        cells = [long_duration(group.waited), share(group.share)]
        cells += [long_duration(group.rate), duration(group.longest)]
        cells += [] if of_code else [duration(group.wait.p50), duration(group.wait.p99)]
        named = [value or "(not known)" for value in group.values]
        rows.append([*named, *cells, count(group.hosts), count(group.processes)])
    return _table([*((name, False) for name in found.by), *figures], rows, options.all)


def _of_shifts(shifts: list[Shift], options: argparse.Namespace) -> Table:
    name, before, after = options.sides
    others = [dimension for dimension in options.by if dimension != name]
    columns = [(each, False) for each in others]
    columns += [(f"{name} {before}", True), (f"{name} {after}", True), ("change", True), ("", False)]
    rows = [
        [
            *(value or "(not known)" for value in shift.values),
            _spread(shift.medians[0], shift.before),
            _spread(shift.medians[1], shift.after),
            f"{'+' if shift.change > 0 else '−'}{long_duration(abs(shift.change))}" if shift.change else "0",
            "beyond the spread of hosts" if shift.beyond_spread else "",
        ]
        for shift in shifts
    ]
    return _table(columns, rows, options.all)


def _spread(median: float, rates: tuple[float, ...]) -> str:
    """Return a side's median rate and its hosts' range: "1.2 s an hour (1.1 s – 1.4 s)"."""
    if not rates:
        return "–"
    text = f"{long_duration(median)} an hour"
    return f"{text} ({long_duration(min(rates))} – {long_duration(max(rates))})" if len(rates) > 1 else text


def _shift_row(shift: Shift) -> dict[str, Any]:
    before, after = shift.medians
    return {
        "values": list(shift.values),
        "before_ns_per_process_hour": before,
        "after_ns_per_process_hour": after,
        "before_hosts": list(shift.before),
        "after_hosts": list(shift.after),
        "beyond_spread": shift.beyond_spread,
    }
