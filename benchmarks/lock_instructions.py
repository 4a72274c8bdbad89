"""What a lock that nobody waits for costs more when locks are recorded: instructions, by callgrind.

python -m benchmarks.lock_instructions [--python PYTHON]

A count of instructions is the same on every machine and under every load. Each program runs twice, with more and
with fewer turns of its loop; what a turn costs is the difference. It is recorded with and without --no-locks.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

_TURNS = 2_000, 22_000

_PROGRAMS = {
    "threading.Lock, acquire and release": "lock = threading.Lock()\ndef turn():\n    with lock: pass",
    "threading.RLock, acquire and release": "lock = threading.RLock()\ndef turn():\n    with lock: pass",
    "queue.Queue, put and get": "items = queue.Queue()\ndef turn():\n    items.put(1); items.get()",
    "queue.SimpleQueue, put and get": "items = queue.SimpleQueue()\ndef turn():\n    items.put(1); items.get()",
}
_PROGRAM = "import queue, sys, threading\n{}\nfor _ in range(int(sys.argv[1])): turn()\n"

_CHILD = "import subprocess, sys\nsys.exit(subprocess.run(sys.argv[1:], stderr=subprocess.DEVNULL).returncode)\n"
"""Recorded itself, so what it starts is, though valgrind stands between."""


def instructions_a_turn(place: Path, python: str, source: str, *options: str) -> float:
    """Return how many instructions a turn of the program takes, recorded with these options."""
    counts = []
    for turns in _TURNS:
        program, child, profile = place / "program.py", place / "child.py", place / "profile"
        program.write_text(_PROGRAM.format(source))
        child.write_text(_CHILD)
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}"]
        recorder = [sys.executable, "-m", "tracer", "-q", "--no-png", "--no-sched", "--no-samples", "--force"]
        command = [*recorder, *options, "-o", str(place / "t"), "--python", python, str(child)]
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        subprocess.run([*command, *valgrind, python, str(program), str(turns)], env=environment, check=True)
        found = re.search(r"^(?:summary|totals): (\d+)", profile.read_text(), re.MULTILINE)
        assert found is not None, "callgrind has no total"
        counts.append(int(found[1]))
    return (counts[1] - counts[0]) / (_TURNS[1] - _TURNS[0])


def main() -> None:
    """Print instructions a turn: without locks, with them, and how many more."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="the interpreter that is recorded")
    python = parser.parse_args().python
    with tempfile.TemporaryDirectory() as place:
        for name, source in _PROGRAMS.items():
            without = instructions_a_turn(Path(place), python, source, "--no-locks")
            recorded = instructions_a_turn(Path(place), python, source)
            print(f"{name:40} {without:9.1f} {recorded:9.1f} {recorded - without:+7.1f}", flush=True)


if __name__ == "__main__":
    main()
