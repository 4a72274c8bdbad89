"""Recording from inside a program: `with trace(path):`, or `start` and `stop`."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from contextlib import ContextDecorator, suppress
from importlib import import_module
from pathlib import Path
from types import TracebackType

from analysis.destinations import say
from tracer import directory
from tracer import sched as scheduler
from tracer.attach.armed import default_directory
from tracer.bootstrap import gilscope_recording, gilscope_threads
from tracer.errors import RecordingError
from tracer.launcher import BOOTSTRAP, CORE

# Recorded, or armed: who asks for a snapshot has no time to import. (Without a GIL it would switch that on.)
if "gilscope_begin" in sys.modules and not gilscope_recording.runs_without_gil():
    with suppress(ImportError):  # an interpreter with a GIL of its own can't have it, and can set marks
        import_module("tracer._recorder")

_undo: list[Callable[[], None]] = []


def start(
    path: str | os.PathLike[str],
    *,
    switch_interval: float | None = None,
    force: bool = False,
    sched: bool = True,
    native: bool = True,
    stacks: bool = True,
    samples: bool = True,
    locks: bool = True,
) -> Path:
    """Begin to record this process, and the processes that it forks.

    Parameters
    ----------
    path : path
        The trace's directory. It must not exist yet, or be empty.
    switch_interval : float, optional
        Set the interpreter's switch interval, in seconds, until `stop`.
    force : bool
        Replace a trace of ours that is there. Anything else is never replaced.
    sched : bool
        Record when each thread has a CPU, too. Where that can't be, one line on stderr says why, once.
    native : bool
        Have the kernel sample which native code threads run while they have a CPU; with `sched` only.
    stacks : bool
        Record where in the program each wait was, and where the thread was that held the GIL meanwhile. Where
        that can't be (before Python 3.11), the trace says why: ``stacks`` in its metadata.
    samples : bool
        Look, about a thousand times a second, which code runs in a hold that somebody waits for. Where that
        can't be, or isn't wanted, waits are charged to the code at the ends of holds.
    locks : bool
        Record the waits for Python's other locks, too. Where that can't be, the trace says why: ``locks`` in
        its metadata. Where there is no GIL, they are what is recorded.

    Returns
    -------
    Path
        The trace's directory, absolute.

    Raises
    ------
    RecordingError
        If this process is recorded already, the GIL can't be seen in this build of Python or is off, or the
        trace can't be made.
    ValueError
        If `switch_interval` is not positive.
    """
    from tracer import _recorder

    trace = Path(path).absolute()
    if _recorder.status()["recording"]:
        raise RecordingError("this process is recorded already: stop() that recording first")
    _recorder.install(locks and gilscope_recording.runs_without_gil())
    _take_back()  # a recording that failed, or was inherited by a fork, leaves its hooks
    if switch_interval is not None:
        former = sys.getswitchinterval()
        sys.setswitchinterval(switch_interval)
        _undo.append(lambda: sys.setswitchinterval(former))
    try:
        directory.make(trace, force=force)
        said = gilscope_recording.decide_stacks(
            stacks, _recorder.stacks_find, _recorder.stacks_text, _recorder.stacks_use
        )
        _recorder.samples_use(samples)
        found = gilscope_recording.decide_locks(locks, _recorder.locks_find, _recorder.locks_leave)
        _recorder.start(trace, gilscope_recording.environment_text(said, found))
    except RecordingError:
        _take_back()
        raise
    _undo.append(gilscope_recording.stop_before_exit(_end))
    if sched:
        scheduler.start_here(trace, native=native)
    _undo.append(gilscope_threads.follow_thread_names(_recorder.name_thread))
    return trace


def arm(
    path: str | os.PathLike[str] | None = None,
    *,
    stacks: bool = True,
    locks: bool = True,
    children: bool = True,
) -> Path:
    """Have the hooks in and record nothing, until ``gilscope attach`` asks for it.

    Parameters
    ----------
    path : path, optional
        Directory of the socket, which is named by the process. It is made if it is not there; by default it
        is ``gilscope`` in ``XDG_RUNTIME_DIR``, or ``/tmp/gilscope-UID``.
    stacks, locks : bool
        What recordings are to have, as `start` takes them.
    children : bool
        Whether processes that this one forks are armed, too.

    Returns
    -------
    Path
        The directory, absolute. Nothing happens in a process that is armed already.

    Raises
    ------
    RecordingError
        The GIL can't be seen in this build of Python, or the socket can't be made.
    """
    place = (default_directory() if path is None else Path(path)).absolute()
    sys.path.insert(0, str(BOOTSTRAP))
    try:
        begin = import_module("gilscope_begin")
        failure = begin.arm(
            str(place), str(CORE), children, {"STACKS": stacks, "SAMPLES": True, "LOCKS": locks}
        )
    finally:
        sys.path.remove(str(BOOTSTRAP))
    if failure:
        raise RecordingError(f"this process is not armed: {failure}")
    return place


def stop() -> None:
    """End the recording that `start` began; nothing happens when there is none.

    If recording had to end early (a full disk), one line on stderr says so.
    """
    from tracer import _recorder

    status = _recorder.status()
    _end()
    if _undo and status["failure"]:
        reason = os.strerror(status["failure"])
        say(f"recording ended early: {reason}; {status['discarded']} events lost")
    _take_back()


def _end() -> None:
    from tracer import _recorder

    _recorder.stop()
    scheduler.stop_here()


def _take_back() -> None:
    while _undo:
        _undo.pop()()


def snapshot(path: str | os.PathLike[str]) -> None:
    """Have what is kept of this recording copied, up to about now.

    It returns at once: the launcher makes the copy, ``python -m tracer`` or ``gilscope attach``. It appears
    when it is whole; what goes wrong with it is one line on the launcher's stderr.

    Parameters
    ----------
    path : path
        Directory of the copy, a trace. It must not exist yet.

    Raises
    ------
    RecordingError
        This process is not recorded, nobody is there to make the copy, or something is at `path`.
    """
    from tracer import _recorder

    if not _recorder.process_directory():
        raise RecordingError("this process is not recorded")
    target = os.fspath(path)
    # Each call that lets go of the GIL may wait for it as long as whoever is to be seen in the snapshot.
    failure = _recorder.snapshot(target if target.startswith("/") else Path(target).absolute())
    if failure == errno.EEXIST:
        raise RecordingError(f"{target} exists: choose another place")
    if failure:
        raise RecordingError("nobody is there to copy it: python -m tracer and gilscope attach do")


class trace(ContextDecorator):
    """Record a block, or each call of a function.

    ::

        with tracer.trace("out.trace"):
            work()

        @tracer.trace("out.trace", force=True)
        def work(): ...

    Parameters
    ----------
    path, switch_interval, force, sched, native, stacks, samples, locks
        As `start` takes them, and with its errors. Without `force` a decorated function runs only once: the
        second call finds the trace of the first.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        switch_interval: float | None = None,
        force: bool = False,
        sched: bool = True,
        native: bool = True,
        stacks: bool = True,
        samples: bool = True,
        locks: bool = True,
    ) -> None:
        self.path = Path(path)
        self.switch_interval = switch_interval
        self.force = force
        self.sched = sched
        self.native = native
        self.stacks = stacks
        self.samples = samples
        self.locks = locks

    def __enter__(self) -> Path:
        return start(
            self.path,
            switch_interval=self.switch_interval,
            force=self.force,
            sched=self.sched,
            native=self.native,
            stacks=self.stacks,
            samples=self.samples,
            locks=self.locks,
        )

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        stop()
