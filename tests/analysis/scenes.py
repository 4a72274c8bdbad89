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
