"""What was published: every figure that ours are held against, with its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Source:
    """Where figures come from."""

    author: str
    title: str
    year: int

    def __str__(self) -> str:
        return f"{self.author}, “{self.title}” ({self.year})"


BEAZLEY: Final = Source("David Beazley", "Understanding the Python GIL", 2010)
SKVORTSOV: Final = Source(
    "Victor Skvortsov",
    "The GIL and its effects on Python multithreading (Python behind the scenes #13)",
    2021,
)
BREDDELS: Final = Source(
    "Maarten Breddels", "Tracing and visualizing the Python GIL with perf and VizTracer (per4m)", 2021
)

OLD_GIL_SECONDS: Final = {"sequential": 7.8, "2 threads": 15.4, "4 threads": 15.7}
"""The countdown with the old GIL on a quad core; BEAZLEY."""

OLD_GIL_FEWER_CPUS: Final = (11.3, 11.6)
"""Seconds of two and of four threads with the old GIL and fewer CPUs; BEAZLEY."""

NEW_GIL_RATIO: Final = (1.0, 1.1)
"""What threads take with the new GIL, in sequential times; BEAZLEY."""

ECHO_ALONE: Final = 30_000
"""Requests/s of an echo server without other threads; SKVORTSOV."""

ECHO_RATE: Final = {0.1: 5, 0.005: 100, 1e-3: 500, 1e-4: 3_200, 1e-5: 11_000, 1e-6: 10_000}
"""Requests/s beside one CPU thread, by switch interval in s; SKVORTSOV."""

ECHO_MORE_THREADS: Final = {2: 1 / 2, 4: 1 / 3}
"""The same beside more CPU threads, as a share of that beside one; SKVORTSOV."""

SUM_HOLDING: Final = 0.02
SUM_WAITING: Final = (0.09, 0.13)
"""Shares of a thread's time in numpy sums; BREDDELS."""
