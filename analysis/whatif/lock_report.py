"""What-if about locks, for people and for machines: its own error first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console

from ..destinations import terminal
from ..tables.trace import Trace
from ..units import duration
from ..why.chains.critical_path import last_thread, starter_of
from .locks import LockReplay, LockScenario, lock_program, locks_named, replay_locks

LEFT_OUT: Final = (
    "the GIL and CPUs: what threads did between their waits takes as long as it did",
    "locks that nobody waited for in the recording: they are free in the replay too",
)


@dataclass(frozen=True)
class LockWhatIf:
    """Times in ns from the trace's begin, of the thread whose end is the program's; -1: it did not end.

    `title` says what is different; waits are of all threads.
    """

    title: str
    thread: int
    recorded: int
    replayed: int
    predicted: int
    recorded_wait: int
    replayed_wait: int
    predicted_wait: int

    @property
    def error(self) -> float:
        """By how much the replay of what was recorded is off, as a share of the recorded time."""
        return (self.replayed - self.recorded) / max(self.recorded, 1)


def what_if_locks(trace: Trace, scales: Sequence[tuple[str, float]], without: Sequence[str]) -> LockWhatIf:
    """Return what would have been.

    Parameters
    ----------
    scales : sequence of (str, float)
        What locks are called (with * and ?), and the factor for how long they are held.
    without : sequence of str
        Locks that are not needed.

    Raises
    ------
    GilscopeError
        There is no such lock.
    """
    scale = {lock: factor for name, factor in scales for lock in locks_named(trace, name)}
    gone = frozenset(lock for name in without for lock in locks_named(trace, name))
    starters = [starter_of(trace, thread.index) for thread in trace.threads]
    program = lock_program(trace, starters)
    replayed = replay_locks(trace, program, starters, LockScenario())
    predicted = replay_locks(trace, program, starters, LockScenario(scale, gone))
    thread = last_thread(trace)
    title = ", ".join(
        [*(f"{name} held × {factor:g}" for name, factor in scales), *(f"without {name}" for name in without)]
    )
    recorded_wait = int(trace.lock_waits["duration"][~trace.lock_waits["stopped"]].sum())
    return LockWhatIf(
        title,
        thread,
        trace.threads[thread].end - trace.begin,
        _end(replayed, thread),
        _end(predicted, thread),
        recorded_wait,
        sum(replayed.waited),
        sum(predicted.waited),
    )


def _end(replay: LockReplay, thread: int) -> int:
    return replay.ended[thread]


def print_lock_what_if(trace: Trace, result: LockWhatIf, console: Console | None = None) -> None:
    """Print the replay's own error, and then what it predicts."""
    console = console or Console()
    name = trace.threads[result.thread].name
    said = f"Replayed as it was recorded, the end of {name} is off by {100 * result.error:+.1f} %."
    console.print(terminal(said), highlight=False)
    rows = (
        ("recorded", result.recorded, result.recorded_wait),
        ("replayed", result.replayed, result.replayed_wait),
        (result.title, result.predicted, result.predicted_wait),
    )
    for title, end, waited in rows:
        change = f" ({100 * (end / max(result.replayed, 1) - 1):+.1f} %)" if title == result.title else ""
        ends = f"ends after {duration(end)}{change}" if end >= 0 else "does not end"
        console.print(
            terminal(f"{title}: {ends}, waits for locks {duration(waited)} in all", ""), highlight=False
        )
    console.print(terminal("The model leaves out", "dim"), highlight=False)
    for left_out in LEFT_OUT:
        console.print(terminal(f"- {left_out}", "dim"), highlight=False)


def to_json(trace: Trace, result: LockWhatIf) -> dict[str, Any]:
    """Return it for `json.dumps`: ns, null where the thread did not end."""
    ends = {name: getattr(result, name) for name in ("recorded", "replayed", "predicted")}
    return {
        "scenario": result.title,
        "tid": trace.threads[result.thread].tid,
        "error": result.error,
        **{f"{name}_ns": end if end >= 0 else None for name, end in ends.items()},
        "recorded_wait_ns": result.recorded_wait,
        "replayed_wait_ns": result.replayed_wait,
        "predicted_wait_ns": result.predicted_wait,
    }
