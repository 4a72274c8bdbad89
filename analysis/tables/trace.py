"""What was recorded, and the tables made from it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from ..amounts import Amounts
from ..arrays import Bools, Int32s, Int64s, Table
from ..fold.feed import timed_lengths
from ..fold.one_pass import Folded, fold_trace
from ..model import (
    CPU_INTERVAL,
    EVENT,
    HANDOFF,
    NATIVE_SAMPLE,
    ON_CPU,
    RETRY,
    SAMPLE,
    Code,
    Gil,
    Lock,
    Outcome,
    Process,
    State,
    Thread,
)
from ..reader.format import NO_GIL, Event
from ..reader.frames import Frames, join_frames
from ..reader.grammar import LOST
from ..reader.locks import Locks, join_locks
from ..reader.native import NO_SAMPLES, NativeCode
from ..reader.scheduling import Scheduling
from ..shown import Shown
from ..states import Cpu
from . import requests
from .anatomy import ANATOMY, WITHOUT_CPU, parts_of_waits
from .anatomy_clock import GilClock, StallClock
from .columns import Columns, SideColumns, Source, make_side
from .cpu_states import Merged, States, cpu_interval_table, cpu_time, merge, split, state_table, without_cpus
from .handoffs import Holds, first_releases, frames_of_holds, handoff_table, holds_at, holds_of
from .intervals import Intervals, interval_table, make_intervals
from .lock_hands import Asked, Hands, asked_of, hands_of
from .lock_states import with_lock_waits
from .locks import LockTables, hold_table, lock_tables, pause_table, spin_table
from .marks import NOTHING_SAID, Said, cut_said
from .onto_cpu import ON, UNSURE, Stretches, make_stretches
from .retries import retry_table
from .switch_interval import seen_interval
from .waits import someone_waits, wait_table, waited_by, waiters_at
from .window import cut, cut_side, threads_within

_MOMENT: Final = 250_000
"""ns without a CPU that the sampler, and whoever runs before the thread does again, may take."""


@dataclass(frozen=True, eq=False)
class Trace(Shown):
    """What was recorded, as entities and as tables.

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
    tasks: tuple[int, ...] = field(default=(), repr=False)
    sampled: tuple[Table, ...] = field(default=(), repr=False)
    stacks: Frames = field(default_factory=lambda: join_frames(()), repr=False)
    side: SideColumns = field(default_factory=lambda: make_side(()), repr=False)
    lock_names: Locks = field(default_factory=lambda: join_locks(()), repr=False)
    said: Said = field(default=NOTHING_SAID, repr=False)

    def between(self, begin: int, end: int) -> Trace:
        """Return the part of the trace in [begin, end): a trace in itself, for every table and figure.

        A wait or a hold that reaches over an edge counts with its part within. Processes and GILs stay as
        they are, threads that don't live within are left out.

        Parameters
        ----------
        begin, end : int
            ns of CLOCK_MONOTONIC, as `begin` and `end` of the trace.

        Raises
        ------
        ValueError
            If the window is empty, or outside of the trace.
        """
        begin, end = max(begin, self.begin), min(end, self.end)
        if begin >= end:
            raise ValueError(f"no part of the trace: it lasts from {self.begin} to {self.end}")
        alive = np.flatnonzero(threads_within(self.columns, begin, end)).tolist()
        threads = [self.threads[at] for at in alive]
        return replace(
            self,
            processes=tuple(
                replace(
                    process, begin=min(max(process.begin, begin), end), end=max(min(process.end, end), begin)
                )
                for process in self.processes
            ),
            threads=tuple(
                replace(thread, index=index, begin=max(thread.begin, begin), end=min(thread.end, end))
                for index, thread in enumerate(threads)
            ),
            begin=begin,
            end=end,
            source=Source(cut(self.columns, begin, end)),
            side=cut_side(self.side, self.columns, begin, end),
            tasks=tuple(self.tasks[at] for at in alive) if self.tasks else (),
            said=cut_said(self.said, alive, begin, end),
        )

    @cached_property
    def columns(self) -> Columns:
        """All events by column: what every table is made from."""
        return self.source.columns()

    @cached_property
    def ends(self) -> Int64s:
        """When the threads' lives end, ns: shape (threads,)."""
        return np.array([thread.end for thread in self.threads], np.int64)

    @cached_property
    def folded(self) -> Folded | None:
        """What one pass over all events says; None where they have to be made tables: see `analysis.fold`."""
        return fold_trace(self)

    @cached_property
    def intervals_by_column(self) -> Intervals:
        """The intervals by what their threads do about the GIL alone: HOLDING, WAITING, RELEASED, UNKNOWN."""
        return make_intervals(self.columns)

    @cached_property
    def states_by_column(self) -> States:
        """The intervals in all states that are known: by the scheduler, and by the waits for locks."""
        if self._merged is None or self.stretches is None:
            states = without_cpus(self.intervals_by_column)
        else:
            states = split(self.intervals_by_column, self.stretches, self._merged, self.columns.end)
        return with_lock_waits(states, self.lock_waits)

    @cached_property
    def stretches(self) -> Stretches | None:
        """When each task of `scheduling` had a CPU, and when it had none; None without scheduling."""
        return None if self.scheduling is None else make_stretches(self.scheduling)

    @cached_property
    def cpu_time(self) -> Int64s:
        """For how long each thread was what (`states.Cpu`): shape (threads, len(Cpu)), ns."""
        if self.folded is not None:
            return self.folded.cpu_times
        if self._merged is None or self.stretches is None:
            times = np.zeros((len(self.threads), len(Cpu)), np.int64)
            times[:, UNSURE] = self.columns.end - self.columns.begin
            return times
        return cpu_time(self.stretches, self._merged, self.columns.end)

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
    def intervals(self) -> Table:
        """The INTERVAL table: shape (intervals,), sorted by (thread, start); a thread's tile its life.

        In all states that are known: with OS scheduling a hold is as many intervals as it had stretches on a
        CPU and off it. `gil_intervals` has it in one piece.
        """
        if self.scheduling is None and not len(self.lock_waits):
            return self.gil_intervals
        return state_table(self.gil_intervals, self.states_by_column)

    @cached_property
    def gil_intervals(self) -> Table:
        """The INTERVAL table by what threads do about the GIL alone, whoever had a CPU."""
        return interval_table(self.columns, self.intervals_by_column, self.gil_of_events)

    @cached_property
    def waits(self) -> Table:
        """The WAIT table: shape (waits,), sorted by (thread, start)."""
        return wait_table(self.columns, self.intervals_by_column, self.gil_of_events)

    @cached_property
    def anatomy(self) -> Table:
        """The ANATOMY table (analysis.tables.anatomy): what each wait was spent on, as in `waits`."""
        table = np.zeros(len(self.waits), ANATOMY)
        for gil in self.gils:
            mine = self.waits_for(gil)
            start = self.waits["start"][mine]
            end = start + self.waits["duration"][mine]
            acquired = self.waits["outcome"][mine] == Outcome.ACQUIRED
            taker = np.where(acquired, self.waits["thread"][mine], -1)
            off = {state: self.stall_clock(gil, state) for state in WITHOUT_CPU} if self.scheduling else {}
            for name, values in parts_of_waits(self.gil_clock(gil), off, start, end, taker).items():
                table[name][mine] = values
        return table

    @cached_property
    def on_cpu(self) -> Table:
        """The ON_CPU table: shape (stretches on a CPU,), sorted by (tid, start); empty without scheduling."""
        stretches = self.stretches
        if self.scheduling is None or stretches is None:
            return np.empty(0, ON_CPU)
        of_task = np.repeat(np.arange(len(self.scheduling.tasks)), np.diff(stretches.first))
        on = np.flatnonzero(stretches.state == ON)
        table = np.empty(len(on), ON_CPU)
        for name in ("start", "duration", "cpu", "preempted"):
            table[name] = getattr(stretches, name)[on]
        task = of_task[on]
        table["tid"] = np.array([each.tid for each in self.scheduling.tasks], np.int32)[task]
        table["thread"] = self._thread_at(task, table["start"], table["start"] + table["duration"])
        return table

    @cached_property
    def cpu_intervals(self) -> Table:
        """The CPU_INTERVAL table: who ran on which CPU, sorted by (cpu, start); empty without scheduling."""
        if self._merged is None or self.stretches is None:
            return np.empty(0, CPU_INTERVAL)
        return cpu_interval_table(self.intervals_by_column, self.stretches, self._merged, self.columns.end)

    @cached_property
    def retries(self) -> Table:
        """The RETRY table: shape (retries,), sorted by (thread, start); empty without scheduling."""
        if self._merged is None or self.stretches is None:
            return np.empty(0, RETRY)
        return retry_table(self.intervals_by_column, self.stretches, self._merged)

    @cached_property
    def handoffs(self) -> Table:
        """The HANDOFF table: shape (handoffs,), GIL after GIL, each in the order of the lock."""
        tables = [handoff_table(gil.index, self.holds(gil), *self.contended(gil)) for gil in self.gils]
        if len(tables) == 1:
            return tables[0]
        return np.concatenate(tables) if tables else np.empty(0, HANDOFF)

    @property
    def locks(self) -> tuple[Lock, ...]:
        """The locks of Python, other than GILs, that a thread waited for."""
        return self.lock_names.locks

    @property
    def stop_reasons(self) -> tuple[str, ...]:
        """The functions of the interpreter's that stopped the world."""
        return self.lock_names.reasons

    @property
    def lock_waits(self) -> Table:
        """The LOCK_WAIT table: shape (waits,), sorted by (thread, start)."""
        return self._lock_tables.waits

    @property
    def lock_wakes(self) -> Table:
        """The LOCK_WAKE table: shape (wakes,), sorted by time."""
        return self._lock_tables.wakes

    @cached_property
    def lock_hands(self) -> Hands:
        """Through whose hands locks went while threads waited for them."""
        return hands_of(self.lock_waits, self.lock_wakes, self.locks)

    @cached_property
    def lock_moments(self) -> Asked:
        """When it matters whether who had a lock waited for a GIL."""
        return asked_of(self.lock_hands)

    @property
    def moments(self) -> tuple[Int64s, Int64s]:
        """Threads and times, sorted, at which one pass is to say for how long they had waited for GILs."""
        if not len(self.lock_waits):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return self.lock_moments.thread, self.lock_moments.time

    @cached_property
    def waited_by(self) -> Int64s:
        """For how long threads had waited for GILs at each of the `moments`, ns."""
        return self.folded.waited_by if self.folded is not None else waited_by(self.waits, *self.moments)

    @cached_property
    def lock_holds(self) -> Table:
        """The LOCK_HOLD table: shape (holds that were seen in waits,), sorted by (thread, time)."""
        return hold_table(self.side, self.threads, self.processes, self.stacks, self.lock_names)

    @cached_property
    def lock_spins(self) -> Table:
        """The LOCK_SPIN table: shape (spins,), sorted by (thread, start)."""
        return spin_table(self.side)

    @cached_property
    def pauses(self) -> Table:
        """The PAUSE table: shape (pauses,), sorted by start."""
        return pause_table(self._lock_tables, self.lock_names, self.threads)

    @cached_property
    def _lock_tables(self) -> LockTables:
        return lock_tables(self.side, self.ends, self.threads, self.processes, self.stacks, self.lock_names)

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

    @cached_property
    def wait_frames(self) -> Int32s:
        """For each of `waits` the frame, an index in `frames`, that wanted the GIL; -1: unknown."""
        intervals = self.intervals_by_column
        frames = np.full(len(intervals.waiting), -1, np.int32)
        ended = np.flatnonzero(intervals.kind_after(intervals.waiting) == Event.GIL_ACQUIRED)
        frames[ended] = self._frames_at(intervals.event[intervals.waiting[ended] + 1])
        thread, frame = self._frames_ahead
        last = intervals.first[thread + 1] - 1
        goes_on = intervals.state[last] == State.WAITING
        frames[np.searchsorted(intervals.waiting, last[goes_on])] = frame[goes_on]
        return frames

    def release_frames(self, gil: Gil) -> Int32s:
        """Return for each of the `holds` of a GIL the frame at its end: an index in `frames`, -1: unknown.

        It is recorded where somebody waited then. A hold that goes on at the end of a part has that of its
        end beyond it.
        """
        holds = self.holds(gil)
        events = self._events_of(self.processes[gil.process])
        told = (self.columns.kind[events] == Event.GIL_RELEASED) & (self.columns.arg[events] != 0)
        if sum(other.process == gil.process for other in self.gils) > 1:
            told &= self.columns.gil[events] == gil.number
        position = np.flatnonzero(told) + events.start
        thread, time = self.columns.thread_of(position), self.columns.time[position]
        frames = frames_of_holds(holds, thread, time, self._frames_at(position))
        ahead = np.full(len(self.threads), -1, np.int32)
        thread, frame = self._frames_ahead
        ahead[thread] = frame
        goes_on = np.flatnonzero(~holds.release_seen & (holds.released == self.columns.end[holds.thread]))
        frames[goes_on] = ahead[holds.thread[goes_on]]
        return frames

    @cached_property
    def _frames_ahead(self) -> tuple[Int64s, Int32s]:
        """Return threads of a part whose hold or wait at its end tells its frame later, and the frames."""
        numbers = self.columns.ahead
        if numbers is None or not numbers.any():
            return np.zeros(0, np.int64), np.zeros(0, np.int32)
        thread = np.flatnonzero(numbers)
        frame = np.empty(len(thread), np.int32)
        process = np.array([each.process for each in self.threads])[thread]
        for each in np.unique(process).tolist():
            mine = process == each
            frame[mine] = self.stacks.of(each, numbers[thread[mine]])
        return thread, frame

    @cached_property
    def samples(self) -> Table:
        """The SAMPLE table: shape (samples,); those of no hold that was seen are left out."""
        parts = [self._samples_of(gil) for gil in self.gils if gil.process < len(self.sampled)]
        return np.concatenate(parts) if parts else np.empty(0, SAMPLE)

    @property
    def native_codes(self) -> tuple[NativeCode, ...]:
        """Functions of libraries that threads ran, and libraries where they have no symbols."""
        return (self.scheduling.native if self.scheduling is not None else NO_SAMPLES).codes

    @cached_property
    def native_samples(self) -> Table:
        """The NATIVE_SAMPLE table: shape (samples,), of the threads' lives in the trace."""
        table = self.native_sampled.copy()
        if self.folded is not None:
            table["state"] = self.folded.native_states
        elif len(table):
            table["state"] = self.states_by_column.state[self._state_at(table["thread"], table["time"])]
        return table

    @cached_property
    def native_sampled(self) -> Table:
        """The samples of native code as they were recorded: what threads did then is not said."""
        samples = self.scheduling.native if self.scheduling is not None else NO_SAMPLES
        if not len(samples.time):
            return np.empty(0, NATIVE_SAMPLE)
        thread = self._thread_at(samples.task, samples.time, samples.time + 1)
        order = np.flatnonzero(thread >= 0)
        order = order[np.lexsort((samples.time[order], thread[order]))]
        table = np.zeros(len(order), NATIVE_SAMPLE)
        table["thread"], table["time"], table["code"] = (
            thread[order],
            samples.time[order],
            samples.code[order],
        )
        return table

    def hold_frames(self, gil: Gil) -> Int32s:
        """Return for each of the `holds` of a GIL the frame that was sampled most; else that at its end."""
        frames = self.release_frames(gil)
        samples = self.samples[self.samples["gil"] == gil.index]
        if len(samples):
            pairs, count = np.unique(
                np.stack([samples["hold"], samples["frame"]], axis=1), axis=0, return_counts=True
            )
            order = np.lexsort((-pairs[:, 1], count))  # the last of a hold is the most frequent
            frames = frames.copy()
            frames[pairs[order, 0]] = pairs[order, 1]
        return frames

    def _samples_of(self, gil: Gil) -> Table:
        records = self.sampled[gil.process]
        records = records[records["gil"] == gil.number]
        holds = self.holds(gil)
        if not len(records) or not len(holds.acquired):  # of a part of a recording: they are of other parts
            return np.empty(0, SAMPLE)
        time = records["timestamp"].astype(np.int64)
        tid = np.array([thread.tid for thread in self.threads], np.int64)
        hold, inside = holds_at(holds, time)
        inside &= tid[holds.thread[hold]] == records["tid"]
        table = np.empty(int(inside.sum()), SAMPLE)
        table["time"], table["gil"], table["hold"] = time[inside], gil.index, hold[inside]
        table["frame"] = self.stacks.of(gil.process, records["frame"][inside])
        start = self.intervals_by_column.start[self.waiting(gil)]
        end = start + self.intervals_by_column.duration[self.waiting(gil)]
        table["waiters"] = waiters_at(start, end, table["time"])
        table["ran"] = self._ran(holds.thread[table["hold"]], table["time"])
        return table

    def _ran(self, thread: Int32s, time: Int64s) -> Bools:
        """Return of samples whether they tell what code ran: not while their thread had long had no CPU.

        Where a thread is preempted is the scheduler's choice, and it prefers system calls. For a moment it is
        without a CPU whenever the sampler itself has taken that.
        """
        if self.scheduling is None:
            return np.ones(len(thread), bool)
        states = self.states_by_column
        at = self._state_at(thread, time)
        ran: Bools = (states.state[at] != State.STALLED) | (states.duration[at] <= _MOMENT)
        return ran

    def _state_at(self, thread: Int32s, time: Int64s) -> Int64s:
        """Return the positions, in `states_by_column`, of what threads did at these times of their lives."""
        states = self.states_by_column
        at = np.zeros(len(thread), np.int64)
        for each in np.unique(thread).tolist():
            mine = thread == each
            first, last = states.first[each : each + 2].tolist()
            at[mine] = first + np.searchsorted(states.start[first:last], time[mine], "right") - 1
            at[mine] = np.maximum(at[mine], first)
        return at

    def _frames_at(self, position: Int64s) -> Int32s:
        """Return the frames that events, in order, name."""
        frames = np.full(len(position), -1, np.int32)
        for process in self.processes:
            events = self._events_of(process)
            mine = slice(*np.searchsorted(position, [events.start, events.stop]).tolist())
            frames[mine] = self.stacks.of(process.index, self.columns.arg[position[mine]])
        return frames

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

    def holds(self, gil: Gil) -> Holds:
        """Return the holds of a GIL, in the order of the lock."""
        if gil.index not in self._holds:
            intervals = self.intervals_by_column
            unseen = self._of_gil(gil, first_releases(intervals))
            holds = holds_of(self.columns, intervals, self.holding(gil), unseen)
            self._holds[gil.index] = replace(holds, requested=self._requested(gil, holds))
        return self._holds[gil.index]

    def _requested(self, gil: Gil, holds: Holds) -> Bools:
        process = self.processes[gil.process]
        if process.version >= requests.OWN_REQUESTS:
            trusted_until = self.end
        else:
            trusted_until = requests.all_known(self.intervals_by_column, self.threads_of(process))
        return requests.requested(holds, *self.timed_waits(gil), trusted_until)

    def timed_waits(self, gil: Gil) -> tuple[Int64s, Int64s]:
        """Return when the timed waits for a GIL that ran out, an interval each, began and ended, in ns."""
        events = self._events_of(self.processes[gil.process])
        alone = sum(other.process == gil.process for other in self.gils) == 1
        at = requests.timeouts(self.columns, events, None if alone else gil.number)
        return requests.timed_waits(self.columns, at)

    @cached_property
    def switch_intervals(self) -> tuple[int, ...]:
        """The switch interval of each of `gils`, ns; 0: unknown, or there is none (before Python 3.2).

        That of its process's start, unless timed waits for it were clearly of another: a program may set it
        while it runs. See `analysis.tables.switch_interval`.
        """
        lengths = timed_lengths(self)
        if lengths is None:
            waits = [self.timed_waits(gil) for gil in self.gils]
            lengths = [Amounts.of(ended - began) for began, ended in waits]
        return tuple(
            seen_interval(self.processes[gil.process].switch_interval, lengths[gil.index])
            for gil in self.gils
        )

    def waits_for(self, gil: Gil) -> slice | Int64s:
        """Return which rows of the WAIT table are about a GIL."""
        return slice(None) if len(self.gils) == 1 else np.flatnonzero(self.waits["gil"] == gil.index)

    def stall_clock(self, gil: Gil, state: State = State.STALLED) -> StallClock:
        """Return the clock of the stretches in which the holder of a GIL was STALLED, or HOLDING_ASLEEP."""
        states, intervals = self.states_by_column, self.intervals_by_column
        at = np.flatnonzero(states.state == state)
        if len(self.gils) > 1:
            of_gil = np.zeros(len(intervals.start), bool)
            of_gil[self.holding(gil)] = True
            at = at[of_gil[states.of[at]]]
        begin = states.start[at]
        order = np.argsort(begin, kind="stable")
        begin = begin[order]
        return StallClock.of(self.gil_clock(gil), begin, begin + states.duration[at][order])

    def first_requests(self, gil: Gil) -> Int64s:
        """Return when the first drop request to each of `holds(gil)` was made, ns; requests.NEVER: none."""
        return requests.first_requests(self.holds(gil), *self.timed_waits(gil))

    def gil_clock(self, gil: Gil) -> GilClock:
        """Return how long a GIL was held and asked for, up to any time."""
        if gil.index not in self._clocks:
            begin = self.processes[gil.process].begin
            self._clocks[gil.index] = GilClock.of(self.holds(gil), self.first_requests(gil), begin)
        return self._clocks[gil.index]

    def contended(self, gil: Gil) -> tuple[Int64s, Int64s]:
        """Return the stretches in which at least one thread waits for a GIL: their begins and ends, in ns."""
        if gil.index not in self._contended:
            intervals, waiting = self.intervals_by_column, self.waiting(gil)
            start = intervals.start[waiting]
            self._contended[gil.index] = someone_waits(start, start + intervals.duration[waiting])
        return self._contended[gil.index]

    def holding(self, gil: Gil) -> Int64s:
        """Return the positions of the intervals in which a thread holds this GIL."""
        return self._of_gil(gil, self.intervals_by_column.holding)

    def waiting(self, gil: Gil) -> Int64s:
        """Return the positions of the intervals in which a thread waits for this GIL."""
        return self._of_gil(gil, self.intervals_by_column.waiting)

    def _thread_at(self, task: Int64s, start: Int64s, end: Int64s) -> Int64s:
        """Return which thread each stretch of a task is of; -1: outside of the lives of its threads."""
        thread = np.full(len(task), -1)
        of_task: dict[int, list[Thread]] = {}
        for each, index in zip(self.threads, self.tasks, strict=True):
            of_task.setdefault(index, []).append(each)
        bounds = np.searchsorted(task, np.arange(len(self.scheduling.tasks if self.scheduling else ()) + 1))
        for index, lives in of_task.items():
            if index < 0:
                continue
            mine = slice(int(bounds[index]), int(bounds[index + 1]))
            for life in lives:
                thread[mine][(start[mine] < life.end) & (end[mine] > life.begin)] = life.index
        return thread

    @cached_property
    def _merged(self) -> Merged | None:
        if self.stretches is None:
            return None
        return merge(self.columns, self.intervals_by_column, self.stretches, self.tasks)

    @cached_property
    def _holds(self) -> dict[int, Holds]:
        return {}

    @cached_property
    def _clocks(self) -> dict[int, GilClock]:
        return {}

    @cached_property
    def _contended(self) -> dict[int, tuple[Int64s, Int64s]]:
        return {}

    @cached_property
    def _threads_of(self) -> Int64s:
        """First thread of each process, and the end."""
        return np.searchsorted(
            [thread.process for thread in self.threads], np.arange(len(self.processes) + 1)
        )

    def threads_of(self, process: Process) -> slice:
        """Return which of `threads` a process has."""
        return slice(int(self._threads_of[process.index]), int(self._threads_of[process.index + 1]))

    def _events_of(self, process: Process) -> slice:
        threads = self.threads_of(process)
        return slice(int(self.columns.first[threads.start]), int(self.columns.first[threads.stop]))

    def _of_gil(self, gil: Gil, positions: Int64s) -> Int64s:
        """Return those of some intervals, sorted, that began with an event about this GIL."""
        if len(self.gils) == 1:
            return positions
        intervals = self.intervals_by_column
        threads = self.threads_of(self.processes[gil.process])
        begin, end = np.searchsorted(positions, intervals.first[[threads.start, threads.stop]])
        mine: Int64s = positions[begin:end]
        if sum(other.process == gil.process for other in self.gils) > 1:
            mine = mine[self.columns.gil[intervals.event[mine]] == gil.number]
        return mine
