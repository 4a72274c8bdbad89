"""A judgement for people: a sentence and a small bar; and for machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from analysis.destinations import visible
from analysis.states import HOLD, NATIVE
from analysis.units import count, duration, share
from tracer.releases.judgement import Judgement, class_of
from tracer.releases.sizes import Threshold, lets_go

_BAR: Final = 40
_SPREAD: Final = 0.01
"""Shares that are this far apart are shown as two."""

_SEVERAL: Final = 0.05
"""CPU time of other threads, as a share of the call's, that is worth a word."""

_WORTH_A_PIECE: Final = 100_000
"""ns: what is held for less is over before another thread wants it."""

_LOCKED: Final = 0.02
"""Share of two threads' time waited for locks that is worth a word."""

_LOCKS_SHOWN: Final = 5
_SCALES: Final = 1.3
"""Two threads that take up to this many times what one takes are not in each other's way."""


def sentence(of: Judgement) -> str:
    """Return the verdict with its figures: "holds the GIL: 12.1 of 12.3 ms a call, in one piece of 12 ms"."""
    if of.verdict == "no GIL":
        return _without_gil(of)
    times = f"{duration(of.held)} of {duration(of.own)} a call ({_shares(of)})"
    piece = _piece(of)
    if of.verdict == "holds":
        return f"holds the GIL: {times}{piece}{_lets_go_often(of)}."
    if of.verdict == "lets go":
        return f"lets go of the GIL: holds it {times}{_what_else(of)}."
    if of.verdict == "partly":
        return f"holds the GIL partly: {times}{piece}{_lets_go_often(of)}{_what_else(of)}."
    return f"unsure: it held the GIL {times}, {_why_unsure(of)}; more (-r) or longer ones (-n) may tell."


def _why_unsure(of: Judgement) -> str:
    low, high = of.bounds
    if class_of(of.shares[0]) != class_of(of.shares[1]):
        return "and runs differ too much for a verdict"
    if class_of(low) != class_of(high):
        others = "others kept threads that it waits for off the CPUs"
        return f"but {others}: on a machine of its own it may be {share(low)} to {share(high)}"
    return "too near to another verdict for how much runs differ"


def _without_gil(of: Judgement) -> str:
    begin = f"runs without a GIL: {duration(of.wall)} a call"
    if not of.together:
        return f"{begin}; two threads at once could not be seen{', on a busy machine' if of.busy else ''}."
    two = f"two threads at once, each with data of its own, take {of.together:.2f} × that"
    if of.locked >= _LOCKED:
        first = of.locks[0]
        where = f" at {first.where}" if first.where else ""
        also = f" and {len(of.locks) - 1} more" if len(of.locks) > 1 else ""
        waits = (
            f"they wait {share(of.locked)} of the time for locks: {visible(first.name)}{visible(where)}{also}"
        )
    elif of.together <= _SCALES:
        waits = "they wait for no lock"
    else:
        waits = "they wait for no lock, but are in each other’s way"
    return f"{begin}; {two}; {waits}."


def _shares(of: Judgement) -> str:
    low, high = of.shares
    return share(of.share) if high - low < _SPREAD else f"{share(low)} to {share(high)}"


def _piece(of: Judgement) -> str:
    if of.held < _WORTH_A_PIECE:
        return ""
    if of.yields:
        return f", but lets go when it is asked, {duration(of.piece)} later at most"
    return f", in one piece of up to {duration(of.piece)}"


def _lets_go_often(of: Judgement) -> str:
    return f"; lets go {_times(of.released)} a call" if lets_go(of) else "; never lets go by itself"


def _what_else(of: Judgement) -> str:
    parts = []
    if of.native >= _SEVERAL:
        parts.append(f"computes {share(of.native)} of the time without it")
    if of.asleep >= _SEVERAL:
        parts.append(f"sleeps {share(of.asleep)}")
    if of.elsewhere >= _SEVERAL:
        parts.append(f"has other threads compute, {of.elsewhere:.2g} CPUs' worth")
    return "; " + ", ".join(parts) if parts else ""


def _times(number: float) -> str:
    return (
        "once"
        if 0.95 <= number <= 1.05
        else f"{count(round(number))} times"
        if number >= 1.5
        else "at most once"
    )


def bar(of: Judgement) -> Text:
    """Draw what its time went to: held, then native, then asleep."""
    rest = 1.0 - of.share if of.verdict != "no GIL" else 1.0
    own = of.native + of.asleep
    native = rest * of.native / own if own else 0.0
    text, left = Text(), _BAR
    for part, sign, colour in ((of.share, "█", HOLD), (native, "▄", NATIVE)):
        length = min(round(_BAR * part), left)
        text.append(sign * length, colour)
        left -= length
    return text.append("·" * left, "dim")


def print_judgement(console: Console, statement: str, of: Judgement, about: Mapping[str, Any]) -> None:
    """Print the statement, its bar, the sentence and where the figures come from."""
    console.print(Text(_one_line(statement), style="bold"), highlight=False, soft_wrap=True)
    console.print(bar(of), highlight=False)
    console.print(Text(sentence(of)), highlight=False, soft_wrap=True)
    for line in (*lock_lines(of), *details(of, about)):
        console.print(Text(line, style="dim"), highlight=False, soft_wrap=True)


def lock_lines(of: Judgement) -> Iterator[str]:
    """Yield the locks that two threads waited for in one run, without a GIL."""
    total = sum(each.waited for each in of.locks)
    for each in of.locks[:_LOCKS_SHOWN] if of.locked >= _LOCKED else ():
        times = f"{count(each.times)} {'time' if each.times == 1 else 'times'}"
        where = f", {each.where}" if each.where else ""
        yield visible(
            f"  {share(each.waited / total):>6} {each.name}{where}: {times}, {duration(each.waited)}"
        )


def details(of: Judgement, about: Mapping[str, Any]) -> Iterator[str]:
    """Yield where the figures come from: interpreter, number of calls, spread, the first call."""
    low, high = of.walls
    calls = f"{count(of.number)} {'call' if of.number == 1 else 'calls'} a run"
    yield (
        f"CPython {about['version']}{' free-threaded' if about['free_threaded'] else ''} ·"
        f" {calls} · wall {duration(low)} to {duration(high)}"
    )
    held = f", {share(of.first_share)} of it with the GIL" if of.verdict != "no GIL" else ""
    if of.pages:
        yield (
            f"with memory fresh from the kernel {share(of.fresh_share)}: it touches"
            f" {count(round(of.pages))} pages a call, which a process that keeps what it frees has already"
        )
    if of.busy >= _SEVERAL:
        yield f"others had the CPU for {share(of.busy)} of the time, which is left out"
    yield f"first call {duration(of.first_wall)}{held} (apart from the others: imports, memory touched first)"


def print_threshold(
    console: Console, statement: str, size: str, of: Threshold, about: Mapping[str, Any]
) -> None:
    """Print a line a size, and from which one on it lets go."""
    console.print(Text(_one_line(statement), style="bold"), highlight=False, soft_wrap=True)
    wide = max(len(count(value)) for value in of.points)
    for value, judgement in of.points.items():
        line = Text(f"{size} = {count(value):>{wide}}  ")
        line.append_text(bar(judgement))
        line.append(f"  {share(judgement.share):>8} of {duration(judgement.own)}")
        console.print(line, highlight=False, soft_wrap=True)
    console.print(Text(threshold_sentence(size, of)), highlight=False)
    console.print(Text(f"CPython {about['version']}", style="dim"), highlight=False)


def threshold_sentence(size: str, of: Threshold) -> str:
    """Return from which size on it lets go: by the number of times a call does, not by time."""
    sizes = list(of.points)
    if of.size is None:
        if of.changes:
            return f"lets go at some sizes, but not at {size} = {count(sizes[-1])}."
        return f"never lets go, from {size} = {count(sizes[0])} to {count(sizes[-1])}."
    if of.always:
        return f"lets go at every size, from {size} = {count(sizes[0])} to {count(sizes[-1])}."
    below = max(value for value in sizes if value < of.size)
    at = (
        f"{size} = {count(of.size)}" if of.exact else f"some {size} in {count(below + 1)} to {count(of.size)}"
    )
    again = "" if of.changes == 1 else " (at some smaller sizes too)"
    return (
        f"lets go from {at} on{again}; never below." if of.changes == 1 else f"lets go from {at} on{again}."
    )


def to_json(of: Judgement) -> dict[str, Any]:
    """Return a judgement for machines: times in ns, of one call; shares from 0 to 1."""
    found = asdict(of)
    renamed = {
        "own": "own_ns",
        "wall": "wall_ns",
        "walls": "walls_ns",
        "held": "held_ns",
        "piece": "longest_piece_ns",
    }
    renamed |= {"first_wall": "first_wall_ns", "pages": "pages_touched"}
    return {renamed.get(name, name): value for name, value in found.items()}


def _one_line(statement: str) -> str:
    lines = statement.strip().splitlines()
    return visible(lines[0]) + (" …" if len(lines) > 1 else "") if lines else "pass"
