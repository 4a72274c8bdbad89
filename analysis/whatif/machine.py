# cython: language_level=3, infer_types=True, annotation_typing=False, boundscheck=True, wraparound=False
"""The replay's machine: threads with programs, GILs that work as CPython's do, and a number of CPUs.

A discrete-event simulation is a loop by nature, so this module is written to be compiled: `machine.pxd` has
the types, the build makes an extension of it, and where that is not there the same text runs as Python, some
thirty times as slow, with the same result. Hence the plain style: numbers, arrays of 64 bits, no numpy.

GIL, as in Python/ceval_gil.c: who asks takes it if it is free; else it waits, one switch interval at a time,
and requests a drop when an interval has passed in which the GIL did not change hands. The holder answers at
its next check, or voluntarily before. A release signals the waiter whose timed wait began first; but if it
comes so soon after the request that the one who made that is still awake, that one. Who is signalled takes
the GIL if it is still free when it has woken up and has a CPU. Who released it with a request pending goes
on only when another thread has taken it.

CPUs: work-conserving round robin. Who is ready and finds none idle queues up, first in, first out; who has
had its CPU for a quantum gives it up if somebody queues. Work takes a CPU, and so does trying to take a GIL.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from .agenda import Agenda
from .kinds import AWAKE, BLOCKED, EXCESS, FORCED, NATIVE, PYTHON, QUANTUM, RETURN, VOLUNTARY
from .rows import Rows, numbers

Columns = Sequence[Any]  # arrays of 64 bits

_DONE = 0
_SLEEPING = 1
_AWAITING = 2
_WAITING = 3
_WOKEN = 4  # signalled; wakes up
_SWITCHING = 5  # dropped the GIL, and waits for another thread to take it
_QUEUED = 6  # ready, without a CPU
_RUNNING = 7

_RUN = 0  # what to do with a CPU
_ASK = 1
_TRY = 2

_NEXT = 0  # where a thread goes on: with its next step, or by asking for the GIL again
_SAME = 1


class Machine(Agenda):
    """One replay; see `analysis.whatif.program.Program` for what the arrays are.

    After `run`: `now` is the wall time, `finished` when each thread ended (-1: it had not), `switches`, and
    `waits` and `holds` (rows: thread, gil, begin, end) what happened.
    """

    def __init__(self, program: Columns, pools: Columns, interval: Any, cpus: int, log_holds: bool) -> None:
        self.first, self.kind, self.gil, self.amount = program[:4]
        self.post_first, self.post_at, self.post_event, self.post_delay = program[4:8]
        self.call_first, self.call_begin, self.call_end = program[8:11]
        self.essential = program[11]
        self.pool_first, self.pool_value = pools
        self.interval, self.cpus, self.idle, self.log_holds = interval, cpus, cpus, log_holds
        self.threads = threads = len(self.first) - 1
        Agenda.__init__(self, threads)
        self.gils = gils = len(interval)

        self.now = 0
        self.switches = self.requests = 0
        self.ended = self.finished = numbers(threads, -1)
        self.waits, self.holds = Rows(), Rows()
        self.pool_next = array("q", self.pool_first)
        # Of threads.
        self.state, self.then, self.resume = numbers(threads), numbers(threads), numbers(threads)
        self.step = array("q", self.first)
        self.position, self.since = numbers(threads), numbers(threads)
        self.asked, self.taken_at, self.seen_switch = numbers(threads, -1), numbers(threads), numbers(threads)
        self.respond, self.post, self.call = numbers(threads, -1), numbers(threads), numbers(threads)
        self.slice_end, self.on_cpu = numbers(threads), numbers(threads)
        # Of GILs; waiters are a linked list in the order in which their timed waits began.
        self.holder, self.last_holder = numbers(gils, -1), numbers(gils, -1)
        self.switch_number, self.requested = numbers(gils), numbers(gils)
        self.dropper, self.requested_at = numbers(gils, -1), numbers(gils)
        self.head, self.tail = numbers(gils, -1), numbers(gils, -1)
        self.after, self.before = numbers(threads, -1), numbers(threads, -1)
        # Events, and who queues up for a CPU.
        events = len(self.post_event)
        self.posted, self.awaits = numbers(events, -1), numbers(events, -1)
        self.queue, self.queue_first, self.queued = numbers(threads), 0, 0
        self.running, self.left = numbers(threads), 0

    def run(self) -> int:
        """Run until every essential thread has ended; return the wall time in ns."""
        for thread in range(self.threads):
            self.left += self.essential[thread]
        for thread in range(self.threads):
            self._begin(thread)
        self._dispatch()
        while self.left > 0 and self.size > 0:
            thread = self.heap[0]
            self.now = self.when[thread]
            self._remove(thread)
            state = self.state[thread]
            if state == _RUNNING:
                self._work(thread)
            elif state == _SLEEPING:
                if self.resume[thread] == _NEXT:
                    self.step[thread] += 1
                self._begin(thread)
            elif state == _WAITING:
                self._time_out(thread)
            elif state == _WOKEN:
                self._ready(thread, _TRY)
            self._dispatch()
        self._cut()
        return self.now

    # Steps.

    def _begin(self, thread: int) -> None:
        """Begin the step that a thread is at, or the first one after it that takes time."""
        while self.step[thread] < self.first[thread + 1]:
            step = self.step[thread]
            kind = self.kind[step]
            if kind <= NATIVE:  # or PYTHON
                if self.resume[thread] == _NEXT:
                    self.position[thread] = 0
                    self.post[thread] = self.post_first[step]
                    self.call[thread] = self.call_first[step]
                self.resume[thread] = _NEXT
                self._ready(thread, _ASK if kind == PYTHON else _RUN)
                return
            if kind == BLOCKED:
                if self.amount[step] > 0:
                    self._sleep(thread, self.now + self.amount[step])
                    return
            else:
                event = self.amount[step]
                if self.posted[event] < 0:
                    self._leave_cpu(thread)
                    self.state[thread] = _AWAITING
                    self.awaits[event] = thread
                    return
                if self.posted[event] > self.now:
                    self._sleep(thread, self.posted[event])
                    return
            self.step[thread] += 1
        self._leave_cpu(thread)
        self.state[thread] = _DONE
        self.ended[thread] = self.now
        self.left -= self.essential[thread]

    def _sleep(self, thread: int, until: int) -> None:
        self._leave_cpu(thread)
        self.state[thread] = _SLEEPING
        self._schedule(thread, until)

    def _work(self, thread: int) -> None:
        """A running thread has come to something: a post, a check with a request pending, an end."""
        self.position[thread] += self.now - self.since[thread]
        self.since[thread] = self.now
        step = self.step[thread]
        while (
            self.post[thread] < self.post_first[step + 1]
            and self.post_at[self.post[thread]] <= self.position[thread]
        ):
            self._post(self.post_event[self.post[thread]], self.now + self.post_delay[self.post[thread]])
            self.post[thread] += 1
        if self.position[thread] >= self.amount[step]:
            if self.kind[step] == PYTHON:
                self._release(thread, _NEXT)
            else:
                self.step[thread] += 1
                self._begin(thread)
        elif self.respond[thread] >= 0 and self.position[thread] >= self.respond[thread]:
            self._release(thread, _SAME)
        elif self.queued > 0 and self.now >= self.slice_end[thread]:
            self._leave_cpu(thread)
            self._ready(thread, _RUN)
        else:
            self._go_on(thread)

    def _go_on(self, thread: int) -> None:
        """Schedule the next moment at which something happens to a thread that has a CPU and works."""
        step = self.step[thread]
        until = self.amount[step]
        if self.post[thread] < self.post_first[step + 1] and self.post_at[self.post[thread]] < until:
            until = self.post_at[self.post[thread]]
        if self.respond[thread] >= 0 and self.respond[thread] < until:
            until = self.respond[thread]
        at = self.now + until - self.position[thread]
        if self.queued > 0 and self.slice_end[thread] < at:
            at = self.slice_end[thread] if self.slice_end[thread] > self.now else self.now
        self.state[thread] = _RUNNING
        self._schedule(thread, at)

    def _post(self, event: int, at: int) -> None:
        self.posted[event] = at
        thread = self.awaits[event]
        if thread >= 0:
            self._sleep(thread, at)

    # The GIL.

    def _ask(self, thread: int) -> None:
        gil = self.gil[self.step[thread]]
        if self.holder[gil] < 0:
            self._take(thread, gil)
        else:
            self.asked[thread] = self.now
            self._wait(thread, gil)

    def _wait(self, thread: int, gil: int) -> None:
        """Begin a timed wait: last in the list of waiters."""
        self._leave_cpu(thread)
        self.state[thread] = _WAITING
        self.seen_switch[thread] = self.switch_number[gil]
        last = self.tail[gil]
        self.before[thread], self.after[thread] = last, -1
        self.tail[gil] = thread
        if last >= 0:
            self.after[last] = thread
        else:
            self.head[gil] = thread
        self._schedule(thread, self.now + self.interval[gil] + self._draw(4 * gil + EXCESS))

    def _stop_waiting(self, thread: int, gil: int) -> None:
        before, after = self.before[thread], self.after[thread]
        if before >= 0:
            self.after[before] = after
        else:
            self.head[gil] = after
        if after >= 0:
            self.before[after] = before
        else:
            self.tail[gil] = before

    def _time_out(self, thread: int) -> None:
        gil = self.gil[self.step[thread]]
        self._stop_waiting(thread, gil)
        if self.holder[gil] < 0:
            self._ready(thread, _TRY)
            return
        if self.seen_switch[thread] == self.switch_number[gil]:
            self._request(gil)
        self._wait(thread, gil)

    def _request(self, gil: int) -> None:
        """Ask the holder to let go: at its next check, which is not within a C call."""
        if self.requested[gil]:
            return
        self.requested[gil], self.requested_at[gil] = 1, self.now
        self.requests += 1
        holder = self.holder[gil]
        step = self.step[holder]
        position = self.position[holder]
        running = self.state[holder] == _RUNNING
        if running:
            position += self.now - self.since[holder]
        calls = self.call_first[step + 1]
        while self.call[holder] < calls and self.call_end[self.call[holder]] <= position:
            self.call[holder] += 1
        if self.call[holder] < calls and self.call_begin[self.call[holder]] <= position:
            self.respond[holder] = self.call_end[self.call[holder]]
        else:
            self.respond[holder] = position + self._draw(4 * self.gils + holder)
        if running:
            self.position[holder] = position
            self.since[holder] = self.now
            self._remove(holder)
            self._go_on(holder)

    def _take(self, thread: int, gil: int) -> None:
        if self.last_holder[gil] != thread:
            if self.last_holder[gil] >= 0:
                self.switches += 1
            self.last_holder[gil] = thread
            self.switch_number[gil] += 1
        self.holder[gil] = thread
        self.requested[gil] = 0
        self.taken_at[thread] = self.now
        if self.asked[thread] >= 0:
            self.waits.add(thread, gil, self.asked[thread], self.now)
            self.asked[thread] = -1
        dropper = self.dropper[gil]
        if dropper >= 0 and dropper != thread:
            self.dropper[gil] = -1
            self._sleep(dropper, self.now + self._draw(4 * gil + RETURN))
        self._run(thread)

    def _release(self, thread: int, resume: int) -> None:
        """Let go of the GIL, at the end of a step or (_SAME) because that was asked."""
        gil = self.gil[self.step[thread]]
        self.holder[gil] = self.respond[thread] = -1
        if self.log_holds:
            self.holds.add(thread, gil, self.taken_at[thread], self.now)
        requested = self.requested[gil]
        woken = self.head[gil]
        if requested and self.now - self.requested_at[gil] < AWAKE:
            woken = self.tail[gil]
        if woken >= 0:
            self._stop_waiting(woken, gil)
            self.state[woken] = _WOKEN
            self._remove(woken)
            pool = FORCED if requested else VOLUNTARY
            self._schedule(woken, self.now + self._draw(4 * gil + pool))
        self.resume[thread] = resume
        if requested:
            self._leave_cpu(thread)
            self.state[thread] = _SWITCHING
            self.dropper[gil] = thread
        else:
            self.step[thread] += 1
            self._begin(thread)

    def _try(self, thread: int) -> None:
        """Take the GIL if it is still free; else wait again."""
        gil = self.gil[self.step[thread]]
        if self.holder[gil] < 0:
            self._take(thread, gil)
        else:
            self._wait(thread, gil)

    # CPUs.

    def _ready(self, thread: int, then: int) -> None:
        """Do something that takes a CPU, now or when one is free."""
        if self.on_cpu[thread]:
            self._do(thread, then)
            return
        self.then[thread] = then
        self.state[thread] = _QUEUED
        at = self.queue_first + self.queued
        self.queue[at if at < self.threads else at - self.threads] = thread
        self.queued += 1

    def _dispatch(self) -> None:
        """Give idle CPUs to those that queue up; if some are left, the others' quanta count."""
        if self.queued == 0:
            return
        while self.queued > 0 and self.idle > 0:
            thread = self.queue[self.queue_first]
            self.queue_first = self.queue_first + 1 if self.queue_first + 1 < self.threads else 0
            self.queued -= 1
            self.running[self.cpus - self.idle] = thread
            self.idle -= 1
            self.on_cpu[thread] = 1
            self.slice_end[thread] = self.now + QUANTUM
            self._do(thread, self.then[thread])
        if self.queued > 0:
            for cpu in range(self.cpus):
                thread = self.running[cpu]
                if self.place[thread] >= 0 and self.when[thread] > self.slice_end[thread]:
                    self._remove(thread)
                    end = self.slice_end[thread]
                    self._schedule(thread, end if end > self.now else self.now)

    def _do(self, thread: int, then: int) -> None:
        if then == _RUN:
            self._run(thread)
        elif then == _ASK:
            self._ask(thread)
        else:
            self._try(thread)

    def _run(self, thread: int) -> None:
        self.since[thread] = self.now
        self._go_on(thread)

    def _leave_cpu(self, thread: int) -> None:
        if self.on_cpu[thread]:
            self.on_cpu[thread] = 0
            self.idle += 1
            last = self.cpus - self.idle
            cpu = 0
            while self.running[cpu] != thread:
                cpu += 1
            self.running[cpu] = self.running[last]

    # What is drawn, and what is written down.

    def _draw(self, pool: int) -> int:
        """Return the next of what was recorded of something, from the beginning again at the end."""
        at = self.pool_next[pool]
        self.pool_next[pool] = at + 1 if at + 1 < self.pool_first[pool + 1] else self.pool_first[pool]
        value: int = self.pool_value[at]
        return value

    def _cut(self) -> None:
        """Write down the waits and holds that the end finds going on."""
        for thread in range(self.threads):
            gil = self.gil[self.step[thread]] if self.step[thread] < self.first[thread + 1] else -1
            if self.asked[thread] >= 0:
                self.waits.add(thread, gil, self.asked[thread], self.now)
            elif self.log_holds and gil >= 0 and self.holder[gil] == thread:
                self.holds.add(thread, gil, self.taken_at[thread], self.now)
