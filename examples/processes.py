"""The countdown of threads.py, split over two processes: each has a GIL of its own, so neither waits.

python examples/processes.py              the times
python -m tracer examples/processes.py    what happened
"""

import time
from multiprocessing import Pool

COUNT = 10_000_000


def countdown(n: int) -> None:
    while n > 0:
        n -= 1


if __name__ == "__main__":
    start = time.perf_counter()
    countdown(COUNT)
    print(f"sequential     {time.perf_counter() - start:.2f} s")

    pool = Pool(processes=2)
    start = time.perf_counter()
    pool.map(countdown, [COUNT // 2, COUNT // 2])
    print(f"two processes  {time.perf_counter() - start:.2f} s")
    pool.close()
    pool.join()
