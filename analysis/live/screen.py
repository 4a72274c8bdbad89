"""The screen of `top`: bars of the last second, who waited for whom, and which code held the GIL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..destinations import terminal, visible
from ..model import HELD, WITHOUT, State, total
from ..states import LOCK, LOCK_STATES
from ..units import duration, share
from .second import Second, ThreadSecond

HOLD: Final = "#0072B2"
WAIT: Final = "#D55E00"
SORTS: Final = ("waited", "held", "name")
_ELSE: Final = tuple(state for state in WITHOUT if state not in LOCK_STATES)
_BAR: Final = 22
_NAME: Final = 20
_END: Final = 6  # characters of a name that is too long
_LINES: Final = 6
_WHOLE: Final = 900_000_000
"""ns: windows that are shorter are only a part of the last second, and say so."""


def headline(second: Second) -> str:
    """Return what happened, in a line."""
    span = second.end - second.begin
    waiting = sum(1 for thread in second.threads if thread.time[State.WAITING])
    part = f"last {duration(span)}: " if span < _WHOLE else ""
    parts = [f"{part}GIL held {share(second.held / span)}"]
    if second.processes > 1:
        parts = [f"{part}{second.processes} processes", f"GILs held {second.held / span:.2f}"]
    parts.append(f"{waiting} of {len(second.threads)} threads waited, {duration(second.waited)} in all")
    if locked := sum(total(thread.time, LOCK_STATES) for thread in second.threads):
        parts.append(f"for locks {duration(locked)}")
    if second.longest is not None:
        whom = f" for {second.longest.holder}" if second.longest.holder else ""
        parts.append(f"longest wait {duration(second.longest.duration)} ({second.longest.thread}{whom})")
    if second.lost:
        parts.append(f"{second.lost:,} events lost")
    return " · ".join(parts)


def plain(second: Second) -> str:
    """Return the line for an output that is no terminal."""
    worst = second.lines[0] if second.lines else None
    code = f" · {worst[0]} made others wait {duration(worst[1])}" if worst else ""
    return visible(headline(second) + code)


def folded(second: Second) -> list[ThreadSecond]:
    """Return each process as one row: the sums of its threads, the longest of their waits."""
    of: dict[int, list[ThreadSecond]] = {}
    for thread in second.threads:
        of.setdefault(thread.pid, []).append(thread)
    return [
        ThreadSecond(
            f"process, {len(threads)} threads",
            pid,
            0,
            {state: sum(thread.time[state] for thread in threads) for state in threads[0].time},
            sum(thread.waits for thread in threads),
            max(thread.longest_wait for thread in threads),
        )
        for pid, threads in of.items()
    ]


def screen(
    second: Second, *, sort: str, by_code: bool, height: int, frozen: bool, fold: bool = False
) -> RenderableType:
    """Return what a terminal of `height` lines and 80 columns shows; `fold`: a row for each process."""
    room = max(height - 6, 4)
    rows = folded(second) if fold else second.threads
    body = _lines(second, room) if by_code else _threads(second, rows, sort, max(room - _LINES - 1, 3))
    parts: list[RenderableType] = [terminal(headline(second), style="bold"), Text(""), body]
    if not by_code:
        parts += [Text(""), _lines(second, _LINES)]
    other, ice = "threads" if by_code else "code", "go on" if frozen else "freeze"
    keys = [f"s sort ({sort})", f"c {other}", f"f {ice}"]
    if second.processes > 1:
        keys.append("p threads" if fold else "p processes")
    return Group(*parts, Text("   ".join([*keys, "q quit"]), style="dim"))


def ordered(threads: Sequence[ThreadSecond], sort: str) -> list[ThreadSecond]:
    """Return threads as a screen shows them: those with nothing to tell last."""
    if sort == "name":
        return sorted(threads, key=lambda thread: (thread.name, thread.tid))
    if sort == "held":
        return sorted(threads, key=lambda thread: (-thread.held, -thread.time[State.WAITING], thread.tid))
    return sorted(threads, key=lambda thread: (-thread.time[State.WAITING], -thread.held, thread.tid))


def _threads(second: Second, rows: Sequence[ThreadSecond], sort: str, room: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim", expand=False)
    table.add_column("thread", no_wrap=True, overflow="ellipsis", max_width=_NAME)
    table.add_column("the last second", no_wrap=True, width=_BAR)
    for name in ("held", "waited", "locks", "else", "longest"):
        table.add_column(name, justify="right", no_wrap=True)
    shown = ordered(rows, sort)
    for thread in shown[:room]:
        span = max(sum(thread.time.values()), 1)
        table.add_row(
            terminal(_fitting(thread.name if second.processes == 1 else f"{thread.pid} {thread.name}")),
            _bar(thread, span),
            share(thread.held / span),
            share(thread.time[State.WAITING] / span),
            share(total(thread.time, LOCK_STATES) / span),
            share(total(thread.time, _ELSE) / span),
            duration(thread.longest_wait) if thread.waits else "",
        )
    if len(shown) > room:
        table.add_row(Text(f"{len(shown) - room} more threads", style="dim"))
    return table


def _fitting(name: str) -> str:
    """Return a name with its beginning and its end: threads of a pool differ at the end."""
    return name if len(name) <= _NAME else f"{name[: _NAME - _END - 1]}…{name[-_END:]}"


def _bar(thread: ThreadSecond, span: int) -> Text:
    held = round(_BAR * total(thread.time, HELD) / span)
    waited = min(round(_BAR * thread.time[State.WAITING] / span), _BAR - held)
    bar = Text("█" * held, style=HOLD)
    bar.append("▄" * waited, style=WAIT)
    locked = min(round(_BAR * total(thread.time, LOCK_STATES) / span), _BAR - held - waited)
    bar.append("▖" * locked, style=LOCK)
    return bar.append("·" * (_BAR - held - waited - locked), style="dim")


def _lines(second: Second, room: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("made others wait", justify="right", no_wrap=True)
    table.add_column("code that held the GIL", no_wrap=True, overflow="ellipsis")
    for line, time in second.lines[:room]:
        table.add_row(duration(time), terminal(line))
    if not second.lines:
        for blocked, holder, time in second.pairs[:room]:
            table.add_row(duration(time), terminal(f"{blocked} waited for {holder}"))
    return table
