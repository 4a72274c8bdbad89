"""What-if for people, and for machines."""

from __future__ import annotations

from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from ..destinations import terminal
from ..measures.distribution import Distribution
from ..units import count, duration
from .predict import Figures, WhatIf

THREADS: Final = 10
_WIDTH_WITHOUT_TERMINAL: Final = 200


def print_what_if(result: WhatIf, console: Console | None = None) -> None:
    """Print recorded, replayed and predicted figures, then what each thread has of them."""
    console = console or Console()
    width = console.width
    if not console.is_terminal:
        console.width = max(width, _WIDTH_WITHOUT_TERMINAL)
    try:
        error = _change(result.replayed.wall, result.recorded.wall)
        console.print(terminal(result.trace.path.name, "bold"), highlight=False)
        console.print(
            f"Replayed as it was recorded, the model is off by {error} of the wall time.", highlight=False
        )
        console.print()
        console.print(_whole(result), highlight=False)
        console.print(_threads(result), highlight=False)
        for remark in result.remarks:
            console.print(terminal(remark, "yellow"), highlight=False)
        console.print(terminal("The model leaves out", "dim"), highlight=False)
        for left_out in result.left_out:
            console.print(terminal(f"- {left_out}", "dim"), highlight=False)
    finally:
        console.width = width


def _runs(result: WhatIf) -> list[tuple[str, Figures]]:
    predicted = [(scenario.title, figures) for scenario, figures in result.predictions]
    return [("recorded", result.recorded), ("replayed", result.replayed), *predicted]


def _whole(result: WhatIf) -> Table:
    """One line a run: a terminal is wide enough for however many."""
    table = _table()
    table.add_column("", max_width=40, overflow="fold")
    for title in ("wall time", "", "total wait", "", "p99", "longest", "switches"):
        table.add_column(title, justify="right", no_wrap=True)
    recorded = result.recorded
    for name, of in _runs(result):
        table.add_row(
            terminal(name),
            duration(of.wall),
            _change(of.wall, recorded.wall) if of is not recorded else "",
            duration(of.wait.total),
            _change(of.wait.total, recorded.wait.total) if of is not recorded else "",
            *(duration(value) if of.wait.count else "–" for value in (of.wait.p99, of.wait.max)),
            count(of.switches),
        )
    return table


def _threads(result: WhatIf) -> Table:
    """Show when threads end, and how long they wait; those that waited longest when there are many."""
    table = _table()
    table.add_column("thread", no_wrap=True, max_width=28, overflow="ellipsis")
    table.add_column("", max_width=40, overflow="fold")
    for title in ("ends", "", "waits"):
        table.add_column(title, justify="right", no_wrap=True)
    threads = list(result.trace.threads)
    if len(threads) > THREADS:
        threads.sort(key=lambda thread: -int(result.recorded.waited[thread.index]))
        table.caption = f"the {THREADS} of {count(len(threads))} threads that waited longest"
        threads = threads[:THREADS]
    for thread in threads:
        recorded = int(result.recorded.finished[thread.index])
        for at, (name, of) in enumerate(_runs(result)):
            end = int(of.finished[thread.index])
            table.add_row(
                "" if at else terminal(thread.name),
                terminal(name),
                duration(end) if end >= 0 else "–",
                _change(end, recorded) if at and end >= 0 else "",
                duration(int(of.waited[thread.index])),
            )
    return table


def _table() -> Table:
    return Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        collapse_padding=True,
        header_style="dim",
        show_edge=False,
    )


def _change(value: float, recorded: float) -> str:
    if not recorded:
        return "" if not value else "–"
    percent = 100 * (value - recorded) / recorded
    return f"{percent:+.1f} %" if abs(percent) < 9.95 else f"{percent:+.0f} %"


def to_json(result: WhatIf) -> dict[str, Any]:
    """Return the figures for `json.dumps`: ns, `error` of 1; wait as in analysis/report/summary.py.

    {path, error, recorded, replayed, predictions: [figures with `scenario`], remarks, left_out}; figures are
    {wall_ns, wait_ns, switches, threads: [{pid, tid, name, end_ns (null: it had not ended), waiting_ns}]}.
    """
    return {
        "path": str(result.trace.path),
        "error": result.error,
        "recorded": _figures(result, result.recorded),
        "replayed": _figures(result, result.replayed),
        "predictions": [
            {
                "scenario": {
                    "title": scenario.title,
                    "interval_ns": scenario.interval,
                    "cpus": scenario.cpus,
                    "gil": scenario.gil,
                    "slowdown": scenario.slowdown,
                    "release": list(scenario.release),
                    "release_threads": list(scenario.release_threads),
                },
                **_figures(result, figures),
            }
            for scenario, figures in result.predictions
        ],
        "remarks": list(result.remarks),
        "left_out": list(result.left_out),
    }


def _figures(result: WhatIf, of: Figures) -> dict[str, Any]:
    trace = result.trace
    ends, waited = of.finished.tolist(), of.waited.tolist()
    return {
        "wall_ns": of.wall,
        "wait_ns": _distribution(of.wait),
        "switches": of.switches,
        "threads": [
            {
                "pid": trace.processes[thread.process].pid,
                "tid": thread.tid,
                "name": thread.name,
                "end_ns": ends[thread.index] if ends[thread.index] >= 0 else None,
                "waiting_ns": waited[thread.index],
            }
            for thread in trace.threads
        ],
    }


def _distribution(of: Distribution) -> dict[str, int | None]:
    figures = {name: round(value) for name, value in vars(of).items()}
    return {key: value if of.count or key in ("count", "total") else None for key, value in figures.items()}
