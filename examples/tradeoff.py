"""What a switch interval buys and costs: two threads compute, a third wakes up every 2 ms. How late is it?

python examples/tradeoff.py [SWITCH_INTERVAL] [SECONDS]
python -m tracer examples/tradeoff.py 0.0001
"""

import sys
import time
from threading import Barrier, Thread

INTERVAL = float(sys.argv[1]) if len(sys.argv) > 1 else 0.005
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 2.0
PERIOD = 0.002

steps = [0, 0]
late: list[float] = []
all_there = Barrier(3)


def begin() -> float:
    all_there.wait()
    return time.monotonic() + SECONDS


def compute(n: int) -> None:
    end = begin()
    while time.monotonic() < end:
        for _ in range(1000):
            pass
        steps[n] += 1000


def wake() -> None:
    end = begin()
    while time.monotonic() < end:
        due = time.monotonic() + PERIOD
        time.sleep(PERIOD)
        late.append(time.monotonic() - due)


sys.setswitchinterval(INTERVAL)
threads = [Thread(target=compute, args=(n,), name=f"CPU {n + 1}") for n in (0, 1)]
threads.append(Thread(target=wake, name="every 2 ms"))
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
late.sort()
print(f"steps   {sum(steps) / SECONDS:.0f} steps/s")
print(f"median  {1e3 * late[len(late) // 2]:.6f} ms late")
print(f"p99     {1e3 * late[len(late) * 99 // 100]:.6f} ms late")
