"""What draining the scheduler's records costs the launcher: CPU time an event, and against the program's own.

    python -m benchmarks.sched

Prints rows for benchmarks/RESULTS.md. The program pays for the kernel's writing, see benchmarks.overhead.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from pathlib import Path

from benchmarks.overhead import COUNTDOWN, FAST_SWITCHES, STAT
from tracer import _recorder

PING_PONG = """
import os
there, back = os.pipe(), os.pipe()
child = os.fork()
for _ in range(200_000):
    if child:
        os.write(there[1], b"x"); os.read(back[0], 1)
    else:
        os.read(there[0], 1); os.write(back[1], b"x")
"""
SLEEPERS = """
import threading, time
def nap():
    for _ in range(50): time.sleep(0.001)
threads = [threading.Thread(target=nap) for _ in range(500)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
PROGRAMS = {
    "countdown, two threads": COUNTDOWN,
    "300,000 × os.stat": STAT,
    "two threads at a switch interval of 10 µs": FAST_SWITCHES,
    "500 threads that sleep": SLEEPERS,
    "two processes, a byte to and fro": PING_PONG,
}


def row(name: str, source: str, directory: Path) -> str:
    """Record a program's scheduling only."""
    trace = directory / name.replace(" ", "_").replace("/", "_")
    trace.mkdir()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    missing = _recorder.sched_start(trace, "", _recorder.SCHED_PROGRAM)
    if missing:
        raise SystemExit(f"no scheduler events: {missing}")
    output = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", source], os.environ, file_actions=output)
    os.waitpid(pid, 0)
    found = _recorder.sched_stop()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = sum(getattr(after, key) - getattr(before, key) for key in ("ru_utime", "ru_stime"))
    events, cpu = found["events"], found["cpu_ns"]
    return (
        f"| {name} | {events} | {found['lost']} | {cpu / 1e6:.2f} ms | {cpu / max(events, 1):.0f} ns"
        f" | {cpu / own / 1e7:.2f} % |"
    )


def main() -> None:
    """Print a row for each program."""
    print("| program | events | lost | CPU time of draining | an event | of the program's CPU time |")
    print("|---|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="gilscope-") as directory:
        for name, source in PROGRAMS.items():
            print(row(name, source, Path(directory)), flush=True)


if __name__ == "__main__":
    main()
