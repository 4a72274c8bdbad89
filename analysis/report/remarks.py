"""The summary's first line, and what a reader must know before believing the figures."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from ..destinations import terminal
from ..measures.statistics import Statistics
from ..measures.switch_interval import intervals_in
from ..measures.switched_on import switched_on
from ..tables.cpu.onto_cpu import UNSURE
from ..tables.trace import Trace
from ..units import count, duration, plural, share
from ..why.code.native_words import why_missing
from . import reservations
from .verdict import pythons


def headline(trace: Trace, figures: Statistics) -> Text:
    parts = [early[:1].lower() + early[1:-2]] if (early := reservations.in_part(trace)) else []
    parts += [pythons(trace.processes)] * (len(trace.processes) > 1)
    parts.append(plural(len(trace.threads), "thread"))
    parts.append(duration(figures.duration))
    if len(figures.gils) == 1:
        gil = figures.gils[0]
        parts.append(f"GIL held {share(gil.utilisation)}, contended {share(gil.contention)}")
        parts.append(f"{plural(gil.handoffs, 'handoff')}, {count(gil.switches)} to another thread")
    elif not figures.gils and figures.cpu is not None:
        parts += ["no GIL"] * any(process.environment.get("without_gil") for process in trace.processes)
        parts.append(f"{figures.cpus_busy:.2f} CPUs busy")
    else:
        parts.append(f"{figures.parallelism:.2f} of {plural(len(figures.gils), 'GIL')} held")
    for what in _common(trace):
        parts.append(what)
    return terminal(trace.path.name, "bold") + terminal("  " + " · ".join(parts), "not bold")


def _common(trace: Trace) -> Iterator[str]:
    """Yield what is the same in all processes and worth a word."""
    processes = trace.processes
    versions = {f"{process.python_implementation} {process.python_version}".strip() for process in processes}
    intervals = intervals_in(trace)
    if len(versions) == 1:
        yield from (version for version in versions if version)
    if len(intervals) == 1:
        yield f"switch interval {duration(intervals[0])}"


def remarks_on(trace: Trace) -> Iterator[str]:
    """Yield what a reader must know before believing the figures."""
    yield from reservations.ends(trace)
    for line in (reservations.unrecorded_line(trace), reservations.without_samples(trace)):
        if line:
            yield line
    if missing := why_missing(trace):
        yield f"No samples of native code: {missing}."
    for each in switched_on(trace):
        thread, where = trace.threads[each.thread], f", {each.where}" if each.where else ""
        yield f"The GIL was switched on at {duration(each.time - trace.begin)}, in {thread.name}{where}."
    for process in trace.processes:
        if process.discarded:
            yield f"process {process.pid} lost {plural(process.discarded, 'event')}."
        if process.threads_lost:
            which = plural(process.threads_lost, "thread")
            yield f"{which} of process {process.pid} could not be recorded, or not wholly: {process.loss}."
        if process.gils_missed:
            missed = plural(process.gils_missed, "take")
            yield f"Process {process.pid} had more GILs at once than can be recorded: {missed} missing."
    scheduling = trace.scheduling
    if scheduling is not None and scheduling.failure is not None:
        yield f"The recording of the scheduler ended early: {scheduling.failure}."
    if scheduling is not None and scheduling.lost:
        unsure = duration(sum(trace.cpu_time[:, UNSURE].tolist()))
        yield (
            f"{plural(scheduling.lost, 'record')} of the scheduler were lost:"
            f" of {unsure} it is not known whether a thread had a CPU."
        )
    for line in trace.skipped:
        yield f"Skipped: {line}"
