"""What `top` costs beside a program that makes many events: its share of a CPU, and how many there were.

    python -m benchmarks.top [--short]

Two threads call os.stat as fast as they can, some 10^6 events a second on a machine that has room for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import analysis

PROGRAM: Final = """
import os, sys, threading, time
def work():
    while time.monotonic() < end:
        for _ in range(1000): os.stat("/")
end = time.monotonic() + float(sys.argv[1])
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
_BEFORE: Final = 5
"""Lines until what it costs is measured: it has found its pace."""


def cpu(pid: int) -> float:
    """Return the seconds that a process had a CPU."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    lines = 5 if "--short" in sys.argv[1:] else 20
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "program.py").write_text(PROGRAM)
        command = [sys.executable, "-m", "tracer"]
        length = str(_BEFORE + lines + 15)
        root = str(Path(__file__).resolve().parents[1])
        environment = {**os.environ, "PYTHONPATH": root}
        recorded = [*command, "-q", "--no-png", "--no-sched", "program.py", length]
        with subprocess.Popen(recorded, cwd=directory, env=environment) as target:
            trace = Path(directory, "program.trace")
            while not any(trace.glob("*/gil_0")):
                time.sleep(0.1)
            shown = [*command, "top", str(trace)]
            with subprocess.Popen(shown, cwd=directory, env=environment, stdout=subprocess.PIPE) as top:
                assert top.stdout is not None
                for _ in range(_BEFORE):
                    top.stdout.readline()
                used, began = cpu(top.pid), time.monotonic()
                for _ in range(lines):
                    last = top.stdout.readline()
                used, passed = cpu(top.pid) - used, time.monotonic() - began
                top.kill()
            target.wait()
        whole = analysis.load(trace)
        rate = len(whole.events) / ((whole.end - whole.begin) / 1e9)
        print(f"top: {used / passed:.1%} of a CPU beside {rate:,.0f} events/s; {last.decode().strip()}")


if __name__ == "__main__":
    main()
