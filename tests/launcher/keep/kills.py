"""Kill recordings that are kept small, at any moment, and look at what is left.

python -m tests.launcher.keep.kills --times 60
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import analysis
from analysis.tables.load import known_from
from tests.launcher.support import environment

BUSY = """
import os, threading
def work():
    while True:
        for _ in range(300):
            os.stat("/")
        short = threading.Thread(target=len, args=("",), name="short")
        short.start()
        short.join()
for number in range(3):
    threading.Thread(target=work, name=f"worker-{number}").start()
"""
PATIENCE = 100.0


def kill_once(place: Path, options: tuple[str, ...], *, launcher_too: bool, after: float) -> Path:
    """Record a busy program until its oldest part was given up, and so long on; kill it; return the trace."""
    (place / "busy.py").write_text(BUSY)
    trace = place / "busy.trace"
    command = [sys.executable, "-m", "tracer", "-q", "--no-png", "--no-sched", *options, "busy.py"]
    launcher = subprocess.Popen(command, cwd=place, env=environment(), stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + PATIENCE
        while not trace.exists() or known_from(trace) is None:
            assert launcher.poll() is None and time.monotonic() < end
            time.sleep(0.01)
        time.sleep(after)
        pid = next(int(entry.name) for entry in trace.iterdir() if entry.name.isdecimal())
        if launcher_too:
            launcher.kill()
        os.kill(pid, signal.SIGKILL)
    finally:
        launcher.wait(PATIENCE)
    while Path(f"/proc/{pid}/maps").exists() and Path(f"/proc/{pid}/maps").read_text():
        time.sleep(0.01)
    return trace


def check(trace: Path) -> None:
    """Raise if it is not a trace in itself, here and elsewhere."""
    loaded = analysis.load(trace)
    assert analysis.validate(loaded) == []
    assert {"worker-0", "worker-1", "worker-2"} <= {thread.name for thread in loaded.threads}
    if shutil.which("babeltrace2"):
        for process in trace.glob("[0-9]*"):
            done = subprocess.run(
                ["babeltrace2", str(process)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )
            assert done.returncode == 0 and not done.stderr, done.stderr


def main() -> None:
    """Do it many times."""
    parser = argparse.ArgumentParser(description="Kill recordings that are kept small.")
    parser.add_argument("--times", type=int, default=60)
    times = parser.parse_args().times
    for number in range(times):
        with tempfile.TemporaryDirectory() as name:
            options = ("--keep", "200ms") if number % 2 else ("--limit", "16MB")
            after = random.random()
            trace = kill_once(Path(name), options, launcher_too=number % 3 == 0, after=after)
            check(trace)
    print(f"{times} times killed, {times} traces")


if __name__ == "__main__":
    main()
