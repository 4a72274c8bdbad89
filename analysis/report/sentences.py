"""Why threads waited, in sentences: the pattern, what waits consist of, whom and what they are charged to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..tables.gil.anatomy import PARTS
from ..tables.trace import Trace
from ..units import duration, share
from ..why.anatomy import Parts, wait_anatomy
from ..why.blame_by_thread import NOBODY, blame
from ..why.code.charges import code_blame
from ..why.code.long_hold_words import sentences as of_long_holds
from ..why.code.long_holds import long_holds
from ..why.code.words import sentences
from ..why.detectors.pattern import patterns

_WORTH_A_WORD: Final = 0.01
"""Share of all waiting that a part must have to be named."""

_WORTH_AN_ANSWER: Final = 0.01
"""Share of a trace's time for which threads must have waited, all together, to be asked why."""

_WORTH_A_NAME: Final = 0.1
"""Share of all waiting from which on somebody is named whom it is charged to."""

_LONG_HOLDS: Final = 2
"""So many long holds that nobody waited for are told of, where there is nothing worse; else one."""

_PATTERNS: Final = 4
"""So many patterns are named, the clearest first."""

_MEANING: Final = {
    "politeness": "before anybody asked for the lock",
    "response": "until the holder let go",
    "overtaken": "overtaken by others",
    "handoff": "to be woken up",
    "unknown": "for reasons not recorded",
}


def why(trace: Trace, *, everything: bool = False) -> Iterator[str]:
    """Yield the patterns that are seen, the rest if threads waited long enough to ask, and long holds.

    Of patterns with one name only the clearest is told, unless everything is wanted.
    """
    yield from (sentence for _, sentence in by_rank(trace, everything=everything))


def by_rank(trace: Trace, *, everything: bool = False) -> Iterator[tuple[int, str]]:
    """Yield the same, each with its rank: where there is no room, the highest is left out first."""
    # Where there is no contention the verdict says so.
    seen = [pattern for pattern in patterns(trace) if pattern.name != "no contention"]
    if not everything:
        clearest = {pattern.name: pattern for pattern in reversed(seen)}
        seen = [pattern for pattern in seen if clearest[pattern.name] is pattern][:_PATTERNS]
    yield from ((3 * at, pattern.sentence) for at, pattern in enumerate(seen))
    found = wait_anatomy(trace)
    contended = found.whole.total >= _WORTH_AN_ANSWER * max(trace.end - trace.begin, 1)
    if contended:
        yield 2, anatomy_sentence(found.whole)
        yield from ((8, sentence) for sentence in _who(trace))
        yield from ((1 + 3 * at, each) for at, each in enumerate(sentences(trace, code_blame(trace))))
    table = long_holds(trace)
    most = len(table) if everything else 1 if contended else _LONG_HOLDS
    yield from ((5 + 3 * at, each) for at, each in enumerate(of_long_holds(trace, table, most)))


def anatomy_sentence(parts: Parts) -> str:
    """Return what waits consist of.

    "Threads waited 370 ms: 47 % before anybody asked for the lock (politeness), 33 % until the holder let go
    (response), 20 % overtaken by others; for 35 % of it the holder had no CPU."
    """
    shares = {name: getattr(parts, name) / parts.total for name in PARTS}
    named = ", ".join(
        f"{share(shares[name])} {_MEANING[name]}{'' if name in ('overtaken', 'unknown') else f' ({name})'}"
        for name in PARTS
        if shares[name] >= _WORTH_A_WORD
    )
    of_holders = ((parts.stalled, "had no CPU"), (parts.asleep, "slept"))
    without_cpu = " and ".join(
        f"for {share(time / parts.total)} of it the holder {what}"
        for time, what in of_holders
        if time >= _WORTH_A_WORD * parts.total
    )
    return f"Threads waited {duration(parts.total)}: {named}{'; ' if without_cpu else ''}{without_cpu}."


def _who(trace: Trace) -> Iterator[str]:
    """Name the thread that most of the waiting is charged to, if that says something: of three or more."""
    table = blame(trace).table
    table = table[table["holder"] != NOBODY]
    held = {int(holder): 0 for holder in table["holder"]}
    for holder, time in zip(table["holder"].tolist(), table["time"].tolist(), strict=True):
        held[holder] += time
    if len(held) < 3:
        return
    worst = max(held, key=lambda holder: (held[holder], -holder))
    part = held[worst] / sum(held.values())
    if part >= max(2 / len(held), _WORTH_A_NAME):
        name = trace.threads[worst].name
        several = sum(thread.name == name for thread in trace.threads) > 1
        of_process = f" of process {trace.processes[trace.threads[worst].process].pid}" if several else ""
        yield f"{name}{of_process} held the lock for {share(part)} of that."
