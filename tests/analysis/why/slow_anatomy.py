"""What waits are made of and who is to blame, the slow and obvious way: moment by moment.

A wait is cut wherever anything happens to its GIL; each piece is looked at on its own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np

from analysis import Gil, Outcome, State, Trace
from analysis.reader.format import Event
from analysis.tables.gil.anatomy import ASLEEP, PARTS, STALLED, WITHOUT_CPU
from analysis.tables.gil.handoffs import Holds
from analysis.tables.gil.requests import NEVER

Hold = tuple[int, int, int, int]
"""acquired, released, thread, when it was first asked to end"""


def holds_of(trace: Trace, gil: Gil) -> list[Hold]:
    """Return the holds of a GIL, with the interpreter's rule for requests told as CPython does it."""
    holds = trace.holds(gil)
    plain = list(zip(holds.acquired.tolist(), holds.released.tolist(), holds.thread.tolist(), strict=True))
    asked = [NEVER] * len(plain)
    events = trace.events
    for thread in range(len(trace.threads)):
        rows = events[(events["thread"] == thread) & (events["gil"] == gil.index)]
        for before, row in pairwise(rows):
            if row["kind"] != Event.GIL_TIMEOUT:
                continue
            began, ended = int(before["time"]), int(row["time"])
            at = [i for i, (acquired, released, _) in enumerate(plain) if acquired <= ended <= released]
            if at and not _changed_hands(plain, began, at[-1]):
                asked[at[-1]] = min(asked[at[-1]], ended)
    return [(*hold, time) for hold, time in zip(plain, asked, strict=True)]


def _changed_hands(plain: list[tuple[int, int, int]], since: int, now: int) -> bool:
    """Return whether a thread took the GIL over from another one after `since`, up to the hold `now`."""
    return any(
        plain[at][0] > since and (at == 0 or plain[at][2] != plain[at - 1][2]) for at in range(now + 1)
    )


def slow(trace: Trace) -> tuple[list[dict[str, int]], dict[tuple[int, int], list[int]]]:
    """Return the parts of each wait, and {(blocked, holder): [time, waits]}."""
    anatomy: list[dict[str, int]] = []
    blame: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
    of_gil = {gil.index: (holds_of(trace, gil), trace.holds(gil)) for gil in trace.gils}
    off = {state: _off(trace, state) for state in WITHOUT_CPU}
    for wait in trace.waits:
        holds, seen = of_gil[int(wait["gil"])]
        parts, charged = _wait(
            wait, holds, seen, {WITHOUT_CPU[state]: of[int(wait["gil"])] for state, of in off.items()}
        )
        anatomy.append(parts)
        for holder, time in charged.items():
            blame[int(wait["thread"]), holder][0] += time
            blame[int(wait["thread"]), holder][1] += 1
    return anatomy, dict(blame)


def _off(trace: Trace, state: State) -> dict[int, list[tuple[int, int]]]:
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for row in trace.intervals[trace.intervals["state"] == state]:
        found[int(row["gil"])].append((int(row["start"]), int(row["start"] + row["duration"])))
    return found


def _wait(
    wait: np.void, holds: list[Hold], seen: Holds, off: dict[str, list[tuple[int, int]]]
) -> tuple[dict[str, int], Counter[int]]:
    start = int(wait["start"])
    end = start + int(wait["duration"])
    acquired = wait["outcome"] == Outcome.ACQUIRED
    own = None
    if acquired:
        own = max(at for at, hold in enumerate(holds) if hold[0] == end and hold[2] == wait["thread"])
    cuts = {start, end}
    for hold in holds:
        cuts |= {time for time in (hold[0], hold[1], hold[3]) if start < time < end}
    for stretch in (stretch for of_state in off.values() for stretch in of_state):
        cuts |= {time for time in stretch if start < time < end}
    times = sorted(cuts)
    parts = dict.fromkeys((*PARTS, *STALLED, *ASLEEP), 0)
    charged: Counter[int] = Counter()
    met = None  # the hold that the wait began in, or the next one if it began in none
    for begin, until in pairwise(times):
        at = next((i for i, hold in enumerate(holds) if hold[0] <= begin and until <= hold[1]), None)
        if at is None:
            part = _free(begin, until, holds, seen, own)
            if begin == start and until < end:
                met = next(i for i, hold in enumerate(holds) if hold[0] == until and hold[1] > begin)
                part = "politeness" if part == "overtaken" else part
            charged[-1] += until - begin
        else:
            met = at if begin == start else met
            asked = holds[at][3]
            part = "response" if asked <= begin else "politeness" if at == met else "overtaken"
            charged[holds[at][2]] += until - begin
            for word, stretches in off.items():
                if any(since <= begin and until <= to for since, to in stretches):
                    parts[f"{word}_{part}"] += until - begin
        parts[part] += until - begin
    return parts, charged


def _free(begin: int, until: int, holds: list[Hold], seen: Holds, own: int | None) -> str:
    """Name a piece in which nobody is known to have held the GIL."""
    before = [at for at, hold in enumerate(holds) if hold[1] <= begin]
    if not before or not seen.release_seen[before[-1]]:
        return "unknown"
    after = next((at for at, hold in enumerate(holds) if hold[0] >= until and at > before[-1]), None)
    if after is not None and not seen.acquire_seen[after]:
        return "unknown"
    return "handoff" if after is not None and after == own else "overtaken"
