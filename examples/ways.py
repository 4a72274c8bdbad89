"""One countdown, halved between two workers, every way that a Python has.

    python examples/ways.py WAY [STEPS]

WAY is one (all of it in the main thread), threads, processes, nogil (compiled, without the GIL; nogil-one: in
the main thread) or interpreters (CPython 3.14: each has a GIL of its own). Plain enough for PyPy and Jython.
"""

from __future__ import print_function

import sys
import time
from threading import Thread


def countdown(n):  # type: (int) -> None
    while n > 0:
        n -= 1


def in_threads(function, steps):  # type: (object, int) -> None
    threads = [Thread(target=function, args=(steps // 2,), name="half %d" % n) for n in (1, 2)]  # type: ignore
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def in_pool(executor, steps):  # type: (object, int) -> None
    list(executor.map(countdown, [steps // 2] * 2))  # type: ignore


def now():  # type: () -> float
    if sys.platform.startswith("java"):
        from java.lang import System  # type: ignore

        return float(System.nanoTime() * 1e-9)
    return time.monotonic()


if __name__ == "__main__":
    WAY = sys.argv[1] if len(sys.argv) > 1 else "threads"
    STEPS = int(sys.argv[2]) if len(sys.argv) > 2 else 10000000
    if WAY == "processes":
        from concurrent.futures import ProcessPoolExecutor as Pool
    elif WAY == "interpreters":
        from concurrent.futures import InterpreterPoolExecutor as Pool  # type: ignore
    elif WAY.startswith("nogil"):
        from _countdown import countdown_nogil
    pool = Pool(2) if WAY in ("processes", "interpreters") else None
    if pool:
        in_pool(pool, 2)  # the workers are there before the clock starts
    began = now()
    if pool:
        in_pool(pool, STEPS)
    elif WAY.endswith("one"):
        (countdown_nogil if WAY == "nogil-one" else countdown)(STEPS)
    else:
        in_threads(countdown_nogil if WAY == "nogil" else countdown, STEPS)
    ended = now()
    print("took   %.6f s" % (ended - began))
    print("began  %.6f s" % began)
    print("ended  %.6f s" % ended)
