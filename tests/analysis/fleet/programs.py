"""The processes that these tests know by heart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.synthetic import TraceWriter

UTC = 1_700_000_000_000_000_000
"""What the writer's times lie after."""


def trace(
    path: Path, *, pids: tuple[int, ...] = (100,), start: int = 0, scale: int = 1, **names: str
) -> Path:
    """Processes in which main holds for 2,000 in work(), while 101 waits for 1,500, and 600 nobody waits for.

    A third hold of 1,000 ends in other(), and main waits for it as long. All times are `scale` times this.
    """
    with TraceWriter(path) as writer:
        for pid in pids:
            process = writer.process(
                pid, hostname=names.get("host", "a"), argv=["app.py"], begin=start, **_tags(names)
            )
            process.code(1, start, "work", "app.py", 10).code(2, start, "other", "lib.py", 20)
            process.frame(1, start, 1).frame(2, start, 2)
            first, second = pid, pid + 1

            def at(time: int) -> int:
                return start + scale * time

            process.events(
                [
                    (first, at(0), "recording_start"),
                    (first, at(0), "gil_acquired"),
                    (second, at(500), "gil_wait"),
                    (first, at(2000), "gil_released", 0, 1),
                    (second, at(2000), "gil_acquired", 0, 2),
                    (first, at(2000), "gil_wait"),
                    (second, at(3000), "gil_released", 0, 2),
                    (first, at(3000), "gil_acquired", 0, 1),
                    (first, at(3600), "gil_released", 0, 1),
                ]
            )
            process.stop(first, at(4000))
    return path


def _tags(names: dict[str, str]) -> dict[str, Any]:
    return {"tags": names["tags"]} if "tags" in names else {}


def random_trace(path: Path, seed: int, host: str = "a") -> Path:
    """A process of four threads that take turns at random, in functions of their own."""
    random = np.random.default_rng(seed)
    with TraceWriter(path) as writer:
        process = writer.process(100 + seed, hostname=host, argv=[f"service{seed % 3}.py"])
        for code in range(1, 6):
            process.code(code, 0, f"function{code}", "app.py", 10 * code).frame(code, 0, code)
        events: list[tuple[int | str, ...]] = [(1, 0, "recording_start")]
        time, holder, waiting = 0, 1, []
        events.append((1, 0, "gil_acquired"))
        for _ in range(int(random.integers(5, 60))):
            time += int(random.integers(10, 100_000))
            others = [tid for tid in range(1, 5) if tid != holder and tid not in waiting]
            if others and random.random() < 0.5:
                waiting.append(int(random.choice(others)))
                events.append((waiting[-1], time, "gil_wait"))
                continue
            events.append((holder, time, "gil_released", 0, int(random.integers(1, 6))))
            time += int(random.integers(0, 50))
            holder = waiting.pop(0) if waiting else holder
            events.append((holder, time, "gil_acquired", 0, int(random.integers(1, 6))))
        process.events(events)
        process.stop(1, time + 1000)
    return path
