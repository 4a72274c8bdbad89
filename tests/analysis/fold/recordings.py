"""Random recordings of whatever an interpreter can do, with code, samples and locks; by a seed."""

from __future__ import annotations

import random
from pathlib import Path

from tests.analysis.schedules import Schedule
from tests.synthetic import ProcessWriter, TraceWriter

_FRAMES = 6
_PAUSES = (0, 1, 7, 300, 1000, 5_000_000)

Row = tuple[int | str, ...]


def record(path: Path, seed: int, scheduled: bool = False) -> Path:
    """Write a recording of up to three processes, some of which begin in the middle of what threads do.

    `scheduled`: with what the scheduler did, some of which was lost.
    """
    rnd = random.Random(seed)
    seen: list[tuple[int, int, int]] = []
    with TraceWriter(path) as writer:
        for number in range(rnd.choice([1, 1, 1, 2, 3])):
            version = rnd.choice(["2.7.18", "3.11.4", "3.12.1", "3.13.0", "3.14.2"])
            interval = rnd.choice([0, 100, 5_000_000])
            pid = 100 * (number + 1)
            process = writer.process(pid, python_version=version, switch_interval_ns=interval)
            events = _fill(process, rnd, pid)
            if scheduled and rnd.random() < 0.9:
                seen += [(pid, int(row[0]), int(row[1])) for row in events]
        if scheduled:
            _schedule(writer, rnd, seen or [(100, 100, 1000)])
    return path


def _fill(process: ProcessWriter, rnd: random.Random, pid: int) -> list[Row]:
    schedule = Schedule(rnd.randint(1, 6), rnd.choice([1, 1, 2]))
    pauses = rnd.choice([_PAUSES, _PAUSES[1:], (7, 300, 1000)])
    for _ in range(rnd.randint(2, 200)):
        schedule.step(rnd.randrange(schedule.threads), rnd.randrange(14), rnd.choice(pauses))
    while not schedule.events:
        schedule.step(0, 0, 1)
    rows = [(pid + int(tid) - 100, *rest) for tid, *rest in schedule.events]
    seen = {row[0] for row in rows}
    cut = rnd.randrange(len(rows) // 2 + 1) if rnd.random() < 0.5 else 0
    alive = sorted({int(tid) for tid, *_ in rows[:cut]} & {int(tid) for tid, *_ in rows[cut:]})
    events = _begun(_with_code(rows, rnd)[cut:])
    begin = int(events[0][1])
    for number in range(1, _FRAMES):
        process.code(number, begin, f"function_{number % 3}", line=10 * number)
        process.frame(number, begin, number, 2 * (number % 2))
    process.events(_with_locks(events, rnd))
    for tid in alive:
        process.name(tid, begin, f"alive {tid}", "thread_alive")
    for tid in sorted(int(tid) for tid in seen & {row[0] for row in events}):
        process.name(tid, begin, f"thread number {tid}")
    if rnd.random() < 0.7:
        process.lock(1, begin).lock(2, begin, "state", 0x2000)
    if rnd.random() < 0.6:
        process.samples(_samples(events, rnd))
    gone = {int(tid) for tid, _, event, *_ in events if event == "thread_exit"}
    stopper = int(events[0][0])
    if stopper not in gone and rnd.random() < 0.7:
        process.stop(stopper, schedule.now + rnd.randrange(50))
    return events


def _begun(rows: list[Row]) -> list[Row]:
    """Leave out what can't be the first event of a thread."""
    seen: set[int | str] = set()
    kept = []
    for row in rows:
        if row[2] != "gil_drop_requested" or row[0] in seen:
            seen.add(row[0])
            kept.append(row)
    return kept


def _with_code(rows: list[Row], rnd: random.Random) -> list[Row]:
    """Say in which frames threads take and release it, and how long timed waits were."""
    said: list[Row] = []
    for tid, time, event, gil in rows:
        arg = 0
        if event in ("gil_acquired", "gil_released"):
            arg = rnd.randrange(_FRAMES + 1)
        elif event == "gil_timeout":
            arg = rnd.choice([0, 1, 90, 110, 1000])
        elif event == "thread_exit":
            arg = int(tid)
        said.append((tid, time, event, gil, arg))
    return said


def _with_locks(rows: list[Row], rnd: random.Random) -> list[Row]:
    """Let threads wait for locks, mostly while they are without the GIL."""
    following: dict[int, int] = {}
    gaps: list[int] = []
    for row in reversed(rows):
        gaps.append(following.get(int(row[0]), int(row[1])))
        following[int(row[0])] = int(row[1])
    result: list[Row] = []
    for row, until in zip(rows, reversed(gaps), strict=True):
        result.append(row)
        tid, time, event = int(row[0]), int(row[1]), row[2]
        if event == "gil_acquired" and rnd.random() < 0.1:
            result.append((tid, time, "mark", 0, 0))
        if event == "gil_acquired" and rnd.random() < 0.3:
            result += _wake(tid, time, sorted({int(each[0]) for each in rows}), rnd)
        if event in ("gil_released", "gil_abandoned") and rnd.random() < 0.2 and until > time:
            since = rnd.randint(time, until)
            end = rnd.choice(["lock_acquired", "lock_timeout", "lock_interrupted"])
            lock = rnd.randint(0, 3)
            if event == "gil_released" and _asked(rows, row):
                continue
            result.append((tid, since, "lock_wait", 0, lock))
            if rnd.random() < 0.5:
                result.append((tid, since, "lock_frame", 0, rnd.randrange(_FRAMES)))
            if rnd.random() < 0.3:
                result.append((tid, since, "lock_held", 0, lock))
            if rnd.random() < 0.9:
                result.append((tid, rnd.choice([until, rnd.randint(since, until)]), end, 0, lock))
    return result


def _wake(tid: int, time: int, tids: list[int], rnd: random.Random) -> list[Row]:
    """Let go of a lock: of whoever waits for it, or of one that is named, where the code is known or not."""
    woken: list[Row] = [(tid, time, "lock_wake", 0, rnd.randint(1, 3))]
    if rnd.random() < 0.3:
        woken.append((tid, time, "lock_waiter", 0, rnd.choice(tids)))
    if rnd.random() < 0.7:
        woken.append((tid, time, "lock_frame", 0, rnd.randrange(1, _FRAMES)))
    return woken


def _asked(rows: list[Row], release: Row) -> bool:
    return any(row[:2] == release[:2] and row[2] == "gil_drop_requested" for row in rows)


def _samples(rows: list[Row], rnd: random.Random) -> list[tuple[int, int, int]]:
    """Sample whoever holds it, and now and then somebody else."""
    found: list[tuple[int, int, int]] = []
    times = sorted(int(row[1]) for row in rows)
    holder = 0
    for tid, time, event, *_ in rows:
        if event == "gil_acquired":
            holder = int(tid)
        if holder and rnd.random() < 0.6 and len(found) < 1200:
            who = holder if rnd.random() < 0.9 else int(tid)
            for _ in range(rnd.choice([1, 1, 3])):
                later = next((each for each in times if each > int(time)), int(time))
                found.append((who, rnd.randint(int(time), later), rnd.randrange(_FRAMES + 1)))
    return sorted(found, key=lambda sample: sample[1])[:1300]


def _schedule(writer: TraceWriter, rnd: random.Random, seen: list[tuple[int, int, int]]) -> None:
    """Let the scheduler move (pid, tid, time) between CPUs, often just when something happens to its GIL."""
    first, last = min(time for *_, time in seen), max(time for *_, time in seen)
    sched = writer.scheduler(begin=max(first - rnd.choice([0, 500]), 0))
    cpus: dict[int, list[tuple[int, str, int]]] = {cpu: [] for cpu in range(rnd.choice([1, 2, 4]))}
    samples: list[tuple[int, int, int]] = []
    for pid, tid in sorted({(pid, tid) for pid, tid, _ in seen}):
        if rnd.random() < 0.1:
            continue
        own = sorted(time for *who, time in seen if who == [pid, tid])
        begin, end = own[0] - rnd.choice([0, 0, 300]), own[-1] + rnd.choice([0, 0, 300])
        begin = max(begin, sched.begin)
        sched.task(tid, begin, pid, f"task {tid}")
        exits = rnd.random() < 0.5
        times = {*rnd.sample(own, len(own) // 3), *(rnd.randint(begin, end) for _ in range(len(own)))}
        cpu, on = 0, rnd.random() < 0.5
        for time in sorted(time for time in times if time > begin and (time < end or not exits)):
            if rnd.random() < 0.03:
                continue  # as if it had not been seen
            if on:
                cpus[cpu].append((time, rnd.choice(["out", "preempted"]), tid))
            else:
                cpu = rnd.choice(list(cpus))
                cpus[cpu].append((time, "in", tid))
            on = not on
            samples.append((rnd.randint(begin, end), tid, 0x1000 * rnd.randint(0, 3)))
        if exits:
            sched.exit(tid, end)
    for cpu, rows in cpus.items():
        if rnd.random() < 0.3:
            rows += [(rnd.randint(first, last), "lost", 3) for _ in range(2)]
        sched.events(cpu, sorted(rows))
    for pid in {pid for pid, *_ in seen}:
        sched.mapped(pid, first, 0x1000, 0x3000, f"/usr/lib/lib{pid}.so")
    if samples and rnd.random() < 0.5:
        sched.native(0, sorted(samples)[:1000])
    if rnd.random() < 0.7:
        sched.stop(last + 1000)
