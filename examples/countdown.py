"""David Beazley's countdown, split over some threads: does it take less time? For any Python from 2.7 on.

    python examples/countdown.py [THREADS] [STEPS] [CPU,CPU...]
    python -m tracer examples/countdown.py 4

With CPUs, the first thread runs on the first, the second on the second, and so on.
"""

from __future__ import print_function

import ctypes
import sys
import time
from threading import Thread

THREADS = int(sys.argv[1]) if len(sys.argv) > 1 else 2
STEPS = int(sys.argv[2]) if len(sys.argv) > 2 else 10000000
CPUS = [int(cpu) for cpu in sys.argv[3].split(",")] if len(sys.argv) > 3 else []


def countdown(n):  # type: (int) -> None
    while n > 0:
        n -= 1


def work(number, n):  # type: (int, int) -> None
    if CPUS:  # 2.7 has no os.sched_setaffinity
        mask = ctypes.c_ulong(1 << CPUS[number % len(CPUS)])
        ctypes.CDLL(None).sched_setaffinity(0, ctypes.sizeof(mask), ctypes.byref(mask))
    countdown(n)


threads = [
    Thread(target=work, args=(n, STEPS // THREADS), name="countdown %d" % (n + 1)) for n in range(THREADS)
]
start = time.time()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("countdown  %.6f s" % (time.time() - start))
