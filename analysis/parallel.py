"""Do independent things at once. numpy lets go of the GIL while it works, so that threads are worth it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

T = TypeVar("T")

WORTH_IT: Final = 200_000
"""Events from which on threads gain more than their start costs."""


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
