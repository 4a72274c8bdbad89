"""Work in C that lets go of the GIL by itself: with two threads, is twice as much of it done?

    python examples/releasing.py WORK [THREADS] [SECONDS]
    python -m tracer examples/releasing.py zlib

WORK is one of the functions below; python is the one that doesn't let go.
"""

import hashlib
import os
import socket
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from threading import Thread

DATA = bytes(range(256)) * 4096  # a megabyte


def numpy() -> Callable[[], object]:
    import numpy

    numbers = numpy.arange(500_000.0)
    return lambda: numpy.sqrt(numbers)


def pillow() -> Callable[[], object]:
    from PIL import Image

    image = Image.frombytes("L", (1024, 1024), DATA)
    return lambda: image.resize((700, 700), Image.Resampling.LANCZOS)


def file() -> Callable[[], object]:
    there = tempfile.TemporaryFile()  # noqa: SIM115
    return lambda: os.pwrite(there.fileno(), DATA, 0)


def sockets() -> Callable[[], object]:
    here, there = socket.socketpair()
    return lambda: (here.send(DATA[: 1 << 16]), there.recv(1 << 16))


WORK: dict[str, Callable[[], Callable[[], object]]] = {
    "python": lambda: lambda: sum(n for n in range(10_000)),
    "zlib": lambda: lambda: zlib.compress(DATA, 1),
    "hashlib": lambda: lambda: hashlib.sha256(DATA).digest(),
    "numpy": numpy,
    "pillow": pillow,
    "file": file,
    "socket": sockets,
    "sleep": lambda: lambda: time.sleep(0.002),
}


def repeat(work: Callable[[], object], end: float, rounds: list[int]) -> None:
    done = 0
    while time.monotonic() < end:
        work()
        done += 1
    rounds.append(done)


if __name__ == "__main__":
    name, threads, seconds = [*sys.argv[1:], *["zlib", "2", "1"][len(sys.argv) - 1 :]]
    work = [WORK[name]() for _ in range(int(threads))]
    rounds: list[int] = []
    end = time.monotonic() + float(seconds)
    workers = [Thread(target=repeat, args=(each, end, rounds), name=name) for each in work]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(f"rate  {sum(rounds) / float(seconds):.1f} rounds/s")
