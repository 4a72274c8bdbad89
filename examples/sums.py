"""numpy sums an array without the GIL: is that worth it for a small one? Each call has to take the GIL back.

python examples/sums.py [ELEMENTS] [THREADS] [SECONDS]
python -m tracer examples/sums.py 1000
"""

import sys
import time
from threading import Thread

import numpy as np

ELEMENTS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
THREADS = int(sys.argv[2]) if len(sys.argv) > 2 else 2
SECONDS = float(sys.argv[3]) if len(sys.argv) > 3 else 1.0


def sums() -> None:
    numbers = np.arange(float(ELEMENTS))
    done = 0
    while time.monotonic() < end:
        numbers.sum()
        done += 1
    total.append(done)


total: list[int] = []
end = time.monotonic() + SECONDS
threads = [Thread(target=sums, name=f"sums {n + 1}") for n in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"rate  {sum(total) / SECONDS:.1f} sums/s")
