# cython: language_level=3, infer_types=True, annotation_typing=False, boundscheck=True, wraparound=False
"""When which thread has its next event: a binary heap in which threads can be found, to take them out again.

Part of `machine`, and compiled like it.
"""

from __future__ import annotations

from .rows import numbers


class Agenda:
    """Threads by the time of their next event; of those of one time, by their number."""

    def __init__(self, threads: int) -> None:
        self.when, self.place, self.heap = numbers(threads), numbers(threads, -1), numbers(threads)
        self.size = 0

    def _before(self, one: int, other: int) -> bool:
        if self.when[one] != self.when[other]:
            earlier: bool = self.when[one] < self.when[other]
            return earlier
        return one < other

    def _schedule(self, thread: int, at: int) -> None:
        self.when[thread] = at
        place = self.size
        self.size += 1
        self._up(thread, place)

    def _up(self, thread: int, place: int) -> None:
        while place > 0:
            parent = (place - 1) >> 1
            other = self.heap[parent]
            if not self._before(thread, other):
                break
            self.heap[place] = other
            self.place[other] = place
            place = parent
        self.heap[place] = thread
        self.place[thread] = place

    def _remove(self, thread: int) -> None:
        """Take a thread out of the heap; the last one fills the gap."""
        place = self.place[thread]
        self.place[thread] = -1
        self.size -= 1
        last = self.heap[self.size]
        if last == thread:
            return
        while True:
            child = 2 * place + 1
            if child >= self.size:
                break
            if child + 1 < self.size and self._before(self.heap[child + 1], self.heap[child]):
                child += 1
            if not self._before(self.heap[child], last):
                break
            self.heap[place] = self.heap[child]
            self.place[self.heap[place]] = place
            place = child
        self._up(last, place)
