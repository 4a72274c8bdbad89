"""Run a program in a process of its own, recorded, as if the shell had started it.

The launcher keeps out of the way: the target has its standard streams, its terminal, its process group.
Signals that someone sends to the launcher are passed on, those that the terminal sends to the whole
foreground group the target has got already.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tracer.errors import UsageError
from tracer.sched import shifted

BOOTSTRAP = Path(__file__).resolve().parent / "bootstrap"
CORE = Path(__file__).resolve().parent / "native" / "libgilscope.so"

_PASSED_ON = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2}
_SI_KERNEL = 0x80
# A thread that does not block SIGCHLD swallows it. The launcher starts none, who calls main() may have some.
_LOST_SIGCHLD = 1.0
# How long a stopped target must stay stopped before the launcher stops too, see _stop_like.
_STOP_SETTLES = 0.02


@dataclass(frozen=True)
class Target:
    """What to run: the interpreter, its own options, and the program (a script, -m or -c) with its
    arguments. Or a command of any kind, the name that it was called by, and its arguments."""

    interpreter: str
    flags: tuple[str, ...]
    program: tuple[str, ...]
    called: str = ""

    @property
    def command(self) -> list[str]:
        return [self.called or self.interpreter, *self.flags, *self.program]


def check_place() -> None:
    """Raise UsageError if gilscope is where PYTHONPATH can't lead."""
    if os.pathsep in str(BOOTSTRAP):
        raise UsageError(
            f"{BOOTSTRAP.parent} has a {os.pathsep!r} in its name, so PYTHONPATH can't lead there:"
            " install gilscope elsewhere"
        )


def armed_environment(
    place: Path,
    *,
    switch_interval: float | None,
    children: bool,
    stacks: bool,
    samples: bool,
    locks: bool,
    tags: str = "",
) -> dict[str, str]:
    """The environment that arms a Python, and each Python that it starts, with sockets in `place`."""
    environment = _environment(
        switch_interval=switch_interval,
        children=children,
        stacks=stacks,
        samples=samples,
        locks=locks,
        tags=tags,
    )
    environment["GILSCOPE_ARMED"] = str(place.absolute())
    return environment


def target_environment(
    trace: Path,
    *,
    switch_interval: float | None,
    children: bool,
    stacks: bool,
    samples: bool,
    locks: bool,
    broker: str = "",
    tags: str = "",
) -> dict[str, str]:
    """The environment that makes a Python, and each Python that it starts, record itself into `trace`."""
    environment = _environment(
        switch_interval=switch_interval,
        children=children,
        stacks=stacks,
        samples=samples,
        locks=locks,
        tags=tags,
    )
    environment["GILSCOPE_TRACE"] = str(trace.absolute())
    environment["GILSCOPE_CLOCK"] = str(shifted("self"))  # all processes' times are by this one
    if broker:
        environment["GILSCOPE_BROKER"] = broker
    return environment


def _environment(
    *, switch_interval: float | None, children: bool, stacks: bool, samples: bool, locks: bool, tags: str
) -> dict[str, str]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GILSCOPE_") or name == "GILSCOPE_TAGS"  # the user's, for what is recorded
    }
    inherited = environment.get("PYTHONPATH", "")
    # Nothing after the separator would mean the current directory.
    environment["PYTHONPATH"] = os.pathsep.join([str(BOOTSTRAP), *([inherited] if inherited else [])])
    environment["GILSCOPE_CORE"] = str(CORE)
    environment["GILSCOPE_CHILDREN"] = "1" if children else "0"
    environment["GILSCOPE_STACKS"] = "1" if stacks else "0"
    environment["GILSCOPE_SAMPLES"] = "1" if samples else "0"
    environment["GILSCOPE_LOCKS"] = "1" if locks else "0"
    if tags:
        environment["GILSCOPE_TAGS"] = tags
    if switch_interval is not None:
        environment["GILSCOPE_SWITCH_INTERVAL"] = repr(switch_interval)
    return environment


def become(target: Target, environment: dict[str, str]) -> NoReturn:
    """Run `target` in place of this process: nobody has to wait for it.

    Raises
    ------
    UsageError
        If the interpreter can't be started.
    """
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)  # Python ignores these two for itself
    try:
        os.execve(target.interpreter, target.command, environment)
    except OSError as error:
        raise UsageError(f"{target.interpreter} can't be started: {error.strerror}") from error


def run(
    target: Target,
    environment: dict[str, str],
    ended: Callable[[int, int], object] = lambda pid, status: None,
) -> int:
    """Run `target` to its end, passing signals on; `ended` is told its id and its status.

    Returns
    -------
    int
        As `os.waitstatus_to_exitcode` says: the exit status, or minus the number of the signal it died of.

    Raises
    ------
    UsageError
        If the interpreter can't be started.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would leave no status to wait for
    watched = _PASSED_ON | {signal.SIGCHLD, signal.SIGCONT}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    try:
        try:
            # Python ignores these two for itself; the target decides for itself too.
            pid = os.posix_spawn(
                target.interpreter,
                target.command,
                environment,
                setsigmask=mask,
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
            )
        except OSError as error:
            raise UsageError(f"{target.interpreter} can't be started: {error.strerror}") from error
        status = _wait(pid, watched)
        ended(pid, status)
        while signal.sigtimedwait(_PASSED_ON, 0) is not None:
            pass  # came while the target died: it was meant for it
        return status
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _wait(pid: int, watched: set[signal.Signals]) -> int:
    while True:
        received = signal.sigtimedwait(watched, _LOST_SIGCHLD)
        # 3.14 may return no signal at all, as one, when the launcher itself was stopped and goes on.
        if received is None or received.si_signo == signal.SIGCHLD or received.si_signo not in watched:
            done, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
            if done and os.WIFSTOPPED(status):
                _stop_like(pid)
            elif done:
                return os.waitstatus_to_exitcode(status)
        elif received.si_signo == signal.SIGCONT:
            pass  # this process runs on
        elif received.si_code != _SI_KERNEL and not _comes_from(received.si_pid, pid):
            try:
                os.kill(pid, received.si_signo)
            except PermissionError:
                pass  # the target runs as someone else by now


def _stop_like(pid: int) -> None:
    """Stop too, so that a shell takes its terminal back; go on together.

    Ctrl-Z stops both of us, and SIGCONT comes to both one after the other: the target may look stopped for a
    moment while the job runs on again. Hence the pause. If SIGCONT has come to this process already, perhaps
    after a pause of hours, nobody would send another.
    """
    time.sleep(_STOP_SETTLES)
    if _state(pid) == "T":
        if signal.sigtimedwait({signal.SIGCONT}, 0) is None:
            os.kill(os.getpid(), signal.SIGSTOP)
            signal.sigtimedwait({signal.SIGCONT}, 0)  # that one is answered here
        os.kill(pid, signal.SIGCONT)


def _comes_from(sender: int, pid: int) -> bool:
    """Whether `sender` is the target or below it: it sends to its process group, so to itself."""
    while sender > 1 and sender != pid:
        sender = _parent(sender)
    return sender == pid


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return ["", "0"]


def _state(pid: int) -> str:
    return _stat(pid)[0]


def _parent(pid: int) -> int:
    return int(_stat(pid)[1])


def exit_like(status: int) -> int:
    """End as the target ended: return its exit status, or die of the signal that it died of."""
    if status >= 0:
        return status
    sys.stdout.flush()
    sys.stderr.flush()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the target has left its core, if any
    if -status not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
    return 128 - status  # a signal that is blocked or ignored by default
