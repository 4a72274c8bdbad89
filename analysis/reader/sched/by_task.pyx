# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The scheduler's streams, looked through where they lie in memory, then put in order of (task, time).

Each CPU's stream is in order of time already: they are merged, and each event goes to where its task's next
one belongs, which is known once all are counted. Nothing is sorted, and nothing but the result is kept.
"""

import numpy as np

from libc.stdint cimport int8_t, int16_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memmove

from analysis.growing cimport Numbers, forget, push

from .. import format

cdef extern from "sys/mman.h" nogil:
    int madvise(void *address, size_t length, int advice)
    int MADV_DONTNEED

cdef enum:
    AT_ONCE = 8  # packets that are kept in memory when they were read
    HIGHEST_TID = 4194304  # the kernel's own limit

ctypedef fused Cpus:
    int8_t
    int16_t

cdef struct Record:
    int64_t time
    uint16_t id
    uint16_t cpu
    uint32_t tid

cdef struct Stream:
    const uint8_t *data
    const int64_t *counts
    int64_t left  # events that are right, and were not merged yet
    Py_ssize_t packet
    const Record *record
    const Record *end  # of the packet
    int16_t cpu

cdef Py_ssize_t PACKET = format.PACKET_SIZE
cdef Py_ssize_t HEADER = format.HEADER_SIZE
cdef uint16_t LEAST = min(format.Sched)
cdef uint16_t MOST = max(format.Sched)
cdef uint16_t LOST = format.Sched.SCHED_LOST

HIGHEST = HIGHEST_TID
SPARE = 1024  # elements behind the events, and two a task: who makes something of them has room there


cdef inline void _give_back(const uint8_t *data, Py_ssize_t packet) noexcept nogil:
    """Packets that were read need no memory: they are in the file."""
    madvise(<void *> (data + packet * PACKET), AT_ONCE * PACKET, MADV_DONTNEED)


cdef inline const Record *_records(const uint8_t *data, Py_ssize_t packet) noexcept nogil:
    return <const Record *> (data + packet * PACKET + HEADER)


cdef class Streams:
    """Streams of CPUs, from files that are mapped: each is looked through, then all are put in order."""

    cdef int64_t *_places  # by tid: how many events there are; then where its next one goes
    cdef Numbers _tids  # in the order in which they were seen
    cdef list _looked

    def __cinit__(self):
        self._looked = []
        self._places = <int64_t *> calloc(HIGHEST_TID + 1, sizeof(int64_t))
        if self._places == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self._places)
        forget(&self._tids)

    def look(self, const uint8_t[:, ::1] data, const int64_t[::1] counts, const int64_t[::1] begins,
             const int64_t[::1] ends, int cpu, int64_t begin):
        """Look through a stream: `counts` events in each of its packets, that are to be from begins to ends.

        Returns
        -------
        right, kept : int
            Events before the first one that can't be; those of them that are of a task.
        last : int
            Time of the last one of `right`; `begin` if there is none.
        lost : ndarray of int64, shape (n, 3)
            Begin, end and number of records that were lost.
        """
        cdef int64_t right, last = begin
        cdef int64_t lost = 0
        cdef Numbers losses
        losses.at, losses.used, losses.room = NULL, 0, 0
        try:
            if counts.shape[0]:
                with nogil:
                    right = self._look(&data[0, 0], counts, begins, ends, <uint16_t> cpu, &last, &losses)
            else:
                right = 0
            if right < 0:
                raise MemoryError
            lost = losses.used // 3
            told = np.array([losses.at[at] for at in range(losses.used)], np.int64).reshape(-1, 3)
        finally:
            forget(&losses)
        self._looked.append((data, counts, right, cpu))
        return right, right - lost, last, told

    cdef int64_t _look(self, const uint8_t *data, const int64_t[::1] counts, const int64_t[::1] begins,
                       const int64_t[::1] ends, uint16_t cpu, int64_t *last, Numbers *losses) noexcept nogil:
        """How many events are right; -1: no memory."""
        cdef Py_ssize_t packet
        cdef int64_t at, right = 0
        cdef const Record *record
        for packet in range(counts.shape[0]):
            if packet and packet % AT_ONCE == 0:
                _give_back(data, packet - AT_ONCE)
            record = _records(data, packet)
            if counts[packet] and record.time < begins[packet]:
                return right
            for at in range(counts[packet]):
                if (
                    record.id < LEAST
                    or record.id > MOST
                    or record.cpu != cpu
                    or (right and record.time < last[0])
                    or (at == counts[packet] - 1 and record.time > ends[packet])
                ):
                    return right
                if record.id == LOST:
                    if (
                        push(losses, last[0]) < 0
                        or push(losses, record.time) < 0
                        or push(losses, record.tid) < 0
                    ):
                        return -1
                elif record.tid == 0 or record.tid > HIGHEST_TID:
                    return right
                else:
                    if self._places[record.tid] == 0 and push(&self._tids, record.tid) < 0:
                        return -1
                    self._places[record.tid] += 1
                last[0] = record.time
                right += 1
                record += 1
        return right

    def in_order(self):
        """Return all tids, ascending, where the events of each begin, and time, kind and CPU of events.

        CPUs are int8 where their numbers allow it, else int16. Behind the columns is room in their memory
        (`SPARE`): they are the begins of their bases.

        None: the streams are not any more what they were when they were looked at. Asked again, it reads again.
        """
        tids = np.array([self._tids.at[at] for at in range(self._tids.used)], np.int64)
        tids.sort()
        first = np.zeros(len(tids) + 1, np.int64)
        for at, tid in enumerate(tids.tolist()):
            first[at + 1] = first[at] + self._places[tid]
        for at, tid in enumerate(tids.tolist()):
            self._places[tid] = first[at]
        size = int(first[len(tids)])
        room = size + 2 * len(tids) + SPARE
        time, kind, cpu = (np.empty(room, of)[:size] for of in (np.int64, np.uint8, self._of_cpus()))
        cdef Py_ssize_t streams = len(self._looked), number
        cdef Stream *of = <Stream *> calloc(streams + 1, sizeof(Stream))
        cdef Stream **heap = <Stream **> calloc(streams + 1, sizeof(Stream *))
        cdef const uint8_t[:, ::1] data
        cdef const int64_t[::1] counts
        cdef int64_t[::1] to_time = time
        cdef uint8_t[::1] to_kind = kind
        cdef int8_t[::1] to_few
        cdef int16_t[::1] to_many
        cdef bint same
        try:
            if of == NULL or heap == NULL:
                raise MemoryError
            for number in range(streams):
                data, counts, right, on = self._looked[number]
                of[number].left, of[number].cpu, of[number].packet = right, on, -1
                if right:
                    of[number].data, of[number].counts = &data[0, 0], &counts[0]
            if cpu.dtype == np.int8:
                to_few = cpu
                with nogil:
                    same = self._merge(of, streams, heap, to_time, to_kind, to_few)
            else:
                to_many = cpu
                with nogil:
                    same = self._merge(of, streams, heap, to_time, to_kind, to_many)
        finally:
            free(of)
            free(heap)
        there = [self._places[tid] for tid in tids.tolist()]
        for at, tid in enumerate(tids.tolist()):
            self._places[tid] = first[at + 1] - first[at]
        return (tids, first, time, kind, cpu) if same and there == first[1:].tolist() else None

    def _of_cpus(self):
        """Return the smallest type that the numbers of CPUs have room in."""
        highest = max((cpu for *_, cpu in self._looked), default=0)
        return np.int8 if highest <= np.iinfo(np.int8).max else np.int16

    cdef bint _merge(self, Stream *of, Py_ssize_t streams, Stream **heap, int64_t[::1] time, uint8_t[::1] kind,
                     Cpus[::1] cpu) noexcept nogil:
        """Whether each event has found its place."""
        cdef Py_ssize_t number, there = 0
        cdef int64_t place, size = time.shape[0]
        cdef Stream *first
        cdef Stream *next_one
        for number in range(streams):
            if _go_on(&of[number]):
                heap[there] = &of[number]
                there += 1
        for number in range(there // 2 - 1, -1, -1):
            _sink(heap, there, number)
        while there:
            first = heap[0]
            next_one = NULL
            if there > 1:
                next_one = heap[2] if there > 2 and _is_before(heap[2], heap[1]) else heap[1]
            while True:
                if first.record.tid > HIGHEST_TID:
                    return False
                place = self._places[first.record.tid]
                if place >= size:
                    return False
                self._places[first.record.tid] += 1
                time[place], kind[place], cpu[place] = first.record.time, <uint8_t> first.record.id, <Cpus> first.cpu
                first.record += 1
                if not _go_on(first):
                    there -= 1
                    heap[0] = heap[there]
                    break
                if next_one != NULL and not _is_before(first, next_one):
                    break
            _sink(heap, there, 0)
        return True


def move(const uint8_t[::1] column, int64_t to, int64_t begin, int64_t end):
    """Move bytes of a column to another place in it; the two may overlap."""
    if end > begin:
        memmove(<void *> &column[to], &column[begin], end - begin)


cdef inline bint _is_before(const Stream *one, const Stream *other) noexcept nogil:
    return one.record.time < other.record.time or (one.record.time == other.record.time and one < other)


cdef inline bint _go_on(Stream *of) noexcept nogil:
    """Find the stream's next event of a task; whether there is one."""
    while of.left:
        while of.record == of.end:
            of.packet += 1
            if of.packet and of.packet % AT_ONCE == 0:
                _give_back(of.data, of.packet - AT_ONCE)
            of.record = _records(of.data, of.packet)
            of.end = of.record + of.counts[of.packet]
        of.left -= 1
        if of.record.id != LOST:
            return True
        of.record += 1
    return False


cdef inline void _sink(Stream **heap, Py_ssize_t there, Py_ssize_t at) noexcept nogil:
    """Put what is at a place of the heap where it belongs."""
    cdef Stream *sinking = heap[at]
    cdef Py_ssize_t below = 2 * at + 1
    while below < there:
        if below + 1 < there and _is_before(heap[below + 1], heap[below]):
            below += 1
        if not _is_before(heap[below], sinking):
            break
        heap[at] = heap[below]
        at, below = below, 2 * below + 1
    heap[at] = sinking
