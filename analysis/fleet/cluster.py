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
    parts = _parts(sources)
    with _client(scheduler, len(parts)) as client:
        try:
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
    scans = client.map(work.scan, parts, how=how, retries=_RETRIES, pure=False)
    finds = client.map(work.found, scans, retries=_RETRIES, pure=False)
    _wait(finds, lambda done: progress(done / total))
    # What no worker could do (it killed every one that tried) is left out.
    lost = [f"{parts[at][0].path}: {_reason(find)}" for at, find in enumerate(finds) if find.status != _DONE]
    parts, scans, finds = (
        [each for each, find in zip(of, finds, strict=True) if find.status == _DONE]
        for of in (parts, scans, finds)
    )
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
    _let_go_of(adds, lambda done: progress((len(parts) + done) / total))
    return _with_problems(last.result(), [*lost, *problems])


def _reason(future: Any) -> str:
    error = future.exception()
    return str(error).partition("\n")[0] or type(error).__name__


def _parts(sources: Sequence[Source]) -> list[list[Source]]:
    """Return sources in parts: a trace is one, files of summaries are some each."""
    traces = [[source] for source in sources if source.is_trace]
    files = [source for source in sources if not source.is_trace]
    size = max(-(-len(files) // _MOST_PARTS), 1)
    return [*traces, *(files[at : at + size] for at in range(0, len(files), size))]


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
def _client(scheduler: str, parts: int) -> Iterator[Client]:
    try:
        from dask.system import CPU_COUNT
        from distributed import Client, LocalCluster
    except ImportError:
        raise GilscopeError("fleets are added up on Dask: pip install 'gilscope[fleet]'") from None
    logging.getLogger("distributed").setLevel(_QUIET)
    if scheduler == LOCAL:
        how = {"dashboard_address": None, "scheduler_kwargs": {"dashboard_address": "127.0.0.1:0"}}
        workers = min(parts, CPU_COUNT)
        with (
            LocalCluster(workers, threads_per_worker=1, silence_logs=_QUIET, **how) as cluster,
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
