"""David Beazley's measure2.py: a countdown, then the same countdown split over two threads.

Two threads, two cores: twice as fast? Both need the GIL for every step, so one of them always waits.

    python examples/threads.py              the times
    python -m tracer examples/threads.py    what happened
"""

import time
from threading import Thread

COUNT = 10_000_000


def countdown(n: int) -> None:
    while n > 0:
        n -= 1


start = time.perf_counter()
countdown(COUNT)
print(f"sequential   {time.perf_counter() - start:.2f} s")

first = Thread(target=countdown, args=(COUNT // 2,), name="first half")
second = Thread(target=countdown, args=(COUNT // 2,), name="second half")
start = time.perf_counter()
first.start()
second.start()
first.join()
second.join()
print(f"two threads  {time.perf_counter() - start:.2f} s")
