"""What a reader must know before believing figures: what was not recorded, and how recordings ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from signal import Signals
from typing import Final

from ..model import Process
from ..reader.sched.unrecorded import EXEC
from ..tables.trace import Trace
from ..units import count, plural

_MOST_PIDS: Final = 4

_REFUSED: Final = "off: "
"""What metadata begins with of something that was wanted and could not be; then why."""

_WHY: Final = {
    True: "started with the environment ignored (-I, -E, -S) or cleared, or a frozen program",
    False: "forked, and did not use Python since, or was not able to write to the trace",
}


def early_ends(processes: Iterable[Process]) -> list[str]:
    """Return what to say before anything else if recordings ended early: a sentence for each reason."""
    of: dict[str, list[Process]] = {}
    for process in processes:
        if process.ended == "failed":
            of.setdefault(_reason(process), []).append(process)
    return [
        f"The recording of process {found[0].pid} ended early: {found[0].failure}."
        if len(found) == 1
        else f"{count(len(found))} recordings ended early ({_pids(found)}): {reason}."
        for reason, found in of.items()
    ]


def in_part(trace: Trace) -> str:
    """Return what a title begins with if recordings ended early: "Recorded in part (file too large). "."""
    reasons = {_reason(process) for process in trace.processes if process.ended == "failed"}
    if not reasons:
        return ""
    return f"Recorded in part ({', '.join(reason[:1].lower() + reason[1:] for reason in sorted(reasons))}). "


def _reason(process: Process) -> str:
    return (process.failure or "for a reason that is not known").partition(": ")[0]


def without_samples(trace: Trace) -> str:
    """Return that code inside holds could not be sampled though it was wanted, and why; "" if it could."""
    of: dict[str, list[Process]] = {}
    for process in trace.processes:
        if (said := str(process.environment.get("samples", ""))).startswith(_REFUSED):
            of.setdefault(said.removeprefix(_REFUSED), []).append(process)
    return " ".join(
        f"Code inside holds was not sampled ({_pids(found)}): {reason}. Waits are charged to the code that"
        " ended each hold."
        for reason, found in of.items()
    )


def unrecorded(trace: Trace) -> tuple[Process, ...]:
    """Return the Pythons that were not recorded: what they did about a GIL is not known."""
    return tuple(process for process in trace.processes if "unrecorded" in process.environment)


def unrecorded_line(trace: Trace) -> str:
    """Return how many Pythons were not recorded, and why; "" if there is none."""
    found = unrecorded(trace)
    if not found:
        return ""
    whys = sorted({process.environment["unrecorded"] == EXEC for process in found}, reverse=True)
    why = "; or ".join(_WHY[each] for each in whys)
    return (
        f"{plural(len(found), 'Python')} {'was' if len(found) == 1 else 'were'} not recorded"
        f" ({_pids(found)}), so what {'it' if len(found) == 1 else 'they'} did about a GIL is unknown: {why}."
    )


def ends(trace: Trace) -> Iterator[str]:
    """Yield how processes ended whose recording nobody stopped."""
    of: dict[str, list[Process]] = {}
    for process in trace.processes:
        if process.ended == "killed" and process.signal is not None:
            yield f"Process {process.pid} was killed by {_signal(process.signal)}."
        else:
            of.setdefault(process.ended, []).append(process)
    if found := of.get("exited"):
        yield (
            f"{plural(len(found), 'process', 'processes')} ended without a word of Python's"
            f" ({_pids(found)}): by a signal, or by an exit that it did not see."
        )
    if found := of.get("running"):
        yield f"{plural(len(found), 'process', 'processes')} went on after the recording ({_pids(found)})."
    if found := of.get("killed"):
        which = "its" if len(found) == 1 else "their"
        yield (
            f"{plural(len(found), 'process', 'processes')} ended without a stop (killed, os._exit or exec):"
            f" {which} figures end with the last event."
        )


def _pids(processes: Sequence[Process]) -> str:
    shown = ", ".join(str(process.pid) for process in processes[:_MOST_PIDS])
    more = f" and {len(processes) - _MOST_PIDS} more" if len(processes) > _MOST_PIDS else ""
    return f"process{'' if len(processes) == 1 else 'es'} {shown}{more}"


def _signal(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"
