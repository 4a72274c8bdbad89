"""Priority inversion: who has the GIL loses its core to a stranger, and all who want the GIL wait with it.

    python examples/inversion.py [STRANGERS] [SECONDS]
    python -m tracer examples/inversion.py 2

One thread computes, on the first CPU; another, on the last, takes the GIL for a moment every millisecond. The
strangers are processes on the first CPU that know nothing of any of this.
"""

import os
import subprocess
import sys
import time
from threading import Thread

STRANGERS = int(sys.argv[1]) if len(sys.argv) > 1 else 2
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 2.0
CPUS = sorted(os.sched_getaffinity(0))

waited: list[float] = []


def compute() -> None:
    os.sched_setaffinity(0, CPUS[:1])  # 0: this thread only
    while time.monotonic() < end:
        for _ in range(1000):
            pass


def wake() -> None:
    os.sched_setaffinity(0, CPUS[-1:])
    while time.monotonic() < end:
        due = time.monotonic() + 0.001
        time.sleep(0.001)
        waited.append(time.monotonic() - due)


begin = time.monotonic() + 0.2
end = begin + SECONDS
STRANGER = f"""
import os, time
os.sched_setaffinity(0, {CPUS[:1]})
while time.monotonic() < {end}:
    pass
"""
strangers = [subprocess.Popen([sys.executable, "-c", STRANGER]) for _ in range(STRANGERS)]
time.sleep(max(0.0, begin - time.monotonic()))
threads = [Thread(target=compute, name="computes"), Thread(target=wake, name="every 1 ms")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for stranger in strangers:
    stranger.wait()
waited.sort()
print(f"median  {1e3 * waited[len(waited) // 2]:.6f} ms late")
print(f"p99     {1e3 * waited[len(waited) * 99 // 100]:.6f} ms late")
