"""The tutorial's service: five handlers that should answer at once, and a batch job beside them."""

import hashlib
import json
import threading
import time

SECONDS = 1.5


def parse(rows: int) -> int:
    """Return what the batch job reckons, in pure Python."""
    total = 0
    for i in range(rows):
        total += i * i
    return total


def handle() -> None:
    """Answer requests: little Python, some hashing that lets go of the GIL."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(0.001)
        json.dumps(list(range(200)))
        hashlib.sha256(b"x" * 3_000_000).digest()


def batch() -> None:
    """Parse, rest, parse."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        parse(400_000)
        time.sleep(0.02)


if __name__ == "__main__":
    threads = [threading.Thread(target=handle, name=f"handler-{i}") for i in range(5)]
    threads.append(threading.Thread(target=batch, name="batch"))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
