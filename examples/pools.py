"""A list of countdowns, worked off by a pool: of threads they share one GIL, of processes each has its own.

    python examples/pools.py POOL [WORKERS] [STEPS]
    python -m tracer examples/pools.py ProcessPoolExecutor

POOL is ThreadPoolExecutor, ProcessPoolExecutor or Pool (that of multiprocessing).
"""

import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import Pool

PARTS = 8


def countdown(n: int) -> None:
    while n > 0:
        n -= 1


if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else "ProcessPoolExecutor"
    workers = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    steps = int(sys.argv[3]) if len(sys.argv) > 3 else 10_000_000
    pools = {pool.__name__: pool for pool in (ThreadPoolExecutor, ProcessPoolExecutor, Pool)}
    with pools[name](workers) as pool:
        list(pool.map(countdown, [1] * workers))  # the workers are there before the clock starts
        start = time.monotonic()
        list(pool.map(countdown, [steps // PARTS] * PARTS))
        print(f"took  {time.monotonic() - start:.6f} s")
