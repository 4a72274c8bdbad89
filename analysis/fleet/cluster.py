"""The way of a fleet's sources to one sum: on Dask, or where there is little to do, here.

Two rounds. The first asks every source who is in it (and summarises traces, where they lie); then it is known
what would count twice. The second adds up what is left, and the sums, eight at a time. What a worker had when
it died is done again by another, by Dask.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from ..errors import GilscopeError
from . import work
from .merge import Sums
from .sources import How, Source, once, several_hosts

if TYPE_CHECKING:
    from distributed import Client

LOCAL: Final = "local"
_QUIET: Final = logging.CRITICAL
"""Of a worker that dies Dask says a page."""

PATIENCE: Final = 10
"""Seconds that a scheduler has to answer."""

_DONE: Final = "finished"
_RETRIES: Final = 3
_AT_A_TIME: Final = 8
_MOST_PARTS: Final = 512
_TRACES: Final = 16
"""In a part at most: a task costs a tenth of what a trace does, and what a dead worker had is done again."""

_TURNS: Final = 8
"""Parts that a worker has, or more: so all of them end at about the same time."""

_KEPT: Final = str(64 << 20)
"""Bytes that a local worker keeps for the next trace, and the least of a block that goes back at once."""

_LOCAL: Final = {
    # Dask's workers give memory back after each task: a third of a trace's time to get it again.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": _KEPT,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": _KEPT,
    # They look at themselves a hundred times a second, for pages that are not served here.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "2s",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.worker.memory.monitor-interval": "2s",
}
"""What local workers are told that Dask would do otherwise."""
_FEW: Final = 4
"""Files of summaries that are read here: starting workers takes longer."""

Progress = Callable[[float], object]
"""Is told which share of the work is done."""


def collect(
    sources: Sequence[Source],
    keys: tuple[str, ...],
    how: How,
    between: work.Between | None,
    scheduler: str,
    progress: Progress,
) -> Sums:
    """Return the sum of all sources, and what could not be read or counted once only in its problems.

    Parameters
    ----------
    sources : sequence of Source
    keys : tuple of str
        What to keep apart.
    how : How
        Traces are summarised.
    between : Between or None
        What counts.
    scheduler : str
        "local": workers of this machine; else the address of a scheduler.
    progress : callable

    Raises
    ------
    GilscopeError
        There is no Dask, or no such scheduler.
    """
    if scheduler == LOCAL and (len(sources) == 1 or _is_little(sources)):
        made = work.scan(sources, how)
        kept, problems = _kept([work.found(made)], [list(sources)], between)
        progress(0.5)
        total = work.add([made], kept, keys)
        progress(1.0)
        return _with_problems(total, problems)
    with _client(scheduler, len(sources)) as client:
        try:
            parts = _parts(sources, sum(client.nthreads().values()))
            return _on(client, parts, keys, how, between, progress)
        except GilscopeError:
            raise
        except Exception as error:  # of whatever kind the workers' machines and their ends have
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise GilscopeError(f"--scheduler {scheduler}: the work was given up there: {reason}") from error


def _is_little(sources: Sequence[Source]) -> bool:
    return len(sources) <= _FEW and not any(source.is_trace for source in sources)


def _on(
    client: Client,
    parts: Sequence[list[Source]],
    keys: tuple[str, ...],
    how: How,
    between: work.Between | None,
    progress: Progress,
) -> Sums:
    total = len(parts) + -(-len(parts) // _AT_A_TIME)
    parts, scans, finds, lost = _scanned(client, parts, how, lambda done: progress(done / total))
    if not parts:
        raise GilscopeError(lost[0])
    kept, problems = _kept(client.gather(finds), parts, between)
    del finds
    # All at once, sums of sums before more sums: what is added up is let go of, so that there are never many.
    adds = [
        client.submit(work.add, scans[at:until], kept[at:until], keys, retries=_RETRIES, pure=False)
        for at in range(0, len(parts), _AT_A_TIME)
        for until in (at + _AT_A_TIME,)
    ]
    del scans
    level, height = adds, 0
    while len(level) > 1:
        groups = [level[at : at + _AT_A_TIME] for at in range(0, len(level), _AT_A_TIME)]
        height += 1
        level = [
            client.submit(work.added, group, retries=_RETRIES, priority=height, pure=False)
            for group in groups
        ]
    (last,) = level
    del level
    count = len(adds)
    _let_go_of(adds, lambda done: progress(1 - (count - done) / total))
    return _with_problems(last.result(), [*lost, *problems])


def _scanned(
    client: Client, parts: Sequence[list[Source]], how: How, done: Callable[[int], object]
) -> tuple[list[list[Source]], list[Any], list[Any], list[str]]:
    """Return the parts that were read, their scans and finds; and a line for each source that was not."""
    scans = client.map(work.scan, parts, how=how, retries=_RETRIES, pure=False)
    finds = client.map(work.found, scans, retries=_RETRIES, pure=False)
    _wait(finds, done)
    errors = [_error(find) for find in finds]
    read = [at for at, error in enumerate(errors) if error is None]
    # A part that no worker could do killed every one that tried: which of its sources did, shows one by one.
    failed = [at for at, error in enumerate(errors) if error is not None]
    lost = [f"{parts[at][0].path}: {_reason(errors[at])}" for at in failed if len(parts[at]) == 1]
    found = [[each[at] for at in read] for each in (parts, scans, finds)]
    again = [[source] for at in failed if len(parts[at]) > 1 for source in parts[at]]
    if again:
        *more, still_lost = _scanned(client, again, how, lambda _: None)
        found = [first + second for first, second in zip(found, more, strict=True)]
        lost += still_lost
    return found[0], found[1], found[2], lost


def _error(future: Any) -> BaseException | None:
    """Return what a future failed of. One that was lost with its worker is done again: that is waited for."""
    error: BaseException | None = None if future.status == _DONE else future.exception()
    return error


def _reason(error: BaseException | None) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _parts(sources: Sequence[Source], workers: int) -> list[list[Source]]:
    """Return sources in parts: some traces each, or some more files of summaries."""
    traces = [source for source in sources if source.is_trace]
    files = [source for source in sources if not source.is_trace]
    few = min(max(len(traces) // (_TURNS * max(workers, 1)), 1), _TRACES)
    many = max(-(-len(files) // _MOST_PARTS), 1)
    sizes = ((traces, few), (files, many))
    return [of[at : at + size] for of, size in sizes for at in range(0, len(of), size)]


def _wait(futures: Sequence[Any], done: Callable[[int], object]) -> None:
    from distributed import as_completed

    for number, _ in enumerate(as_completed(futures), 1):
        done(number)


def _let_go_of(futures: list[Any], done: Callable[[int], object]) -> None:
    """Wait for futures that others are made of, and keep none."""
    from distributed import as_completed

    waiting = as_completed(futures)
    futures.clear()
    for number, _ in enumerate(waiting, 1):
        done(number)


def _kept(
    finds: Sequence[work.Found], parts: Sequence[Sequence[Source]], between: work.Between | None
) -> tuple[list[list[list[int] | None]], list[str]]:
    """Return which rows of each part's sources count (None: all), and lines about the others."""
    problems = [problem for found in finds for problem in found.problems]
    rows = [
        (part, source, row, identity)
        for part, found in enumerate(finds)
        for source, identities in enumerate(found.identities)
        for row, identity in enumerate(identities)
        if between is None or between.holds(identity)
    ]
    same, crossing = once([identity for *_, identity in rows])
    for which, what in ((same, "counted once"), (crossing, "left out: they overlap others of theirs")):
        if which:
            part, source, *_ = rows[which[0]]
            problems.append(
                f"{len(which):,} summaries are of processes and times that are there already, {what}; the"
                f" first in {parts[part][source].path}"
            )
    problems += several_hosts([identity for *_, identity in rows])
    out = {*same, *crossing}
    kept: list[list[list[int]]] = [[[] for _ in found.identities] for found in finds]
    for at, (part, source, row, _) in enumerate(rows):
        if at not in out:
            kept[part][source].append(row)
    return [
        [
            None if len(mine) == len(every) else mine
            for mine, every in zip(of_part, found.identities, strict=True)
        ]
        for of_part, found in zip(kept, finds, strict=True)
    ], problems


def _with_problems(total: Sums, problems: Sequence[str]) -> Sums:
    return Sums(**{**vars(total), "problems": tuple(dict.fromkeys((*problems, *total.problems)))})


@contextmanager
def _client(scheduler: str, sources: int) -> Iterator[Client]:
    try:
        import dask
        from dask.system import CPU_COUNT
        from distributed import Client, LocalCluster
    except ImportError:
        raise GilscopeError("fleets are added up on Dask: pip install 'gilscope[fleet]'") from None
    logging.getLogger("distributed").setLevel(_QUIET)
    if scheduler == LOCAL:
        how = {"dashboard_address": None, "scheduler_kwargs": {"dashboard_address": "127.0.0.1:0"}}
        workers = min(sources, CPU_COUNT)
        with (
            dask.config.set(_LOCAL),
            LocalCluster(n_workers=workers, threads_per_worker=1, silence_logs=_QUIET, **how) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    try:
        _hear_from(scheduler)
        client = Client(scheduler, timeout=PATIENCE)
    except (OSError, TimeoutError, ValueError) as error:
        reason = str(error).partition("\n")[0] or "no answer"
        raise GilscopeError(f"--scheduler {scheduler}: no Dask scheduler there: {reason}") from None
    with client:
        if not client.scheduler_info()["workers"]:
            raise GilscopeError(f"--scheduler {scheduler}: it has no workers: dask worker {scheduler}")
        for worker, wrong in client.run(work.check, on_error="return").items():
            if wrong is not None:
                raise GilscopeError(
                    f"--scheduler {scheduler}: worker {worker} can't do this: {wrong}:"
                    " pip install 'gilscope[fleet]' there too"
                )
        yield client


def _hear_from(scheduler: str) -> None:
    """Wait for the first words of a scheduler; raise OSError if none come: a Client would wait for ever.

    Dask's servers speak first. Addresses of other protocols than TCP's are left to the Client.
    """
    protocol, separator, place = scheduler.rpartition("://")
    host, _, port = place.rpartition(":")
    if (separator and protocol != "tcp") or not (host and port.isdigit()):
        return
    with socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE) as connection:
        if not connection.recv(1):
            raise ConnectionError("no answer")
