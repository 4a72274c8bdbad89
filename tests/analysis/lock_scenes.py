"""Traces about locks that these tests know by heart."""

from __future__ import annotations

from pathlib import Path

from tests.synthetic import ProcessWriter, TraceWriter

MAIN, A, B = 100, 101, 102


def process_with_locks(writer: TraceWriter) -> ProcessWriter:
    """A process with three threads, code at both ends, and a lock of each sort."""
    process = writer.process(pid=100)
    process.name(MAIN, 900, "MainThread").name(A, 900, "a").name(B, 900, "b")
    process.code(1, 900, "take", line=10).code(2, 900, "give", line=30)
    process.frame(1, 900, 1, 2).frame(2, 900, 2, 4)
    process.lock(1, 900, "object", 0x7F00, "_thread.lock", "Cache 7e00 Cache.put")
    process.lock(2, 900, "condition", 0x6F00, "Condition", "Queue 6e00 Queue.get")
    process.lock(3, 900, "state", 0x100, "")
    process.events(
        [(MAIN, 1_000, "recording_start"), (MAIN, 1_000, "gil_acquired"), (MAIN, 1_010, "gil_released")]
    )
    return process


def queue(path: Path) -> Path:
    """Two threads wait for one lock, that goes from main to a, and from a to b.

    main  has it until 2000                       lets a go, at line 32
    a     waits 1200 – 2020, lets b go at 2500, from line 32
    b     waits 1500 – 2540; then for a notify, 2600 – 2900, of main at 2890; then in vain, 2900 – 3000
    """
    with TraceWriter(path) as writer:
        process = process_with_locks(writer)
        process.events(
            [
                (MAIN, 2_000, "lock_wake", 0, 1),
                (MAIN, 2_000, "lock_waiter", 0, A),
                (MAIN, 2_000, "lock_frame", 0, 2),
                (MAIN, 2_890, "lock_wake", 0, 2),
                (A, 1_100, "thread_start"),
                (A, 1_200, "lock_wait", 0, 1),
                (A, 1_200, "lock_frame", 0, 1),
                (A, 2_020, "lock_acquired", 0, 1),
                (A, 2_500, "lock_wake", 0, 1),
                (A, 2_500, "lock_waiter", 0, B),
                (A, 2_500, "lock_frame", 0, 2),
                (B, 1_100, "thread_start"),
                (B, 1_500, "lock_wait", 0, 1),
                (B, 1_500, "lock_frame", 0, 1),
                (B, 2_540, "lock_acquired", 0, 1),
                (B, 2_600, "lock_wait", 0, 2),
                (B, 2_900, "lock_acquired", 0, 2),
                (B, 2_900, "lock_wait", 0, 1),
                (B, 3_000, "lock_timeout", 0, 1),
            ]
        )
        process.stop(MAIN, 4_000)
    return path


def line_up(
    path: Path, rounds: int, hold: int, gap: int = 0, *, of_gil: float = 0.0, kind: str = "object"
) -> Path:
    """Threads a and b take turns at lock 4, and have it for `hold` ns while the other one waits; then `gap`.

    of_gil: for that share of each hold the holder waits for the GIL, which main has.
    """
    with TraceWriter(path) as writer:
        process = process_with_locks(writer)
        process.lock(4, 900, kind, 0x8F00, "_thread.lock")
        events: list[tuple[int | str, ...]] = [(MAIN, 1_020, "gil_acquired")]
        now = 2_000
        for turn in range(rounds):
            waiter, holder = (A, B) if turn % 2 else (B, A)
            ready = now + int(of_gil * hold)
            if of_gil:
                events += [(holder, now + 1, "gil_wait"), (MAIN, ready, "gil_released")]
                events += [(holder, ready, "gil_acquired"), (holder, ready + 1, "gil_released")]
                events += [(MAIN, ready + 2, "gil_acquired")]
            events += [
                (waiter, now, "lock_wait", 0, 4),
                (waiter, now, "lock_frame", 0, 1),
                (holder, now + hold, "lock_wake", 0, 4),
                (holder, now + hold, "lock_frame", 0, 2),
                (waiter, now + hold, "lock_acquired", 0, 4),
            ]
            now += hold + gap
        process.events(events)
        process.stop(MAIN, now)
    return path


def pauses(path: Path, number: int, length: int, gap: int) -> Path:
    """Main stops the world so often, each time for so long; a and b stand."""
    with TraceWriter(path) as writer:
        process = process_with_locks(writer)
        process.lock(4, 900, "state", 0x200, "")
        events: list[tuple[int | str, ...]] = []
        now = 2_000
        for _ in range(number):
            for tid, lock in ((A, 3), (B, 4)):
                events += [
                    (tid, now, "lock_wait", 0, lock),
                    (MAIN, now + length, "lock_wake", 0, lock),
                    (MAIN, now + length, "lock_frame", 0, 2),
                    (tid, now + length, "lock_acquired", 0, lock),
                ]
            now += length + gap
        process.events(events)
        process.stop(MAIN, now)
    return path
