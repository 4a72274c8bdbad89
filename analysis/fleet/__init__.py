"""Many processes, one answer: a summary of each that can be merged, and what all of them amount to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .answer import Fleet
    from .sources import How
    from .work import Between


def fleet(
    paths: Sequence[str],
    *,
    by: Sequence[str] = ("service", "line"),
    between: Between | None = None,
    scheduler: str = "local",
    how: How | None = None,
    progress: Callable[[float], object] = lambda done: None,
) -> Fleet:
    """Return what the processes at these paths amount to: traces, and summaries of traces.

    Parameters
    ----------
    paths : sequence of str
        Traces, files of summaries, directories of these; fsspec's paths too.
    by : sequence of str
        What to tell apart: "service", "host", "pid", "python", "gilscope", tags, and "line", "function" or
        "file".
    between : Between, optional
        Only this time.
    scheduler : str
        "local", or the address of a Dask scheduler.
    how : How, optional
        Traces are summarised.
    progress : callable
        Is told which share of the work is done.

    Raises
    ------
    GilscopeError
        A path has nothing in it, a package is missing, or there is no such scheduler. What can't be read of
        what was found is in `Fleet.problems`.
    """
    from .answer import answer
    from .cluster import collect
    from .merge import keys_of
    from .sources import How, find

    sources = [source for path in paths for source in find(path)]
    total = collect(sources, keys_of(by), how or How({}), between, scheduler, progress)
    return answer(total, by)
