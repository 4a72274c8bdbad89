"""The summary for machines. Its schema is stable: keys are added, never renamed, within a `summary_version`.

All durations are integers in ns, `*_share` are of 1; a distribution is
`{"count", "total", "min", "mean", "p50", "p90", "p99", "max"}` (percentiles: analysis.distribution), whose
figures are null when count is 0.

    summary_version   3
    path              of the trace
    verdict           in plain words
    ended_early       [{"pid", "reason"}]: recordings that could not be written on; what is said of these
                      processes is of the part before
    begin_ns, end_ns  CLOCK_MONOTONIC
    wall_ns           end - begin
    utc_begin_ns      begin as UTC since 1970
    python_cores      how many cores' worth of Python ran: with OS scheduling, holds with a CPU
    gil_held_share    mean number of GILs held: at most 1 in one process with one GIL
    gil_contended_share   the largest of the GILs' contended_share
    time_ns           {"unknown", "released", "waiting", "holding"}: sums over all threads, of what they did
                      about the GIL, whoever had a CPU
    states_ns         {"running", "stalled", "asleep", "holding", "waiting", "native", "ready", "blocked",
                      "released", "unknown"}: the same with CPUs, see analysis.states; holding and released
                      are what is left where no more is known. null without OS scheduling
    cpu               {"time_ns": on a CPU within the recorded lives, "seen_ns": also before and after them,
                      "waiting_ns": of time_ns in waits, "unsure_ns": not known; distributions of stretches:
                      "stalled_ns" (has the GIL, wants a CPU), "asleep_ns" (sleeps with the GIL), "ready_ns"
                      (without the GIL, wants a CPU); "preempted", "migrations", "retries": wake-ups in
                      waits without the GIL, "badness": retries / acquires (null without any)}.
                      null without OS scheduling
    scheduling        null, or {"begin_ns", "end_ns" (null: not stopped), "lost": records, "failure" (text
                      or null), "cpus": [number], "native": "on", "off", or "off: " and why}
    counts            {"acquires", "contended_acquires", "timeouts", "requested_releases",
                      "voluntary_releases", "abandons"}
    wait_ns, hold_ns  distributions
    discarded         events lost
    skipped           [text]: what a salvaging load left out
    processes         [{
        pid, ppid, argv, python_version, python_implementation, hostname, switch_interval_ns,
        begin_ns, end_ns, ended (see analysis.model.Process: "stopped",
        "failed", "exited", "exec", "running", "killed"), signal (number or null), failure (text or null),
        discarded, recorded (false: a Python of which only the scheduler is known; true of all else),
        samples ("on", "off", or "off: " and why: of the code inside holds),
        time_ns, states_ns, cpu, counts, wait_ns, hold_ns, anatomy,
        gils    [{number, switch_interval_ns, held_ns, contended_ns, held_share, contended_share, handoffs,
                  switches, requested_handoffs, wait_ns, hold_ns}],
        threads [{tid, name, main, begin_ns, end_ns, time_ns, states_ns, cpu, counts, wait_ns, hold_ns,
                  anatomy}]
    }]
    handoffs          [{pid, from_tid, to_tid, count, requested}]: the handoff matrix without its zeros
    blame             [{pid, blocked_tid, holder_tid, time_ns, waits}]: who waited while who held the lock;
                      holder_tid null: nobody, as far as is known
    patterns          [{"name", "score", "begin_ns", "end_ns", "pid", "tids", "figures", "sentence"}], the
                      highest score first: analysis.why.detectors
    code              {"waited_ns": all waits, "nobody_ns": the part in which nobody held the lock,
                      "unknown_ns": charged to holds whose code was not recorded,
                      "lines": the 50 worst that held it meanwhile, [{"function", "file", "line" (null: not
                      recorded), "waited_ns", "contended_ns", "at_ends_ns": the part that only the ends of
                      holds tell of, "samples": what tells of the rest, "holds", "requested", "longest_ns",
                      "longest_at_ns", "slowest_ns": from a drop request to the release, "threads"}],
                      "functions": the same by function, each with its worst line,
                      "waiting": the 50 that waited longest, [{"function", "file", "line", "waited_ns",
                      "waits", "longest_ns", "longest_at_ns"}],
                      "native": the 50 functions of libraries that ran longest, [{"library", "function" (null:
                      no symbol there), "held_ns": with the GIL, "without_gil_ns", "samples", "threads"}]};
                      see analysis.why.code.charges, analysis.measures.native_code
    long_holds        the 50 lines that held a GIL longest, for more than a switch interval, whether somebody
                      waited or not: [{"function", "file", "line" (null: not recorded), "pid", "tid" (of the
                      longest), "holds", "pieces": of them calls, in one piece, "time_ns", "waited_ns": of it
                      with somebody waiting, "samples", "longest_ns", "longest_at_ns"}]; see
                      analysis.why.code.long_holds
    lock_wait_ns, stop_ns   distributions: of waits for locks other than GILs, and of the times that a thread
                      stood because the world was stopped; of the whole and of each thread
    locks             {"pause_ns": distribution of the world's stops, "pauses": the 50 longest, [{"begin_ns",
                      "duration_ns", "asked_ns", "pid", "tid" (who stopped it), "where", "reason": what
                      for, or null: not known, "stopped_ns": when the last one stood, "threads",
                      "stood_ns"}], "spins": {"count", "parked", "time_ns"}, "waited_for": the 50 most waited
                      for, [{"name", "kind", "type", "pid", "address", "wait_ns", "timeouts", "interrupted",
                      "threads", "where", "let_go_by" (a tid or null), "let_go_where"}],
                      "blame": {"waited_ns", "nobody_ns": on its way, or not known,
                      "threads": [{pid, blocked_tid, holder_tid (null: nobody), time_ns, waits}],
                      "lines": the 50 worst, [{"lock", "kind", "pid", "where": the line that waits,
                      "let_go_where": that of who had it, "nobody", "waited_ns", "longest_ns",
                      "longest_at_ns", "waits", "waiter_tids", "holder_tids"}]}}

`anatomy` of the whole, of a process and of a thread: {"politeness_ns", "response_ns", "overtaken_ns",
"handoff_ns", "unknown_ns"}, which sum to wait_ns.total, and of each of the first three "stalled_*_ns" and
"asleep_*_ns", the part in which the holder had no CPU or slept; see analysis.tables.gil.anatomy.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from ..measures.cpu_time import CpuStatistics
from ..measures.distribution import Distribution
from ..measures.lock_names import place_of
from ..measures.locks import LockFigures
from ..measures.statistics import GilStatistics, ProcessStatistics, Statistics, ThreadStatistics, statistics
from ..measures.stop_reasons import reason_of
from ..model import HELD, WITHOUT, State, total
from ..states import STATES
from ..tables.gil.anatomy import ASLEEP, PARTS, STALLED
from ..tables.trace import Trace
from ..why.anatomy import Parts, WaitAnatomy, wait_anatomy
from ..why.blame_by_thread import NOBODY, blame
from ..why.code import words as code_words
from ..why.code.charges import code_blame
from ..why.code.long_hold_words import to_json as of_long_holds
from ..why.code.long_holds import long_holds
from ..why.detectors.finding import Pattern
from ..why.detectors.pattern import patterns
from ..why.locks import words as lock_words
from ..why.locks.blame import lock_blame
from .verdict import verdict

SUMMARY_VERSION = 3
_LINES = 50


def to_json(trace: Trace, figures: Statistics | None = None) -> dict[str, Any]:
    """Return the summary of a trace as what `json.dumps` takes; the schema is in this module's docstring."""
    figures = figures or statistics(trace)
    anatomy = wait_anatomy(trace)
    offset = trace.processes[0].utc_offset if trace.processes else 0
    return {
        "summary_version": SUMMARY_VERSION,
        "path": str(trace.path),
        "verdict": verdict(figures, trace),
        "ended_early": [
            {"pid": process.pid, "reason": process.failure}
            for process in trace.processes
            if process.ended == "failed"
        ],
        "begin_ns": trace.begin,
        "end_ns": trace.end,
        "wall_ns": figures.duration,
        "utc_begin_ns": trace.begin + offset,
        "python_cores": figures.cores,
        "gil_held_share": figures.parallelism,
        "gil_contended_share": max((gil.contention for gil in figures.gils), default=0.0),
        **_amounts(figures),
        "scheduling": _scheduling(trace),
        "discarded": sum(process.discarded for process in trace.processes),
        "skipped": list(trace.skipped),
        "anatomy": _anatomy(anatomy.whole),
        "processes": [_process(process, anatomy) for process in figures.processes],
        "handoffs": _flow(trace, figures),
        "blame": _blame(trace),
        "patterns": [_pattern(trace, pattern) for pattern in patterns(trace)],
        "code": code_words.to_json(trace, code_blame(trace), _LINES),
        "long_holds": of_long_holds(trace, long_holds(trace), _LINES),
        "locks": _locks(trace, figures.locks),
    }


def _amounts(of: Statistics | ProcessStatistics | ThreadStatistics) -> dict[str, Any]:
    return {
        "time_ns": {
            "unknown": of.time[State.UNKNOWN],
            "released": total(of.time, WITHOUT),
            "waiting": of.time[State.WAITING],
            "holding": total(of.time, HELD),
        },
        "states_ns": None if of.cpu is None else {kind.word: of.time[kind.state] for kind in STATES.values()},
        "cpu": None if of.cpu is None else _cpu(of.cpu, of.counts.acquires),
        "counts": asdict(of.counts),
        "wait_ns": _distribution(of.wait),
        "hold_ns": _distribution(of.hold),
        **_lock_waits(of),
    }


def _lock_waits(of: Statistics | ProcessStatistics | ThreadStatistics) -> dict[str, Any]:
    if isinstance(of, ProcessStatistics):
        return {}
    waits, stops = (of.lock, of.stop) if isinstance(of, ThreadStatistics) else (of.locks.wait, of.locks.stop)
    return {"lock_wait_ns": _distribution(waits), "stop_ns": _distribution(stops)}


def _locks(trace: Trace, figures: LockFigures) -> dict[str, Any]:
    return {
        "pause_ns": _distribution(figures.pause),
        "pauses": [
            {
                "begin_ns": int(pause["start"]),
                "duration_ns": int(pause["duration"]),
                "asked_ns": int(pause["asked"]),
                "pid": trace.processes[pause["process"]].pid,
                "tid": trace.threads[pause["thread"]].tid,
                "where": place_of(trace, int(pause["frame"])),
                "reason": reason_of(trace, int(pause["reason"])) or None,
                "stopped_ns": int(pause["stopped"]),
                "threads": int(pause["threads"]),
                "stood_ns": int(pause["stood"]),
            }
            for pause in trace.pauses[np.argsort(-trace.pauses["duration"], kind="stable")][:_LINES]
        ],
        "spins": {"count": figures.spun, "parked": figures.parked, "time_ns": figures.spin},
        "waited_for": [
            {
                "name": of.name,
                "kind": of.lock.kind.value,
                "type": of.lock.type,
                "pid": trace.processes[of.lock.process].pid,
                "address": f"{of.lock.address:#x}",
                "wait_ns": _distribution(of.wait),
                "timeouts": of.timeouts,
                "interrupted": of.interrupted,
                "threads": of.threads,
                "where": of.where,
                "let_go_by": trace.threads[of.waker].tid if of.waker >= 0 else None,
                "let_go_where": of.let_go,
            }
            for of in figures.locks[:_LINES]
        ],
        "blame": lock_words.to_json(trace, lock_blame(trace), _LINES),
    }


def _cpu(of: CpuStatistics, acquires: int) -> dict[str, Any]:
    return {
        "time_ns": of.time,
        "seen_ns": of.seen,
        "waiting_ns": of.waiting,
        "unsure_ns": of.unsure,
        "stalled_ns": _distribution(of.stalled),
        "asleep_ns": _distribution(of.asleep),
        "ready_ns": _distribution(of.ready),
        "preempted": of.preempted,
        "migrations": of.migrations,
        "retries": of.retries,
        "badness": of.retries / acquires if acquires else None,
    }


def _scheduling(trace: Trace) -> dict[str, Any] | None:
    scheduling = trace.scheduling
    if scheduling is None:
        return None
    return {
        "begin_ns": scheduling.begin,
        "end_ns": scheduling.end,
        "lost": scheduling.lost,
        "failure": scheduling.failure,
        "cpus": list(scheduling.cpus),
        "native": scheduling.metadata.text("native") or "off",
    }


def _distribution(of: Distribution) -> dict[str, int | None]:
    figures = {key: round(value) for key, value in asdict(of).items()}
    empty = not of.count
    return {key: None if empty and key not in ("count", "total") else value for key, value in figures.items()}


def _process(of: ProcessStatistics, anatomy: WaitAnatomy) -> dict[str, Any]:
    process = of.process
    return {
        "pid": process.pid,
        "ppid": process.ppid,
        "argv": list(process.argv),
        "python_version": process.python_version,
        "python_implementation": process.python_implementation,
        "hostname": process.hostname,
        "switch_interval_ns": process.switch_interval,
        "begin_ns": process.begin,
        "end_ns": process.end,
        "ended": process.ended,
        "signal": process.signal,
        "failure": process.failure,
        "recorded": "unrecorded" not in process.environment,
        "samples": str(process.environment.get("samples", "off")),
        "discarded": process.discarded,
        **_amounts(of),
        "anatomy": _anatomy(anatomy.processes[process.index]),
        "gils": [_gil(gil) for gil in of.gils],
        "threads": [_thread(thread, anatomy) for thread in of.threads],
    }


def _gil(of: GilStatistics) -> dict[str, Any]:
    return {
        "number": of.gil.number,
        "switch_interval_ns": of.switch_interval,
        "held_ns": of.held,
        "contended_ns": of.contended,
        "held_share": of.utilisation,
        "contended_share": of.contention,
        "handoffs": of.handoffs,
        "switches": of.switches,
        "requested_handoffs": of.requested,
        "wait_ns": _distribution(of.wait),
        "hold_ns": _distribution(of.hold),
    }


def _thread(of: ThreadStatistics, anatomy: WaitAnatomy) -> dict[str, Any]:
    thread = of.thread
    return {
        "tid": thread.tid,
        "name": thread.name,
        "main": thread.main,
        "begin_ns": thread.begin,
        "end_ns": thread.end,
        **_amounts(of),
        "anatomy": _anatomy(anatomy.threads[thread.index]),
    }


def _anatomy(parts: Parts) -> dict[str, int]:
    return {f"{name}_ns": getattr(parts, name) for name in (*PARTS, *STALLED, *ASLEEP)}


def _pattern(trace: Trace, pattern: Pattern) -> dict[str, Any]:
    return {
        "name": pattern.name,
        "score": pattern.score,
        "begin_ns": pattern.begin,
        "end_ns": pattern.end,
        "pid": trace.processes[pattern.process].pid,
        "tids": [trace.threads[thread].tid for thread in pattern.threads],
        "figures": dict(pattern.figures),
        "sentence": pattern.sentence,
    }


def _blame(trace: Trace) -> list[dict[str, int | None]]:
    threads, processes = trace.threads, trace.processes
    return [
        {
            "pid": processes[threads[blocked].process].pid,
            "blocked_tid": threads[blocked].tid,
            "holder_tid": None if holder == NOBODY else threads[holder].tid,
            "time_ns": time,
            "waits": waits,
        }
        for blocked, holder, time, waits in blame(trace).table.tolist()
    ]


def _flow(trace: Trace, figures: Statistics) -> list[dict[str, int]]:
    threads, processes = trace.threads, trace.processes
    columns = (figures.flow[name].tolist() for name in ("from_thread", "to_thread", "count", "requested"))
    return [
        {
            "pid": processes[threads[giver].process].pid,
            "from_tid": threads[giver].tid,
            "to_tid": threads[taker].tid,
            "count": count,
            "requested": requested,
        }
        for giver, taker, count, requested in zip(*columns, strict=True)
    ]
