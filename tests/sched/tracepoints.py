"""Print what the kernel's own tracepoint says of context switches: as root, in a mount namespace of its own.

    unshare -m python tests/sched/tracepoints.py

Says "ready" when it records, and when its input ends, a line for each switch: time in ns (to the
microsecond), CPU, tid that leaves, tid that comes. Uses an instance of its own, so nobody else's tracing
is touched.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path("/sys/kernel/tracing")
_SWITCH = re.compile(r"\[(\d+)\] \S+ +(\d+)\.(\d{6}): sched_switch: .*prev_pid=(\d+) .*==> .*next_pid=(\d+) ")


def main() -> None:
    """Record until the input ends."""
    if not (ROOT / "instances").is_dir():
        subprocess.run(["mount", "-t", "tracefs", "nodev", str(ROOT)], check=True)
    instance = ROOT / "instances" / f"gilscope-{os.getpid()}"
    instance.mkdir()
    try:
        (instance / "trace_clock").write_text("mono")
        (instance / "buffer_size_kb").write_text("8192")
        (instance / "events/sched/sched_switch/enable").write_text("1")
        print("ready", flush=True)
        sys.stdin.read()
        (instance / "tracing_on").write_text("0")
        for line in (instance / "trace").read_text().splitlines():
            found = _SWITCH.search(line)
            if found:
                cpu, seconds, micro, left, came = map(int, found.groups())
                print((seconds * 1_000_000 + micro) * 1000, cpu, left, came)
    finally:
        (instance / "events/sched/sched_switch/enable").write_text("0")
        instance.rmdir()


if __name__ == "__main__":
    main()
