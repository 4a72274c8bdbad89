"""Results as HTML, for notebooks: what the terminal shows of them, as tables. Names become text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import singledispatch

from ..destinations import html_text
from ..measures.statistics import statistics
from ..model import HELD, State, total
from ..tables.gil.anatomy import PARTS
from ..tables.trace import Trace
from ..units import count, duration, share
from ..why.anatomy import Parts, WaitAnatomy
from ..why.blame_by_thread import NOBODY, Blame, blame
from ..why.code.charges import code_blame
from ..why.code.words import function, place
from ..why.detectors.finding import Pattern
from .sentences import why
from .verdict import verdict

_ROWS = 20


@singledispatch
def html(value: object) -> str:
    """Return a result as HTML."""
    return f"<pre>{html_text(repr(value))}</pre>"


@html.register
def _(trace: Trace) -> str:
    figures = statistics(trace)
    threads = [
        [
            each.thread.name,
            duration(each.held),
            share(each.held / max(each.lifetime, 1)),
            duration(each.time[State.WAITING]),
            share(each.time[State.WAITING] / max(each.lifetime, 1)),
            count(each.counts.acquires),
            duration(each.wait.max) if each.wait.count else "–",
        ]
        for each in sorted(figures.threads, key=lambda each: -_weight(each.time))[:_ROWS]
        if _weight(each.time)
    ]
    rest = len(figures.threads) - len(threads)
    said = [verdict(figures, trace), *why(trace)]
    heads = ["thread", "held the GIL", "", "waited for it", "", "acquires", "longest wait"]
    more = [_paragraph(f"{rest:,} more threads")] if rest else []
    return "".join(
        [*map(_paragraph, said), _table(heads, threads), *more, _blamed(trace), html_of_lines(trace)]
    )


def _weight(time: dict[State, int]) -> int:
    return total(time, HELD) + time[State.WAITING]


def _blamed(trace: Trace) -> str:
    rows = sorted(blame(trace).table.tolist(), key=lambda row: -row[2])[:_ROWS]
    if not rows:
        return ""
    names = [thread.name for thread in trace.threads]
    return _table(
        ["waited", "while it was held by", "time", "waits"],
        [
            [names[blocked], "nobody" if holder == NOBODY else names[holder], duration(time), count(waits)]
            for blocked, holder, time, waits in rows
        ],
    )


def html_of_lines(trace: Trace) -> str:
    """Return the lines that held the GIL while others waited, as a table; "" without any."""
    charged = code_blame(trace)
    rows = []
    for row in charged.lines[:_ROWS]:
        code = trace.codes[row["code"]] if row["code"] >= 0 else None
        where = "not recorded" if code is None else f"{function(code)}, {place(code, row['line'])}"
        waited = duration(row["waited"])
        part = share(row["waited"] / max(charged.total, 1))
        rows.append([where, waited, part, count(int(row["holds"])), duration(row["longest"])])
    heads = ["held the GIL while others waited", "waited", "", "holds", "longest"]
    return _table(heads, rows) if rows else ""


@html.register
def _(anatomy: WaitAnatomy) -> str:
    rows = [_anatomy("all waits", anatomy.whole)]
    rows += [_anatomy(f"thread {at}", parts) for at, parts in enumerate(anatomy.threads) if parts.waits]
    return _table(["", "waits", "time", *PARTS], rows[: _ROWS + 1])


def _anatomy(name: str, parts: Parts) -> list[str]:
    shares = [share(getattr(parts, part) / max(parts.total, 1)) for part in PARTS]
    return [name, count(parts.waits), duration(parts.total), *shares]


@html.register
def _(found: Blame) -> str:
    rows = sorted(found.table.tolist(), key=lambda row: -row[2])[:_ROWS]
    return _table(
        ["waited", "while it was held by", "time", "waits"],
        [
            [
                f"thread {blocked}",
                "nobody" if holder == NOBODY else f"thread {holder}",
                duration(time),
                count(waits),
            ]
            for blocked, holder, time, waits in rows
        ],
    )


@html.register
def _(pattern: Pattern) -> str:
    figures = [
        [name.removesuffix("_ns"), duration(value) if name.endswith("_ns") else f"{value:,.4g}"]
        for name, value in pattern.figures.items()
    ]
    return _paragraph(pattern.sentence) + _table([pattern.name, share(pattern.score)], figures)


def _paragraph(text: str) -> str:
    return f"<p>{html_text(text)}</p>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{html_text(text)}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{html_text(text)}</td>" for text in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
