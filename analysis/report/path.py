"""Chains of waits and the critical path, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich import box
from rich.table import Table
from rich.text import Text

from ..destinations import terminal
from ..model import State
from ..states import STATES
from ..tables.trace import Trace
from ..units import count, duration, share
from ..why.chains.chains import Chain, Link
from ..why.chains.critical_path import CriticalPath
from ..why.chains.never_ended import Knot, sentence

_DID: Final = {
    State.RUNNING: "ran",
    State.HOLDING: "had the GIL",
    State.STALLED: "had no CPU",
    State.HOLDING_ASLEEP: "slept with the GIL",
    State.NATIVE: "computed",
    State.READY: "had no CPU",
    State.BLOCKED: "was blocked",
    State.RELEASED: "did without the GIL",
    State.WAITING: "waited for the GIL",
    State.LOCKED: "waited for a lock",
    State.STOPPED: "stood",
    State.UNKNOWN: "unknown",
}


def _table(*columns: str) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False, header_style="dim"
    )
    for number, column in enumerate(columns):
        words = number == 0 or column in ("let go in", "what it did", "waits in")
        table.add_column(column, justify="left" if words else "right", no_wrap=not words, overflow="fold")
    return table


def did(states: dict[State, int]) -> str:
    """Return what a thread did: "ran 1.2 s, was blocked 300 ms"; two things at most."""
    words: dict[str, int] = {}
    for state, time in states.items():
        words[_DID[state]] = words.get(_DID[state], 0) + time
    most = sorted(words.items(), key=lambda item: -item[1])[:2]
    return ", ".join(f"{word} {duration(time)}" for word, time in most)


def path_table(trace: Trace, path: CriticalPath, most: int) -> Table:
    """Return what is on the path, by thread and line, as a table for a terminal."""
    table = _table("on the critical path", "time", "", "times", "what it did", "let go in")
    whole = max(path.end - path.begin, 1)
    for line in path.lines[:most]:
        table.add_row(
            terminal(trace.threads[line.thread].name),
            duration(line.time),
            share(line.time / whole),
            count(line.steps),
            did(line.states),
            terminal(line.where),
        )
    rest = path.lines[most:]
    if rest:
        time = sum(line.time for line in rest)
        table.add_row(f"{count(len(rest))} more", duration(time), share(time / whole), style="dim")
    for handoff in path.handoffs[:most]:
        table.add_row(
            terminal(f"to be woken: {handoff.what}"),
            duration(handoff.time),
            share(handoff.time / whole),
            count(handoff.count),
            "",
            terminal(handoff.where, "dim"),
            style="dim",
        )
    return table


def chain_lines(trace: Trace, chains: Sequence[Chain], most: int) -> Iterator[Text]:
    """Yield chains, the longest time first, each as a line or a few."""
    whole = max(sum(chain.time for chain in chains), 1)
    for chain in chains[:most]:
        head = terminal(f"{duration(chain.time)} ({share(chain.time / whole)})  ", "bold")
        names = [_link(trace, link) for link in chain.links]
        last = chain.links[-1].holder
        end = "nobody is known to have it" if last < 0 else trace.threads[last].name
        if chain.closed:
            end += ", again"
        yield head + terminal(" → ".join([*names, end]))
    rest = chains[most:]
    if rest:
        time = sum(chain.time for chain in rest)
        yield terminal(f"{duration(time)} ({share(time / whole)}) in {count(len(rest))} chains more", "dim")


def _link(trace: Trace, link: Link) -> str:
    where = f" ({link.where})" if link.where else ""
    let_go = f", let go in {link.let_go}" if link.let_go else ""
    return f"{trace.threads[link.thread].name} waits for {link.what}{where}{let_go}"


def to_json(
    trace: Trace, path: CriticalPath, chains: Sequence[Chain], knots: Sequence[Knot], most: int
) -> dict[str, Any]:
    """Return them for `json.dumps`; times are in ns, lines null where they are not known.

    thread        {"pid", "tid", "name"}
    begin_ns, end_ns
    path          [{"tid", "let_go_where", "time_ns", "states_ns", "steps"}]
    handoffs      [{"what", "where", "time_ns", "count"}]; path and handoffs sum up to end_ns - begin_ns
    chains        [{"time_ns", "closed", "links": [{"tid", "what", "where", "let_go_where", "holder_tid"}]}]
    never_ended   [{"cycle", "sentence", "waits": [{"tid", "what", "where", "since_ns", "owner_tid",
                  "owner_where", "sure"}]}]
    """

    def tid(thread: int) -> int | None:
        return trace.threads[thread].tid if thread >= 0 else None

    thread = trace.threads[path.thread]
    return {
        "thread": {"pid": trace.processes[thread.process].pid, "tid": thread.tid, "name": thread.name},
        "begin_ns": path.begin,
        "end_ns": path.end,
        "path": [
            {
                "tid": tid(line.thread),
                "let_go_where": line.where or None,
                "time_ns": line.time,
                "states_ns": {STATES[state].word: time for state, time in line.states.items()},
                "steps": line.steps,
            }
            for line in path.lines[:most]
        ],
        "handoffs": [
            {"what": each.what, "where": each.where or None, "time_ns": each.time, "count": each.count}
            for each in path.handoffs[:most]
        ],
        "chains": [
            {
                "time_ns": chain.time,
                "closed": chain.closed,
                "links": [
                    {
                        "tid": tid(link.thread),
                        "what": link.what,
                        "where": link.where or None,
                        "let_go_where": link.let_go or None,
                        "holder_tid": tid(link.holder),
                    }
                    for link in chain.links
                ],
            }
            for chain in chains[:most]
        ],
        "never_ended": [
            {
                "cycle": knot.cycle,
                "sentence": sentence(trace, knot),
                "waits": [
                    {
                        "tid": tid(wait.thread),
                        "what": wait.what,
                        "where": wait.where or None,
                        "since_ns": wait.since,
                        "owner_tid": tid(wait.owner),
                        "owner_where": wait.owner_where or None,
                        "sure": wait.sure,
                    }
                    for wait in knot.waits
                ],
            }
            for knot in knots
        ],
    }
