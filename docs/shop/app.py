"""The tutorial's service, for gunicorn: answers that read small files, and a report that computes.

An answer of /items takes a millisecond when it is alone. Nothing in it computes for long.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

ITEMS = [Path(tempfile.mkdtemp(prefix="shop-")) / f"{number}.json" for number in range(30)]
for number, path in enumerate(ITEMS):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"item": number, "price": number * 1.5}))


def items() -> list[float]:
    """Return all prices: a stat, an open and a read for each, and each lets go of the GIL."""
    return [json.loads(path.read_bytes())["price"] for path in ITEMS if path.stat().st_size]


def report(rows: int = 600_000) -> int:
    """Return a sum that takes a while, in pure Python."""
    total = 0
    for row in range(rows):
        total += row * row % 7
    return total


def app(environ: dict[str, str], start: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    """Answer a request."""
    answer = report() if environ["PATH_INFO"] == "/report" else items()
    body = json.dumps(answer).encode()
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
