"""A compiled countdown in two threads: with the GIL held they take turns, without it they run side by side.

The countdown is in _countdown.pyx; the project's build compiles it.

    python examples/nogil.py              the times
    python -m tracer examples/nogil.py    what happened
"""

import sys
import time
from collections.abc import Callable
from threading import Thread

try:
    from _countdown import countdown_nogil, countdown_with_gil
except ImportError:
    sys.exit("nogil.py needs its compiled part: run `python setup.py build_ext --inplace` (or `make build`)")

CALLS, COUNT = 100, 10_000_000


def work(countdown: Callable[[int], None]) -> None:
    for _ in range(CALLS // 2):
        countdown(COUNT)


def in_two_threads(name: str, countdown: Callable[[int], None]) -> None:
    threads = [Thread(target=work, args=(countdown,), name=f"{name} {n}") for n in (1, 2)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{name:9} {time.perf_counter() - start:.2f} s")


in_two_threads("with GIL", countdown_with_gil)
in_two_threads("nogil", countdown_nogil)
