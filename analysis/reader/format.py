"""The trace format, in numpy's words: what tracer/native/format.h says in C (a test compares the two).

A stream file is a row of packets of `PACKET_SIZE` bytes: one `PACKET_HEADER`, then fixed-size `EVENT_RECORD`s
(gil streams) or `SCHED_RECORD`s (sched streams), or `NAME_RECORD`s each followed by its text (the names
stream). Little endian, naturally aligned, nanoseconds of CLOCK_MONOTONIC.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np

FORMAT_VERSION: Final = 5
READABLE_VERSIONS: Final = (1, 2, 3, 4, 5)

PACKET_SIZE: Final = 32768
HEADER_SIZE: Final = 128
EVENT_SIZE: Final = 16
EVENTS_PER_PACKET: Final = (PACKET_SIZE - HEADER_SIZE) // EVENT_SIZE

CTF_MAGIC: Final = 0xC1FC1FC1
STREAM_GIL: Final = 0
STREAM_NAMES: Final = 1
STREAM_SCHED: Final = 2
STREAM_SAMPLES: Final = 3
STREAM_NATIVE: Final = 4

UNUSED_TIMESTAMP: Final = 1 << 61
"""Both timestamps of a packet that was prepared ahead and not used yet."""

NO_GIL: Final = 0xFFFF
LONG: Final = 0xFFFFFFFF

PACKET_HEADER: Final = np.dtype(
    [
        ("magic", "<u4"),
        ("stream_class", "<u4"),
        ("timestamp_begin", "<u8"),
        ("timestamp_end", "<u8"),
        ("content_size", "<u8"),  # bits
        ("packet_size", "<u8"),  # bits
        ("events_discarded", "<u8"),
        ("tid", "<u4"),
        ("pid", "<u4"),
        ("given_up", "<u8"),
        ("reserved", "<u8", (8,)),
    ]
)
EVENT_RECORD: Final = np.dtype([("timestamp", "<u8"), ("id", "<u2"), ("gil", "<u2"), ("arg", "<u4")])
SCHED_RECORD: Final = np.dtype([("timestamp", "<u8"), ("id", "<u2"), ("cpu", "<u2"), ("tid", "<u4")])
SAMPLE_RECORD: Final = np.dtype(
    [
        ("timestamp", "<u8"),
        ("id", "<u2"),
        ("gil", "<u2"),
        ("frame", "<u4"),
        ("tid", "<u4"),
        ("waiters", "<u4"),
    ]
)
NATIVE_RECORD: Final = np.dtype(
    [("timestamp", "<u8"), ("id", "<u2"), ("cpu", "<u2"), ("tid", "<u4"), ("address", "<u8")]
)
NAME_RECORD: Final = np.dtype([("timestamp", "<u8"), ("id", "<u2"), ("reserved", "<u2"), ("ref", "<u4")])


class Event(IntEnum):
    """Events of a gil stream. The names are those in the trace; `arg` is said where it means something."""

    GIL_WAIT = 1  # asked and found it held; stamp of the ask
    GIL_TIMEOUT = 2  # one switch interval passed without the GIL; arg: ns that it took (LONG: or longer)
    GIL_ACQUIRED = 3  # holds it now; no GIL_WAIT before it: it was free; arg: frame, after a wait
    GIL_RELEASED = 4  # arg: frame, if somebody waited for it; 0: not recorded
    GIL_DROP_REQUESTED = 5  # after its release this thread found a drop request pending
    GIL_ABANDONED = 6  # gave up waiting: the thread exits
    LOCK_WAIT = 8  # sleeps until it has a lock of Python's; stamp before; arg: lock, or 0
    LOCK_ACQUIRED = 9  # a LOCK_WAIT ended: it has it, or was woken and tries again; arg: lock
    LOCK_TIMEOUT = 10  # a LOCK_WAIT ended without; arg: lock
    LOCK_INTERRUPTED = 11  # the same, by a signal or because the thread was cancelled; arg: lock
    LOCK_WAKE = 12  # lets somebody go who waits; stamp before; arg: lock
    LOCK_FRAME = 13  # after a LOCK_WAIT or a LOCK_WAKE: where it is; arg: frame
    LOCK_SPIN = (
        14  # tried for a lock again and again from here on; arg: ns; then it had it, or a LOCK_WAIT follows
    )
    LOCK_WAITER = 15  # after a LOCK_WAKE: whom alone it wakes; arg: tid
    THREAD_START = 16  # arg: tid; the first event of a thread in its stream
    THREAD_EXIT = 17  # arg: tid
    PROCESS_FORK = 18  # arg: the parent's pid; in the child's first stream
    RECORDING_START = 19  # arg: tid of the thread that started it; it holds its GIL
    RECORDING_STOP = 20  # arg: tid
    MARK = 21  # the program says that it is here; arg: its text's number, or 0
    SPAN_BEGIN = 22  # it begins what it calls so; arg: the text's number, or 0
    SPAN_END = 23  # that ends, in the same thread; arg: how many spans this thread has begun since
    GIL_ENABLED = 25  # this process ran without a GIL until now; arg: frame, or 0
    LOCK_CALLERS = (
        27  # after a LOCK_WAKE that lets the world go on, and what is said of it; arg: NATIVE_CALLERS
    )
    LOCK_HELD = (
        29  # after a LOCK_WAIT: what the thread has meanwhile; arg: lock; a LOCK_FRAME says since where
    )


SIDE: Final = (
    *range(Event.LOCK_WAIT, Event.LOCK_WAITER + 1),
    *range(Event.MARK, Event.SPAN_END + 1),
    Event.GIL_ENABLED,
    Event.LOCK_CALLERS,
    Event.LOCK_HELD,
)
"""Events of a gil stream that are not about a GIL, nor bookkeeping: see `reader.streams.side`."""


class Name(IntEnum):
    """Records of the names stream; `ref` is what the text names."""

    THREAD_NAME = 32  # ref: tid; Python's name; a later one replaces it
    THREAD_ALIVE = 33  # ref: tid; lived when recording began; text: its name in the OS
    THREAD_COMM = 34  # ref: tid; its name in the OS
    RECORDING_FAILED = 35  # ref: errno; recording ended early at this stamp; text: what failed
    TASK = 36  # ref: tid; of sched/: first seen, or exec'd or renamed; text: "<pid> <ppid> <comm>"
    TASK_EXIT = 37  # ref: tid; of sched/; no text
    CODE = 38  # ref: number of a code object; text: "<first line>\n<qualified name>\n<file>"
    CODE_LINES = 39  # ref: code; text: a piece of its co_linetable, in hexadecimal
    NATIVE_SYMBOL = 31  # ref: 1; of symbols: a function in a file: "<begin> <end> <function>\n<path>", hex
    TASK_MAP = 69  # ref: pid; of sched/: code in memory: "<start> <end> <offset in the file> <path>", hex
    TASK_EXEC = 64  # ref: tid; of sched/: it became another program, as the only thread of its process
    TASK_PYTHON = 65  # ref: pid; of sched/: it has an interpreter with a GIL in memory; text: the file's name
    TASK_INNER = 68  # ref: tid; of sched/: text: "<inode of its pid namespace, or 0> <its id there>"
    FRAME = 40  # ref: number of a frame; text: "<caller's frame or 0> <code> <instruction offset in bytes>"
    GIL_MODULE = 46  # ref: tid of who imported it; text: "<module>\n<file>", that switched the GIL on
    LOCK = 45  # ref: number of a lock; text: see `reader.locks`
    NATIVE_CALLERS = 44  # ref: number of some calls in the interpreter; text: see `reader.code.callers`
    MARK_TEXT = 60  # ref: number of a text; what the program calls a mark or a span
    THREAD_LOST = 66  # ref: tid, or 0; recorded no further; text: "<errno> <what could not be had>"
    GILS_MISSED = 67  # ref: takes of GILs that there was no room for, so far; no text
    RECORDING_ENDED = 70  # ref: tid of the recorder's own thread that ended it, at this stamp; no text
    LOCK_ENDED = 71  # ref: number of a lock; its memory is another's from now on; no text


class Sched(IntEnum):
    """Events of a sched stream. A CPU runs one thread at a time: in, out, in, out. Only a loss ends an
    in otherwise."""

    SCHED_IN = 48  # the thread begins to run on this CPU
    SCHED_OUT = 49  # it leaves the CPU, because it blocks or exits
    SCHED_PREEMPTED = 50  # it leaves the CPU and could go on
    SCHED_LOST = 51  # records were lost since this stream's previous event; tid: how many


class Sample(IntEnum):
    """Events of a samples stream."""

    SAMPLE = 7  # the thread tid held the GIL, in this frame, while so many threads waited


class Native(IntEnum):
    """Events of a native stream."""

    NATIVE_SAMPLE = 30  # the thread tid ran at this address, outside of the kernel
