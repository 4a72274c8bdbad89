"""What a lock that nobody waits for costs more when locks are recorded: instructions, by callgrind.

python -m benchmarks.lock_instructions [--python PYTHON] [--short]

A count of instructions is the same on every machine and under every load. Each program runs twice, with more
and with fewer turns of its loop; what a turn costs is the difference. It is recorded with and without
--no-locks.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_TURNS = 2_000, 22_000

_PROGRAMS = {
    "threading.Lock, acquire and release": ("threading.Lock()", "with it: pass"),
    "threading.RLock, acquire and release": ("threading.RLock()", "with it: pass"),
    "queue.Queue, put and get": ("queue.Queue()", "it.put(1); it.get()"),
    "queue.SimpleQueue, put and get": ("queue.SimpleQueue()", "it.put(1); it.get()"),
}
_PROGRAM = """
import queue, sys, threading
it = {}
def turn():
    {}
for _ in range(int(sys.argv[1])): turn()
"""

_CHILD = """
import subprocess, sys
sys.exit(subprocess.run(sys.argv[1:], stderr=subprocess.DEVNULL).returncode)
"""
"""Recorded itself, so what it starts is, though valgrind stands
between."""


def instructions_a_turn(
    place: Path, python: str, program_of: tuple[str, str], of: tuple[int, int], *options: str
) -> float:
    """Return how many instructions a turn of the program takes, recorded with these options."""
    counts = []
    for turns in of:
        program, child, profile = place / "program.py", place / "child.py", place / "profile"
        program.write_text(_PROGRAM.format(*program_of))
        child.write_text(_CHILD)
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}"]
        recorder = [sys.executable, "-m", "tracer", "-q", "--no-png", "--no-sched", "--no-samples", "--force"]
        command = [*recorder, *options, "-o", str(place / "t"), "--python", python, str(child)]
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        subprocess.run([*command, *valgrind, python, str(program), str(turns)], env=environment, check=True)
        found = re.search(r"^(?:summary|totals): (\d+)", profile.read_text(), re.MULTILINE)
        assert found is not None, "callgrind has no total"
        counts.append(int(found[1]))
    return (counts[1] - counts[0]) / (of[1] - of[0])


def main() -> None:
    """Print instructions a turn: without locks, with them, and how many more."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="the interpreter that is recorded")
    parser.add_argument("--short", action="store_true", help="one program, and few turns")
    wanted = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("valgrind counts the instructions, and is not installed")
        return
    programs = dict(list(_PROGRAMS.items())[:1]) if wanted.short else _PROGRAMS
    turns = (100, 600) if wanted.short else _TURNS
    with tempfile.TemporaryDirectory() as place:
        for name, parts in programs.items():
            without = instructions_a_turn(Path(place), wanted.python, parts, turns, "--no-locks")
            recorded = instructions_a_turn(Path(place), wanted.python, parts, turns)
            print(f"{name:40} {without:9.1f} {recorded:9.1f} {recorded - without:+7.1f}", flush=True)


if __name__ == "__main__":
    main()
