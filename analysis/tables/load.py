"""Read a trace: a directory with one directory a process in it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from ..errors import TraceFormatError
from ..model import Gil, Thread
from ..reader.code.frames import join_frames
from ..reader.disk.files import (
    READ,
    check_all,
    check_directory,
    check_file,
    gone_at_the_front,
    is_packed,
    known_since,
)
from ..reader.disk.packets import EVER
from ..reader.format import EVENT_SIZE
from ..reader.locks import join_locks
from ..reader.problems import Problems
from ..reader.process import RecordedProcess, Run, read_process, stream_files
from ..reader.sched.placement import place
from ..reader.sched.scheduling import read_scheduling
from ..reader.streams.mapped import Elsewhere, Mapped
from ..reader.streams.store import Store
from .columns import Source, make_columns, make_side
from .cpu.onto_cpu import OnCpus
from .marks import said
from .trace import Trace

_MOST_MAPPED: Final = 128
"""Streams of one trace that are left where they lie."""

_PROCESS_DIRECTORY: Final = re.compile(r"\d+(_\d+)?")


def load(
    path: Path | str, *, salvage: bool = False, within: tuple[int, int] = EVER, native: bool = True
) -> Trace:
    """Read a trace.

    Parameters
    ----------
    path : path
        A trace directory, or the directory of one process in it, or a packed trace (`python -m tracer pack`).
    salvage : bool
        Skip what is wrong, and say so in `Trace.skipped`.
    within : (int, int)
        ns of CLOCK_MONOTONIC: read only the packets that are about this time. The trace begins a little
        earlier, with nothing known; `Trace.between` cuts it.
    native : bool
        Read the samples of native code, too. (To name the functions takes longer than all else of a short
        window.)

    Raises
    ------
    TraceFormatError
        It is no trace, or a wrong one: names the file, what was found, and what was expected.
    """
    path = Path(path)
    problems = Problems(salvage)
    if is_packed(path):
        return _load_packed(path, problems, within, native)
    return _load_known(path, problems, within, native)


def _load_known(path: Path, problems: Problems, within: tuple[int, int], native: bool) -> Trace:
    """Read a directory from the moment on from which all that is left of it is known.

    A flight recorder gives up the oldest packets of each stream. Streams of threads that did little reach
    further back than others: what is known of them alone is no trace.
    """
    begin = known_from(path)
    if begin is None or within[0] > begin:
        return _load_directory(path, problems, within, native)
    trace = _load_directory(path, problems, (begin, within[1]), native)
    return trace.between(begin, trace.end) if trace.end > begin else trace


def known_from(path: Path) -> int | None:
    """Return from when on all streams of a trace are there, ns; None: nothing was given up."""
    times = [
        since
        for file in [
            *path.glob("*/gil_*"),
            *path.glob("*/samples"),
            *path.glob("sched/sched_*"),
            *path.glob("sched/native_*"),
            *path.glob("gil_*"),
        ]
        if READ.fullmatch(file.name) and (since := known_since(file)) is not None
    ]
    return max(times, default=None)


def _load_packed(path: Path, problems: Problems, within: tuple[int, int], native: bool) -> Trace:
    """Read a packed trace; what is said of its files names them as they are in it."""
    import tempfile

    from ..reader.disk.packed import unpack

    with tempfile.TemporaryDirectory(prefix="gilscope-") as name:
        directory = Path(name)
        try:
            unpack(path, directory, problems)
            trace = _load_known(directory, problems, within, native)
        except TraceFormatError as wrong:
            if not wrong.path.is_relative_to(directory):
                raise
            inside = path / wrong.path.relative_to(directory)
            raise TraceFormatError(inside, wrong.found, wrong.expected, wrong.where) from None
    skipped = [line.replace(name, str(path)) for line in problems.skipped]
    return replace(trace, path=path, skipped=skipped)


def _load_directory(path: Path, problems: Problems, within: tuple[int, int], native: bool) -> Trace:
    """Read a directory; its events are read when they are needed, also when it is gone by then."""
    directories = _process_directories(path, problems)
    if not problems.salvage:  # at once; else whoever reads a file that is none says what is skipped
        for directory in (*directories, path / "sched"):
            check_all(directory)
    processes, source = _read_processes(directories, problems, within)
    scheduling = read_scheduling(path / "sched", problems, within, native=native)
    placed = place(processes, scheduling) if scheduling is not None else None
    if placed is not None:
        processes = placed.processes
    if not processes:
        problems.report(TraceFormatError(path, "no process", "<pid>/metadata of at least one"), "all of it")
    processes.sort(key=lambda process: (process.begin, process.metadata.pid, process.directory.name))
    runs = [run for process in processes for run in process.runs]
    threads = [(index, run) for index, process in enumerate(processes) for run in process.runs]
    gils = [(index, number) for index, process in enumerate(processes) for number in process.gils]
    side, ends = make_side(runs), np.array([run.end for run in runs], np.int64)
    return Trace(
        path=path,
        processes=tuple(process.numbered(index) for index, process in enumerate(processes)),
        threads=tuple(
            Thread(index, process, run.tid, run.name, run.begin, run.end, run.main)
            for index, (process, run) in enumerate(threads)
        ),
        gils=tuple(Gil(index, process, number) for index, (process, number) in enumerate(gils)),
        begin=min((process.begin for process in processes), default=0),
        end=max((process.end for process in processes), default=0),
        source=source(runs),
        skipped=problems.skipped,
        scheduling=scheduling,
        on_cpus=OnCpus(scheduling) if scheduling is not None else None,
        tasks=tuple(placed.tasks(runs)) if placed is not None else (),
        stacks=join_frames([process.frames for process in processes]),
        sampled=tuple(process.samples for process in processes),
        side=side,
        lock_names=join_locks(
            [process.locks for process in processes], [process.stop_reasons for process in processes]
        ),
        said=said(side, ends, [process for process, _ in threads], [each.mark_texts for each in processes]),
    )


def _read_processes(
    directories: list[Path], problems: Problems, within: tuple[int, int]
) -> tuple[list[RecordedProcess], Callable[[Sequence[Run]], Source]]:
    """Read all processes, and leave their events where they lie if that is possible.

    It is not if only a part of them is wanted, if something is wrong or missing, or if there are many
    streams, each of which keeps a descriptor: then they are read into columns.
    """
    few = sum(1 for each in directories for _ in each.glob("gil_*")) <= _MOST_MAPPED
    if few and within == EVER and not problems.salvage:
        streams: list[Mapped] = []
        with suppress(Elsewhere):
            found = [read_process(directory, streams, problems) for directory in directories]
            return [process for process in found if process is not None], partial(Source, None, streams)
    store = Store(_capacity(directories) if within == EVER else 0)
    found = [read_process(directory, store, problems, within) for directory in directories]
    return [process for process in found if process is not None], lambda runs: Source(
        make_columns(runs, store)
    )


def _capacity(directories: list[Path]) -> int:
    """Return how many events there may be at most; headers take more room than marks that reading adds."""
    size = 0
    for directory in directories:
        try:
            files = stream_files(directory)
        except OSError:
            continue  # whoever reads it next says why it can't be read
        for file in files:
            with suppress(TraceFormatError):
                size += max(check_file(file) - gone_at_the_front(file), 0)
    return size // EVENT_SIZE + 1


def _process_directories(path: Path, problems: Problems) -> list[Path]:
    if os.path.lexists(path / "metadata"):
        return [path]
    try:
        entries = sorted(path.iterdir())
    except OSError as error:
        other = isinstance(error, NotADirectoryError)
        reason = "a file that is no packed trace" if other else (error.strerror or str(error)).lower()
        raise TraceFormatError(path, reason, "a trace directory, or one in a file") from None
    found = []
    for entry in entries:
        if _PROCESS_DIRECTORY.fullmatch(entry.name):
            try:
                check_directory(entry)
            except TraceFormatError as wrong:
                problems.report(wrong, f"process {entry.name}")
            else:
                found.append(entry)
    return found
