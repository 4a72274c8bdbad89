# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""A gil stream looked through once, where it lies in memory: is it right, and what is in it.

Only what is right to the last event is told; whatever is not, or has a gap, is for `streams`, which says
what is wrong. Nothing is copied but the few events that are about no GIL.
"""

import numpy as np

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from analysis.growing cimport (
    Amounts,
    Numbers,
    add_amount,
    amounts_told,
    forget,
    forget_amounts,
    push,
)

from .. import format
from . import grammar

cdef extern from "sys/mman.h" nogil:
    int madvise(void *address, size_t length, int advice)
    int MADV_DONTNEED

cdef enum:
    AT_ONCE = 128  # packets that are kept in memory when they were read
    LIVES = 8  # numbers that are told of each life
    SIDES = 4
    MOST_GILS = 64

cdef struct Header:
    uint32_t magic
    uint32_t stream_class
    uint64_t timestamp_begin
    uint64_t timestamp_end
    uint64_t content_size
    uint64_t packet_size
    uint64_t events_discarded
    uint32_t tid
    uint32_t pid

cdef struct Record:
    uint64_t time
    uint16_t id
    uint16_t gil
    uint32_t arg

cdef struct Found:
    Numbers lives
    Numbers side
    Amounts waited[MOST_GILS]  # lengths of timed waits that ran out
    uint8_t seen[MOST_GILS]
    Py_ssize_t packets
    int64_t last_count  # records of the last packet
    int64_t events  # without those aside
    int64_t first_time
    int64_t last_time
    int64_t last_side_time
    bint stopped

cdef uint8_t RULES[256]
cdef uint8_t IS_SIDE[256]
cdef uint8_t IS_KNOWN[256]
for number in range(256):
    RULES[number] = grammar.TABLE[number]
    IS_SIDE[number] = number in format.SIDE
    IS_KNOWN[number] = number in set(format.Event)
cdef uint8_t FORBIDDEN = grammar.FORBIDDEN
cdef uint8_t SAME = grammar.SAME_GIL
cdef uint8_t OTHER = grammar.OTHER_GIL
cdef uint32_t MAGIC = format.CTF_MAGIC
cdef Py_ssize_t PACKET = format.PACKET_SIZE
cdef Py_ssize_t HEADER = format.HEADER_SIZE
cdef Py_ssize_t SIZE = format.EVENT_SIZE
cdef int64_t FULL = format.EVENTS_PER_PACKET
cdef uint64_t NEVER = format.UNUSED_TIMESTAMP
cdef uint16_t NO_GIL = format.NO_GIL
cdef uint32_t LONG = format.LONG
cdef uint16_t TIMEOUT = format.Event.GIL_TIMEOUT
cdef uint16_t REQUESTED = format.Event.GIL_DROP_REQUESTED
cdef uint16_t ABANDONED = format.Event.GIL_ABANDONED
cdef uint16_t START = format.Event.THREAD_START
cdef uint16_t EXIT = format.Event.THREAD_EXIT
cdef uint16_t FORK = format.Event.PROCESS_FORK
cdef uint16_t STOP = format.Event.RECORDING_STOP
cdef Py_ssize_t UNCOMMITTED = 4


class Scanned:
    """What is in a stream that is right.

    Attributes
    ----------
    packets, records : int
        Its used packets; the events in the last one.
    events : int
        Events that are about a GIL, or bookkeeping.
    lives : ndarray of int64, shape (threads, 8)
        Of each: position of its first event, time of that, tid, position behind its last event, time of an
        exit or -1, kind of the first event about a GIL or exit (0: none) and its time, time of the first
        event that began a state or -1.
    forked : ndarray of bool, shape (threads,)
        A process_fork is among its events.
    side : ndarray of int64, shape (n, 4)
        at, time, kind, arg of the others, as in `side.Side`.
    gils : tuple of int
    waited : dict
        For each GIL the lengths of the timed waits for it that ran out: see `growing.amounts_told`.
    begin, end, side_end : int
        Times of the first and the last event; of the last one of the others, or begin.
    stopped : bool
    """

    __slots__ = (
        "packets", "records", "events", "lives", "forked", "side", "gils", "waited", "begin", "end",
        "side_end", "stopped",
    )


def scan(const uint8_t[::1] data, uint32_t pid):
    """Return what is in the bytes of a stream's file, or None where not all of it is right."""
    cdef Found found
    cdef int right
    memset(&found, 0, sizeof(found))
    try:
        with nogil:
            right = _scan(data, pid, &found)
        if right < 0:
            raise MemoryError
        return _told(&found) if right else None
    finally:
        forget(&found.lives)
        forget(&found.side)
        for gil in range(MOST_GILS):
            forget_amounts(&found.waited[gil])


cdef object _array(Numbers *numbers, int columns):
    if not numbers.used:
        return np.zeros((0, columns), np.int64)
    data = (<char *> numbers.at)[:numbers.used * sizeof(int64_t)]
    return np.frombuffer(data, np.int64).reshape(-1, columns)


cdef object _told(Found *found):
    told = Scanned()
    told.packets, told.records, told.events = found.packets, found.last_count, found.events
    lives = _array(&found.lives, LIVES + 1)
    told.lives, told.forked = lives[:, :LIVES], lives[:, LIVES] != 0
    told.side = _array(&found.side, SIDES)
    told.gils = tuple(gil for gil in range(MOST_GILS) if found.seen[gil])
    told.waited = {
        gil: amounts_told(&found.waited[gil]) for gil in range(MOST_GILS) if found.waited[gil].count
    }
    told.begin, told.end, told.side_end = found.first_time, found.last_time, found.last_side_time
    told.stopped = found.stopped
    return told


cdef bint _zeros(const uint8_t *data, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t at
    for at in range(count):
        if data[at]:
            return False
    return True


cdef inline void _give_back(const uint8_t[::1] data, Py_ssize_t packet) noexcept nogil:
    """Packets that were read need no memory: they are in the file."""
    madvise(<void *> &data[packet * PACKET], AT_ONCE * PACKET, MADV_DONTNEED)


cdef int _used_packets(const uint8_t[::1] data, uint32_t pid, Found *found) noexcept nogil:
    """Check all headers, and what lies behind the content: whether that is right."""
    cdef Py_ssize_t at, packets = data.shape[0] // PACKET
    cdef const Header *header
    cdef uint64_t content
    cdef bint over = False
    for at in range(packets):
        if at and at % AT_ONCE == 0:
            _give_back(data, at - AT_ONCE)
        header = <const Header *> &data[at * PACKET]
        content = header.content_size // 8
        if header.magic == 0:  # prepared, and killed before its header was written: zeros to the end
            if not _zeros(&data[at * PACKET], (packets - at) * PACKET):
                return 0
            break
        if (
            header.magic != MAGIC
            or header.stream_class != 0
            or header.packet_size != <uint64_t> (8 * PACKET)
            or header.content_size % 64
            or content < <uint64_t> HEADER
            or content > <uint64_t> PACKET
            or header.pid != pid
            or header.events_discarded
            or (content - HEADER) % SIZE
        ):
            return 0
        if content == <uint64_t> HEADER:
            over = True
            continue
        if over or (found.packets and found.last_count < FULL):
            return 0
        if (
            header.timestamp_begin >= NEVER
            or header.timestamp_end < header.timestamp_begin
            or header.timestamp_end >= NEVER
        ):
            return 0
        found.packets = at + 1
        found.last_count = <int64_t> (content - HEADER) // SIZE
    if data.shape[0] % PACKET and not _zeros(&data[packets * PACKET], data.shape[0] % PACKET):
        return 0
    if found.packets:
        at = (found.packets - 1) * PACKET + HEADER + SIZE * (found.last_count + UNCOMMITTED)
        if at < found.packets * PACKET and not _zeros(&data[at], found.packets * PACKET - at):
            return 0
    return 1


cdef inline int _code(uint16_t kind) noexcept nogil:
    return kind - (kind >> 4) * 9


cdef int _scan(const uint8_t[::1] data, uint32_t pid, Found *found) noexcept nogil:
    """1: all of it is right; 0: it is not; -1: no memory."""
    cdef Py_ssize_t packet
    cdef const Header *header
    cdef const Record *record
    cdef const Record *end
    cdef int64_t count, length, before_time = 0, last = 0, events = 0
    cdef uint16_t kind, before = 0, before_gil = NO_GIL
    cdef uint8_t rule
    cdef uint32_t tid = 0
    cdef int64_t *life = NULL
    if not _used_packets(data, pid, found):
        return 0
    for packet in range(found.packets):
        if packet and packet % AT_ONCE == 0:
            _give_back(data, packet - AT_ONCE)
        header = <const Header *> &data[packet * PACKET]
        count = FULL if packet < found.packets - 1 else found.last_count
        record = <const Record *> &data[packet * PACKET + HEADER]
        end = record + count
        if record.time < header.timestamp_begin or (end - 1).time > header.timestamp_end:
            return 0
        if (record.arg if record.id == START else tid) != header.tid:
            return 0
        while record < end:
            kind = record.id
            if kind > 255 or not IS_KNOWN[kind] or <int64_t> record.time < last:
                return 0
            last = <int64_t> record.time
            if IS_SIDE[kind]:
                if (
                    push(&found.side, events) < 0
                    or push(&found.side, last) < 0
                    or push(&found.side, kind) < 0
                    or push(&found.side, record.arg) < 0
                ):
                    return -1
                found.last_side_time = last
                record += 1
                continue
            if events == 0:
                if kind != START:
                    return 0
                found.first_time = last
            else:
                rule = RULES[(_code(before) << 4) | _code(kind)]
                if (
                    rule == FORBIDDEN
                    or (rule == SAME and record.gil != before_gil)
                    or (rule == OTHER and record.gil == before_gil)
                ):
                    return 0
            if kind <= ABANDONED:
                if record.gil >= MOST_GILS:
                    return 0
                found.seen[record.gil] = 1
                if life[5] == 0:
                    life[5], life[6] = kind, last
                if life[7] < 0 and kind != TIMEOUT and kind != REQUESTED:
                    life[7] = last
                if kind == TIMEOUT:
                    length = record.arg if record.arg and record.arg != LONG else last - before_time
                    if add_amount(&found.waited[record.gil], length) < 0:
                        return -1
            else:
                if record.gil != NO_GIL:
                    return 0
                if kind == START:
                    tid = record.arg
                    if tid == 0:
                        return 0
                    if _begin_life(found, events, last, tid) < 0:
                        return -1
                    life = found.lives.at + found.lives.used - (LIVES + 1)
                elif kind == FORK:
                    life[8] = 1
                elif record.arg != tid:
                    return 0
                elif kind == EXIT:
                    if life[5] == 0:
                        life[5], life[6] = kind, last
                elif kind == STOP:
                    found.stopped = True
            life[3] = events + 1
            life[4] = last if kind == EXIT else -1
            before, before_gil, before_time = kind, record.gil, last
            events += 1
            record += 1
    found.events = events
    found.last_time = before_time
    return 1 if events or not found.side.used else 0


cdef int _begin_life(Found *found, int64_t at, int64_t time, uint32_t tid) noexcept nogil:
    cdef int number
    if push(&found.lives, at) < 0 or push(&found.lives, time) < 0 or push(&found.lives, tid) < 0:
        return -1
    for number in range(3, LIVES + 1):
        if push(&found.lives, -1 if number == 7 else 0) < 0:
            return -1
    return 0


def decode(
    const uint8_t[::1] data,
    Py_ssize_t packets,
    int64_t records,
    int64_t[::1] time,
    uint8_t[::1] kind,
    uint16_t[::1] gil,
    uint32_t[::1] arg,
):
    """Copy the events of a stream that was scanned, without those aside, into columns of `events` each."""
    cdef Py_ssize_t packet
    cdef const Record *record
    cdef const Record *end
    cdef int64_t at = 0
    with nogil:
        for packet in range(packets):
            if packet and packet % AT_ONCE == 0:
                _give_back(data, packet - AT_ONCE)
            record = <const Record *> &data[packet * PACKET + HEADER]
            end = record + (FULL if packet < packets - 1 else records)
            while record < end and at < time.shape[0]:
                if not IS_SIDE[record.id]:
                    time[at], kind[at] = <int64_t> record.time, <uint8_t> record.id
                    gil[at], arg[at] = record.gil, record.arg
                    at += 1
                record += 1
