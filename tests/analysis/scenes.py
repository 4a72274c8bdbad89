"""The traces that these tests know by heart."""

from __future__ import annotations

from pathlib import Path

from tests.synthetic import TraceWriter


def two_threads(path: Path) -> Path:
    """Two threads of process 100: main is asked for the GIL, hands it on, waits, and gets it back.

    time  100       101        what
    1000  HOLDING              recording starts
    2000            WAITING    101 starts, asks
    2500              timeout
    3000  RELEASED             requested
    3100            HOLDING
    3500  WAITING              asks
    4000            RELEASED   voluntary
    4050  HOLDING
    4500            exit
    5000                       stop
    """
    with TraceWriter(path) as trace:
        process = trace.process(100, argv=["threads.py", "2"])
        process.events(
            [
                (100, 1000, "recording_start"),
                (100, 1000, "gil_acquired"),
                (101, 2000, "gil_wait"),
                (101, 2500, "gil_timeout"),
                (100, 3000, "gil_released"),
                (100, 3000, "gil_drop_requested"),
                (101, 3100, "gil_acquired"),
                (100, 3500, "gil_wait"),
                (101, 4000, "gil_released"),
                (100, 4050, "gil_acquired"),
                (101, 4500, "thread_exit"),
            ]
        )
        process.name(100, 1000, "MainThread").name(101, 2100, "worker")
        process.stop(100, 5000)
    return path


def one_thread(path: Path, holds: int = 3) -> Path:
    """One thread that holds for 100 ns and runs without the GIL for 50 ns, again and again; nobody waits."""
    with TraceWriter(path) as trace:
        process = trace.process(100)
        process.events([(100, 0, "recording_start")])
        for turn in range(holds):
            process.events([(100, 150 * turn, "gil_acquired"), (100, 150 * turn + 100, "gil_released")])
        process.stop(100, 150 * holds)
    return path


def scheduled(path: Path) -> Path:
    """The two threads again, with their CPUs; and 200, a C program that 100 started.

    cpu 0: 100 from 500, preempted at 1500, 1800 to 3200; 101 3600, preempted at 3900; 100 from 4020
    cpu 1: 200 1200 to 1700; 101 1900 to 2050; 200 2100 to its exit at 2400; 101 2500 to 2510, 3050, preempted
           at 3300; 100 3400 to 3550, 3700 to 3750; 101 3950 to its exit at 4510
    """
    two_threads(path)
    with TraceWriter(path) as trace:
        sched = trace.scheduler(500, hostname="synthetic")
        sched.events(
            0,
            [
                (500, "in", 100),
                (1500, "preempted", 100),
                (1800, "in", 100),
                (3200, "out", 100),
                (3600, "in", 101),
                (3900, "preempted", 101),
                (4020, "in", 100),
            ],
        )
        sched.events(
            1,
            [
                (1200, "in", 200),
                (1700, "out", 200),
                (1900, "in", 101),
                (2050, "out", 101),
                (2100, "in", 200),
                (2500, "in", 101),
                (2510, "out", 101),
                (3050, "in", 101),
                (3300, "preempted", 101),
                (3400, "in", 100),
                (3550, "out", 100),
                (3700, "in", 100),
                (3750, "out", 100),
                (3950, "in", 101),
            ],
        )
        sched.task(100, 500, 100, "python").task(101, 1800, 100, "python")
        sched.task(200, 1200, 200, "sh", ppid=100).task(200, 1250, 200, "cprog", ppid=100)
        sched.exit(200, 2400).exit(101, 4510)
        sched.stop(5200)
    return path


_BEGIN = [(100, 0, "recording_start"), (100, 0, "gil_acquired"), (100, 900, "gil_released")]
_OF_THE_WORKER = [
    (101, 1_000, "gil_acquired"),
    (101, 1_100, "span_begin", 0, 1),
    (101, 1_200, "gil_released"),
    (101, 2_000, "gil_wait"),
    (101, 5_100, "gil_acquired"),
    (101, 5_300, "span_end", 0, 0),
    (101, 5_350, "span_begin", 0, 2),
    (101, 5_400, "gil_released"),
    (101, 5_500, "lock_wait", 0, 1),
    (101, 6_500, "lock_acquired", 0, 1),
    (101, 6_600, "span_end", 0, 0),
    (101, 6_700, "mark", 0, 2),
    (101, 6_800, "span_begin", 0, 1),
]
_OF_THE_HOLDER = [
    (100, 1_200, "gil_acquired"),
    (100, 5_000, "gil_released", 0, 1),
    (100, 6_400, "lock_wake", 0, 1),
    (100, 6_400, "lock_waiter", 0, 101),
    (100, 6_400, "lock_frame", 0, 2),
]


def with_spans(path: Path) -> Path:
    """Write a worker whose request waits 3 µs for the main thread's GIL, and then 1 µs for its lock."""
    with TraceWriter(path) as writer:
        process = writer.process().text(1, 1, "GET /").text(2, 2, "\x1b[1mstore")
        process.events(_BEGIN).events(_OF_THE_HOLDER).events(_OF_THE_WORKER)
        process.name(101, 1_000, "worker").lock(1, 5_500, "object", 0x10, "_thread.lock")
        process.code(1, 1, "crunch").frame(1, 1, 1, 4).frame(2, 1, 1, 6)
        process.stop(100, 7_000)
    return path
