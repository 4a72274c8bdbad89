"""Native code for people and for machines: what ran with the GIL, and what beside it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...measures.native_code import NativeTime
from ...reader.code.native import NativeCode
from ...tables.trace import Trace


def rows(times: Iterable[NativeTime]) -> list[tuple[NativeCode, int, int, int, int]]:
    """Return code, ns with the GIL, ns without, samples and threads, the longest first."""
    found: dict[NativeCode, list[int]] = {}
    threads: dict[NativeCode, set[int]] = {}
    for each in times:
        row = found.setdefault(each.code, [0, 0, 0])
        row[0 if each.held else 1] += each.time
        row[2] += each.samples
        threads.setdefault(each.code, set()).add(each.thread)
    rows = [(code, held, free, samples, len(threads[code])) for code, (held, free, samples) in found.items()]
    return sorted(rows, key=lambda row: (-row[1] - row[2], row[0]))


def why_missing(trace: Trace) -> str:
    """Return why native code was not sampled though it was wanted; "" where it was, or was not wanted."""
    said = trace.scheduling.metadata.text("native") if trace.scheduling is not None else ""
    return said.partition(": ")[2]


def to_json(times: Iterable[NativeTime], most: int) -> list[dict[str, Any]]:
    """Return the same for machines; the schema is in `summary`."""
    return [
        {
            "library": code.library,
            "function": code.function or None,
            "held_ns": held,
            "without_gil_ns": free,
            "samples": samples,
            "threads": threads,
        }
        for code, held, free, samples, threads in rows(times)[:most]
    ]
