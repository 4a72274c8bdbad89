"""Read a trace: a directory with one directory a process in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from ..errors import TraceFormatError
from ..model import Gil, Thread
from ..reader.format import EVENT_SIZE
from ..reader.frames import join_frames
from ..reader.placement import place
from ..reader.problems import Problems
from ..reader.process import read_process, stream_files
from ..reader.scheduling import read_scheduling
from ..reader.store import Store
from .columns import make_columns
from .trace import Trace

_PROCESS_DIRECTORY: Final = re.compile(r"\d+(_\d+)?")


def load(path: Path | str, *, salvage: bool = False) -> Trace:
    """Read a trace.

    Parameters
    ----------
    path : path
        A trace directory, or the directory of one process in it.
    salvage : bool
        Skip what is wrong, and say so in `Trace.skipped`.

    Raises
    ------
    TraceFormatError
        It is no trace, or a wrong one: names the file, what was found, and what was expected.
    """
    path = Path(path)
    problems = Problems(salvage)
    directories = _process_directories(path)
    store = Store(_capacity(directories))
    found = [read_process(directory, store, problems) for directory in directories]
    processes = [process for process in found if process is not None]
    scheduling = read_scheduling(path / "sched", problems)
    placed = place(processes, scheduling) if scheduling is not None else None
    if placed is not None:
        processes = placed.processes
    if not processes:
        problems.report(TraceFormatError(path, "no process", "<pid>/metadata of at least one"), "all of it")
    processes.sort(key=lambda process: (process.begin, process.metadata.pid, process.directory.name))
    runs = [run for process in processes for run in process.runs]
    threads = [(index, run) for index, process in enumerate(processes) for run in process.runs]
    gils = [(index, number) for index, process in enumerate(processes) for number in process.gils]
    return Trace(
        path=path,
        processes=tuple(process.numbered(index) for index, process in enumerate(processes)),
        threads=tuple(
            Thread(index, process, run.tid, run.name, run.begin, run.end, run.main)
            for index, (process, run) in enumerate(threads)
        ),
        gils=tuple(Gil(index, process, number) for index, (process, number) in enumerate(gils)),
        begin=min((process.begin for process in processes), default=0),
        end=max((process.end for process in processes), default=0),
        columns=make_columns(runs, store),
        skipped=problems.skipped,
        scheduling=scheduling,
        tasks=tuple(placed.tasks(runs)) if placed is not None else (),
        stacks=join_frames([process.frames for process in processes]),
        sampled=tuple(process.samples for process in processes),
    )


def _capacity(directories: list[Path]) -> int:
    """Return how many events there may be at most; headers take more room than marks that reading adds."""
    size = 0
    for directory in directories:
        try:
            size += sum(file.stat().st_size for file in stream_files(directory))
        except OSError:
            continue  # whoever reads it next says why it can't be read
    return size // EVENT_SIZE + 1


def _process_directories(path: Path) -> list[Path]:
    if (path / "metadata").is_file():
        return [path]
    try:
        entries = sorted(path.iterdir())
    except OSError as error:
        raise TraceFormatError(path, error.strerror or str(error), "a trace directory") from None
    return [entry for entry in entries if _PROCESS_DIRECTORY.fullmatch(entry.name) and entry.is_dir()]
