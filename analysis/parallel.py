"""Do independent things at once. numpy lets go of the GIL while it works, so that threads are worth it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

T = TypeVar("T")

WORTH_IT: Final = 200_000
"""Events from which on threads gain more than their start costs."""

_PARTS: Final = 4
"""Parts for each processor."""


@contextmanager
def meanwhile(task: Callable[[], object], *, events: int) -> Iterator[None]:
    """Do a task while the body of the `with` goes on, or before it when that gains nothing."""
    if events < WORTH_IT or (os.cpu_count() or 1) < 2:
        task()
        yield
        return
    from concurrent.futures import ThreadPoolExecutor  # brings logging along: not for a small trace

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(task)
        yield
        done.result()


def together(tasks: Sequence[Callable[[], T]], *, events: int) -> list[T]:
    """Return the results of these tasks, in order; done at once if there are many events and processors."""
    workers = min(len(tasks), os.cpu_count() or 1)
    if events < WORTH_IT or workers < 2:
        return [task() for task in tasks]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda task: task(), tasks))


def shares(amounts: Sequence[int]) -> list[int]:
    """Return from which to which of some things in a row `together` is to get each part of them: bounds.

    `amounts` are events of each. The parts have about as many, a few for each processor, as some take longer.
    """
    total = sum(amounts)
    if total < WORTH_IT:
        return [0, len(amounts)]
    most = _PARTS * (os.cpu_count() or 1)
    bounds, before, part = [0], 0, 0
    for at, amount in enumerate(amounts):
        if before * most // total > part:
            bounds.append(at)
            part = before * most // total
        before += amount
    return [*bounds, len(amounts)]
