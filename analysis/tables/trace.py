"""What was recorded, and the tables made from it."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np

from ..arrays import Int64s, Table
from ..fold.one_pass import Folded, fold_trace
from ..states import Cpu
from .columns import Source
from .cpu.onto_cpu import UNSURE
from .cpu.states import cpu_time
from .gil.waits import waited_by
from .layers.code import TraceCode
from .marks import cut_said
from .window import cut, cut_side, threads_within


class Trace(TraceCode):
    """What was recorded, as entities and as tables.

    Its attributes are those of `TraceEvents`; its tables are its own, and those of the classes between.
    They are made when they are first asked for, and kept. Here are those that one pass over all events tells.
    """

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
    def folded(self) -> Folded | None:
        """What one pass over all events says; None where they have to be made tables: see `analysis.fold`."""
        return fold_trace(self)

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
    def native_samples(self) -> Table:
        """The NATIVE_SAMPLE table: shape (samples,), of the threads' lives in the trace."""
        table = self.native_sampled.copy()
        if self.folded is not None:
            table["state"] = self.folded.native_states
        elif len(table):
            table["state"] = self.states_by_column.state[self._state_at(table["thread"], table["time"])]
        return table

    @cached_property
    def waited_by(self) -> Int64s:
        """For how long threads had waited for GILs at each of the `moments`, ns."""
        return self.folded.waited_by if self.folded is not None else waited_by(self.waits, *self.moments)
