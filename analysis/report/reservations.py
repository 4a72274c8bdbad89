"""What a reader must know before believing figures: what was not recorded, and how recordings ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from signal import Signals
from typing import Final

from ..model import Process
from ..reader.unrecorded import EXEC
from ..tables.trace import Trace
from ..units import plural

_MOST_PIDS: Final = 4

_WHY: Final = {
    True: "started with the environment ignored (-I, -E, -S) or cleared, or a frozen program",
    False: "forked, and not able to write to the trace (as another user, say)",
}


def early_end(process: Process) -> str:
    """Return what to say before anything else of a process whose recording ended early; "" of any other."""
    if process.ended != "failed":
        return ""
    return f"The recording of process {process.pid} ended early: {process.failure}."


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


def unsampled_line(trace: Trace) -> str:
    """Return why nobody sampled the code inside holds, where that was wanted; "" where somebody did."""
    found = [process for process in trace.processes if _why_unsampled(process)]
    if not found:
        return ""
    whys = "; ".join(sorted({_why_unsampled(process) for process in found}))
    return f"No samples of the code inside holds ({_pids(found)}), only where they ended: {whys}."


def _why_unsampled(process: Process) -> str:
    return str(process.environment.get("samples", "")).partition(": ")[2]


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
