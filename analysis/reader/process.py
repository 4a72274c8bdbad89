"""One process's directory: its files read, its threads told apart."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..arrays import Table, among
from ..errors import TraceFormatError
from ..model import GilEnabled, Process
from .code.callers import read_reasons
from .code.frames import ProcessFrames, read_frames
from .code.samples import read_samples
from .disk.metadata import Metadata, read_metadata
from .disk.packets import EVER
from .format import SAMPLE_RECORD, Event, Name
from .locks import LockRecord, read_locks
from .names import Names, display_names, read_names
from .problems import Problems
from .records import NameTable, Texts
from .streams.mapped import Mapped, map_streams
from .streams.side import NO_SIDE, Side
from .streams.store import Store
from .streams.streams import Stream, read_stream

_OF_LOCKS = (*range(Event.LOCK_WAIT, Event.LOCK_WAKE + 1), Event.LOCK_HELD)
"""Events whose `arg` is a lock."""

_STREAM_FILE = re.compile(r"gil_[0-9]{1,9}")


@dataclass(frozen=True)
class Run:
    """A thread: the events `first` to `last` of the store; none at all if it was never seen (path None)."""

    tid: int
    begin: int
    end: int
    name: str
    main: bool
    seen_alive: bool
    """It lived when the recording began."""
    exited: bool
    path: Path | None
    first: int = 0
    last: int = 0
    side: Side = field(default=NO_SIDE, repr=False, compare=False)


@dataclass(frozen=True)
class RecordedProcess:
    """A process as its files tell it, not yet numbered among the others of the trace."""

    directory: Path
    metadata: Metadata
    runs: tuple[Run, ...]
    gils: tuple[int, ...]
    begin: int
    end: int
    ended: str
    failure: str | None
    discarded: int
    signal: int | None = None
    frames: ProcessFrames = field(default_factory=ProcessFrames, repr=False)
    samples: Table = field(default_factory=lambda: np.empty(0, SAMPLE_RECORD), repr=False)
    threads_lost: int = 0
    loss: str | None = None
    gils_missed: int = 0
    locks: tuple[LockRecord, ...] = field(default=(), repr=False)
    stop_reasons: Mapping[int, str] = field(default_factory=dict, repr=False)
    """Functions that stopped the world, by the numbers of their calls."""
    gil_enabled: GilEnabled | None = None
    mark_texts: Texts = field(default=Texts(NameTable(), Name.MARK_TEXT), repr=False)
    """What the program calls its marks and spans, by number."""

    def numbered(self, index: int) -> Process:
        """Return what the model says of a process."""
        metadata = self.metadata
        return Process(
            index=index,
            pid=metadata.pid,
            ppid=metadata.ppid,
            argv=metadata.argv,
            python_version=metadata.text("python_version"),
            python_implementation=metadata.text("python_implementation"),
            hostname=metadata.text("hostname"),
            switch_interval=metadata.number("switch_interval_ns"),
            begin=self.begin,
            end=self.end,
            ended=self.ended,
            failure=self.failure,
            discarded=self.discarded,
            signal=self.signal,
            utc_offset=metadata.utc_offset,
            environment=metadata.environment,
            gil_enabled=self.gil_enabled,
            threads_lost=self.threads_lost,
            loss=self.loss,
            gils_missed=self.gils_missed,
        )


def stream_files(directory: Path) -> list[Path]:
    """Return the gil streams of a process, as they were made."""
    files = [file for file in directory.iterdir() if _STREAM_FILE.fullmatch(file.name)]
    return sorted(files, key=lambda file: int(file.name.removeprefix("gil_")))


def read_process(
    directory: Path,
    store: Store | list[Mapped],
    problems: Problems,
    within: tuple[int, int] = EVER,
) -> RecordedProcess | None:
    """Read one process; None: it died before there was anything to read, or all of it had to be skipped.

    Its events are put into the store; or its streams are left where they lie, and added to the list.

    Raises
    ------
    Elsewhere
        A stream can't be left where it lies.
    """
    try:
        files = stream_files(directory)
    except OSError as error:
        unreadable = TraceFormatError(directory, error.strerror or str(error), "the directory of a process")
        problems.report(unreadable, f"process {directory.name}")
        return None
    if not files and not os.path.lexists(directory / "metadata"):
        return None
    try:
        metadata = read_metadata(directory / "metadata")
    except TraceFormatError as wrong:
        problems.report(wrong, f"process {directory.name}")
        return None
    named = re.match(r"\d+", directory.name)
    if named and named[0] != str(metadata.pid):
        expected = f"that of the directory, {directory.name}"
        mismatch = TraceFormatError(metadata.path, f"pid {metadata.pid}", expected)
        problems.report(mismatch, f"process {directory.name}")
        return None
    if isinstance(store, Store):
        streams = [
            read_stream(file, pid=metadata.pid, store=store, problems=problems, within=within)
            for file in files
        ]
    else:
        streams = list(_left_in_place(files, metadata.pid, store))
    if files or os.path.lexists(directory / "names"):  # a process killed at its very start has neither
        names = read_names(directory / "names", pid=metadata.pid, problems=problems, again=within != EVER)
    else:
        names = Names(directory / "names", NameTable(), 0)
    streams = [stream for stream in streams if stream.first < stream.last]
    samples = read_samples(directory, pid=metadata.pid, problems=problems)
    frames = read_frames(names, problems, again=within != EVER)
    recorded = _assemble(directory, metadata, streams, names, frames)
    enabled = next(names.records.of(Name.GIL_MODULE), None)
    recorded = replace(
        recorded,
        locks=read_locks(names, problems, None if within == EVER else _locks_of(streams)),
        stop_reasons=read_reasons(names, recorded.metadata, problems),
        samples=samples,
        mark_texts=Texts(names.records, Name.MARK_TEXT),
        gil_enabled=None
        if enabled is None
        else GilEnabled(enabled.time, enabled.ref, *enabled.text.partition("\n")[::2]),
    )
    if within == EVER:  # else threads that ended before have names, and no packets that are read
        _check_complete(recorded, names, problems)
    return recorded


def _left_in_place(files: list[Path], pid: int, mapped: list[Mapped]) -> Iterator[Stream]:
    first = mapped[-1].first + mapped[-1].scanned.events if mapped else 0
    for stream, lies in map_streams(files, pid=pid, first=first):
        if lies is not None:
            mapped.append(lies)
        yield stream


def _assemble(
    directory: Path,
    metadata: Metadata,
    streams: list[Stream],
    names: Names,
    frames: ProcessFrames,
) -> RecordedProcess:
    failures = list(names.records.of(Name.RECORDING_FAILED))
    lost = list(names.records.of(Name.THREAD_LOST))
    begin = min((stream.begin for stream in streams), default=metadata.recording_start)
    last_events = [stream.end for stream in streams]
    last_events += [int(stream.side.time[-1]) for stream in streams if len(stream.side.time)]
    end = max([begin, *last_events, int(names.records.time.max(initial=0))])
    stopped = any(stream.stopped for stream in streams)
    stopped = stopped or len(names.records.which(Name.RECORDING_ENDED)) > 0
    return RecordedProcess(
        directory=directory,
        metadata=metadata,
        runs=tuple(_runs(metadata, streams, names, begin, end)),
        gils=tuple(sorted({number for stream in streams for number in stream.gils})),
        begin=begin,
        end=end,
        ended="failed" if failures else "stopped" if stopped else "killed",
        failure=failures[0].reason if failures else None,
        discarded=sum(stream.discarded for stream in streams) + names.discarded,
        frames=frames,
        threads_lost=len(lost),
        loss=_reason(lost[0].text) if lost else None,
        gils_missed=max(_refs(names, Name.GILS_MISSED), default=0),
    )


def _locks_of(streams: list[Stream]) -> set[int]:
    """Return the numbers of the locks that events are about."""
    sides = [stream.side for stream in streams]
    return {number for side in sides for number in side.arg[among(side.kind, _OF_LOCKS)].tolist()}


def _refs(names: Names, kind: Name) -> list[int]:
    refs: list[int] = names.records.ref[names.records.which(kind)].tolist()
    return refs


def _reason(text: str) -> str:
    """Return what "<errno> <what>" says."""
    number, _, what = text.partition(" ")
    return f"{os.strerror(int(number))}: {what}" if number.isdecimal() else text


def _runs(metadata: Metadata, streams: list[Stream], names: Names, begin: int, end: int) -> list[Run]:
    """Return the threads of a process: main first, then as they began.

    Where there is no GIL yet, it is known what they do about it when the recording begins: nothing.
    """
    pid, unknown = metadata.pid, not metadata.number("without_gil")
    found: list[tuple[int, int, int, bool, Stream, int, int]] = []
    for stream in streams:
        following = [*(life.since for life in stream.lives[1:]), end]
        for life, next_since in zip(stream.lives, following, strict=False):
            until = next_since if life.until is None else life.until
            found.append((life.since, life.tid, until, life.until is not None, stream, life.first, life.last))
    found.sort(key=lambda run: run[:2])

    alive = set(_refs(names, Name.THREAD_ALIVE))
    named = set(_refs(names, Name.THREAD_NAME))
    lives: list[Run] = []
    for since, tid, until, gone, stream, at, to in found:
        seen_alive = tid in alive
        alive.discard(tid)  # a later thread with this tid is another
        since, seen_alive = begin if seen_alive else since, seen_alive and unknown
        side = stream.side.of_run(at, to)
        lives.append(Run(tid, since, until, "", tid == pid, seen_alive, gone, stream.path, at, to, side))
    lives += [Run(tid, begin, end, "", tid == pid, unknown, False, None) for tid in sorted(alive & named)]
    lives.sort(key=lambda run: (not run.main, run.begin))
    called = display_names(names, pid=pid, threads=[(run.tid, run.begin, run.end) for run in lives])
    return [Run(**{**vars(run), "name": name}) for run, name in zip(lives, called, strict=True)]


def _check_complete(recorded: RecordedProcess, names: Names, problems: Problems) -> None:
    """A thread that told its name in the OS has a stream: if not, a file is missing."""
    if recorded.discarded or problems.skipped or names.begun:
        return
    seen = {run.tid for run in recorded.runs if run.path is not None}
    missing = sorted(set(_refs(names, Name.THREAD_COMM)) - seen)
    if missing:
        found = f"no events of thread {missing[0]}, which is in the names"
        error = TraceFormatError(recorded.directory, found, "the stream file of every thread")
        problems.report(error, f"{len(missing)} threads")
