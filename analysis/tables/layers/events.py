"""What was recorded, and its events."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from ...arrays import Int32s, Int64s, Table
from ...dtypes import EVENT
from ...model import Code, Gil, Process, Thread
from ...reader.code.frames import Frames, join_frames
from ...reader.format import NO_GIL
from ...reader.locks import Locks, join_locks
from ...reader.sched.scheduling import Scheduling
from ...reader.streams.grammar import LOST
from ...shown import Shown
from ..columns import Columns, SideColumns, Source, make_side
from ..cpu.onto_cpu import OnCpus, Stretches
from ..gil.intervals import Intervals, interval_table, make_intervals
from ..marks import NOTHING_SAID, Said


@dataclass(frozen=True, eq=False)
class TraceEvents(Shown):
    """What was recorded, as entities and as events.

    Tables are made when they are first asked for, and kept.

    Attributes
    ----------
    processes, threads, gils : tuple
        Processes as they began, the root first; the threads of each process, main first, then as they began.
    begin, end : int
        ns of CLOCK_MONOTONIC.
    skipped : list of str
        What a load with `salvage` could not read.
    source : Source
        Where the events are that every table is made from; `columns` are they.
    scheduling : Scheduling or None
        What the OS scheduler did, where that was recorded.
    on_cpus : OnCpus or None
        When each task of `scheduling` had a CPU, and when it had none: `stretches` are they.
    tasks : tuple of int
        For each thread the index of its task in `scheduling`, -1: none.
    sampled : tuple of SAMPLE_RECORD tables
        For each process the samples as they were recorded; `samples` is the table of them.
    stacks : Frames
        Python frames, where they were recorded: `codes` and `frames` are what they consist of.
    side : SideColumns
        The events that are about no GIL.
    lock_names : Locks
        Python's other locks; `locks` are they.
    said : Said
        What the program said of itself; `marks`, `spans` and `mark_names` are it.
    """

    path: Path
    processes: tuple[Process, ...]
    threads: tuple[Thread, ...]
    gils: tuple[Gil, ...]
    begin: int
    end: int
    source: Source = field(repr=False)
    skipped: list[str] = field(default_factory=list)
    scheduling: Scheduling | None = field(default=None, repr=False)
    on_cpus: OnCpus | None = field(default=None, repr=False)
    tasks: tuple[int, ...] = field(default=(), repr=False)
    sampled: tuple[Table, ...] = field(default=(), repr=False)
    stacks: Frames = field(default_factory=lambda: join_frames(()), repr=False)
    side: SideColumns = field(default_factory=lambda: make_side(()), repr=False)
    lock_names: Locks = field(default_factory=lambda: join_locks(()), repr=False)
    said: Said = field(default=NOTHING_SAID, repr=False)

    @property
    def stretches(self) -> Stretches | None:
        """When each task of `scheduling` had a CPU, and when it had none."""
        return self.on_cpus.stretches() if self.on_cpus is not None else None

    @cached_property
    def columns(self) -> Columns:
        """All events by column: what every table is made from."""
        return self.source.columns()

    @cached_property
    def ends(self) -> Int64s:
        """When the threads' lives end, ns: shape (threads,)."""
        return np.array([thread.end for thread in self.threads], np.int64)

    @cached_property
    def events(self) -> Table:
        """The EVENT table: shape (events,)."""
        columns = self.columns
        table = np.empty(len(columns.time), EVENT)
        table["time"] = columns.time
        table["thread"] = np.repeat(np.arange(len(self.threads)), np.diff(columns.first))
        table["gil"] = self.gil_of_events
        table["kind"] = columns.kind
        table["arg"] = columns.arg
        return table[columns.kind != LOST] if (columns.kind == LOST).any() else table

    @cached_property
    def gil_of_events(self) -> Int32s:
        """For each event in `columns` the index of its GIL, or -1."""
        numbers = self.columns.gil
        index = np.full(len(numbers), -1, np.int32)
        for process in self.processes:
            gils = [gil for gil in self.gils if gil.process == process.index]
            events = self._events_of(process)
            if len(gils) == 1:
                index[events][numbers[events] != NO_GIL] = gils[0].index
            elif gils:
                lookup = np.full(1 << 16, -1, np.int32)
                lookup[[gil.number for gil in gils]] = [gil.index for gil in gils]
                index[events] = lookup[numbers[events]]
        return index

    @cached_property
    def intervals_by_column(self) -> Intervals:
        """The intervals by what their threads do about the GIL alone: HOLDING, WAITING, RELEASED, UNKNOWN."""
        return make_intervals(self.columns)

    @cached_property
    def gil_intervals(self) -> Table:
        """The INTERVAL table by what threads do about the GIL alone, whoever had a CPU."""
        return interval_table(self.columns, self.intervals_by_column, self.gil_of_events)

    @property
    def mark_names(self) -> tuple[str, ...]:
        """What marks and spans are called."""
        return self.said.names

    @property
    def marks(self) -> Table:
        """The MARK table: shape (marks,), sorted by (thread, time)."""
        return self.said.marks

    @property
    def spans(self) -> Table:
        """The SPAN table: shape (spans,), sorted by (thread, start)."""
        return self.said.spans

    @property
    def codes(self) -> tuple[Code, ...]:
        """The code objects that a thread was in when it let go of a GIL or got it after a wait."""
        return self.stacks.codes

    @property
    def frames(self) -> Table:
        """The FRAME table: shape (frames,)."""
        return self.stacks.table

    def threads_of(self, process: Process) -> slice:
        """Return which of `threads` a process has."""
        return slice(int(self._threads_of[process.index]), int(self._threads_of[process.index + 1]))

    @cached_property
    def _threads_of(self) -> Int64s:
        """First thread of each process, and the end."""
        return np.searchsorted(
            [thread.process for thread in self.threads], np.arange(len(self.processes) + 1)
        )

    def _events_of(self, process: Process) -> slice:
        threads = self.threads_of(process)
        return slice(int(self.columns.first[threads.start]), int(self.columns.first[threads.stop]))
