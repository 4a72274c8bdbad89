"""The tutorial's service, for gunicorn: answers that read photos, and a report kept up to date beside them.

An answer of /photos takes some milliseconds when it is alone, and lets go of the GIL in nearly all of them.
Whoever asks for /report has the report made from then on, again and again, by a thread of its own.
"""

from __future__ import annotations

import functools
import json
import os
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

PHOTOS = [Path(tempfile.mkdtemp(prefix="shop-")) / f"{number}.jpg" for number in range(10)]
for path in PHOTOS:
    path.write_bytes(os.urandom(1_000_000))


def photos() -> list[int]:
    """Return the checksum of each photo: a read and a crc32, and each lets go of the GIL."""
    return [zlib.crc32(path.read_bytes()) for path in PHOTOS]


def report(rows: int = 600_000) -> int:
    """Return a sum that takes a while, in pure Python."""
    total = 0
    for row in range(rows):
        total += row * row % 7
    return total


def keep_reporting() -> None:
    while True:
        report()
        time.sleep(0.01)


@functools.cache
def begin_report() -> str:
    threading.Thread(target=keep_reporting, name="report", daemon=True).start()
    return "is being made"


def app(environ: dict[str, str], start: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    """Answer a request."""
    answer = begin_report() if environ["PATH_INFO"] == "/report" else photos()
    body = json.dumps(answer).encode()
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
