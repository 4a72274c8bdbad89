"""Run a library's calls, in a process of their own, at low priority; what one call breaks, only it loses."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from tracer.errors import GilscopeError
from tracer.launcher import Target
from tracer.releases.judgement import Judgement, judge
from tracer.releases.recording import Call, Job, Recorded, record
from tracer.releases.sizes import Threshold, read_range, threshold

from .library import Entry, Library

LIMIT: Final = 90
"""Seconds that one call may take with all its runs; then its process is ended."""

_NICE: Final = 10
_CALLS_OF_A_SIZE: Final = 20
"""It is counted how often they let go: that needs no time."""


@dataclass
class Surveyed:
    """What came of a library.

    Attributes
    ----------
    python : str
        The interpreter's version; empty: it is not there.
    calls : dict of str to Judgement
    thresholds : dict of str to Threshold
    failures : dict of str to str
        Why some calls could not be measured.
    missing : str
        Why there is nothing of it at all.
    """

    python: str = ""
    versions: dict[str, str | None] = field(default_factory=dict)
    calls: dict[str, Judgement] = field(default_factory=dict)
    thresholds: dict[str, Threshold] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    missing: str = ""


def survey(
    library: Library, target: Target, *, quick: bool = False, say: Callable[[str], None] = lambda text: None
) -> Surveyed:
    """Measure a library's calls with an interpreter. The process gets a lower priority for good."""
    os.setpriority(os.PRIO_PROCESS, 0, max(_NICE, os.getpriority(os.PRIO_PROCESS, 0)))
    found = Surveyed()
    entries = [entry for entry in library.entries if not (quick and entry.slow)]
    if quick:
        entries = [
            replace(entry, call=replace(entry.call, repeat=2, budget=1.0), sizes="") for entry in entries
        ]
    left = [entry.call for entry in entries]
    say(f"{len(left)} calls")
    while left:
        done = _record(library, target, left, found)
        if done is None:
            return found
        left = left[done:]
    for entry in entries:
        if entry.sizes and entry.call.name in found.calls:
            say(f"{entry.call.name}: sizes")
            _look_at_sizes(library, target, entry, found)
    return found


def _record(library: Library, target: Target, calls: list[Call], found: Surveyed) -> int | None:
    """Measure as many calls as a process lives for; return how many, or None if it can't begin."""
    try:
        recorded = record(Job(calls, library.setup, library.distributions, LIMIT), target)
    except GilscopeError as error:
        found.missing = "" if found.calls else str(error)
        return None
    found.python = recorded.interpreter["version"]
    found.versions = dict(recorded.interpreter["versions"])
    _judge_again_if_unsure(library, target, recorded, calls, found)
    found.failures |= recorded.failures
    return max(len(recorded.calls) + len(recorded.failures), 1)


def _judge_again_if_unsure(
    library: Library, target: Target, recorded: Recorded, calls: list[Call], found: Surveyed
) -> None:
    judgements = {call.name: judge(call) for call in recorded.calls}
    again = [
        replace(call, repeat=9, budget=2 * call.budget)
        for call in calls
        if call.name in judgements and judgements[call.name].verdict == "unsure"
    ]
    if again:
        repeated = record(Job(again, library.setup, library.distributions, LIMIT), target)
        judgements |= {call.name: judge(call) for call in repeated.calls}
    found.calls |= judgements


def _look_at_sizes(library: Library, target: Target, entry: Entry, found: Surveyed) -> None:
    def measure(sizes: Iterable[int]) -> dict[int, Judgement]:
        calls = [
            replace(
                entry.call,
                name=str(size),
                values={"n": size},
                number=_CALLS_OF_A_SIZE,
                repeat=1,
                asks=False,
                keeps=False,
            )
            for size in sizes
        ]
        recorded = record(Job(calls, library.setup, (), LIMIT), target)
        return {int(call.name): judge(call) for call in recorded.calls}

    name = entry.call.name
    try:
        looked = threshold(measure, *read_range(entry.sizes))
    except GilscopeError as error:
        found.failures[f"{name}, sizes"] = str(error)
        return
    if looked.points:
        found.thresholds[name] = looked
