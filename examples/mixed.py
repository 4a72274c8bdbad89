"""A thread pool whose tasks compute a little and wait for I/O a little longer: how many threads are enough?

python examples/mixed.py [THREADS] [SECONDS]
python -m tracer examples/mixed.py 16
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

THREADS = int(sys.argv[1]) if len(sys.argv) > 1 else 8
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 2.0
STEPS = 50_000  # about a millisecond of Python
WAIT = 0.008  # a disk, a database, another service


def tasks() -> int:
    done = 0
    while time.monotonic() < end:
        for _ in range(STEPS):
            pass
        time.sleep(WAIT)
        done += 1
    return done


with ThreadPoolExecutor(THREADS) as pool:
    begin = time.monotonic()
    end = begin + SECONDS
    done = sum(future.result() for future in [pool.submit(tasks) for _ in range(THREADS)])
    print(f"rate  {done / (time.monotonic() - begin):.1f} tasks/s")
