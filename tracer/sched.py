"""The scheduler's part of a recording: when each thread was on which CPU, into `sched/` of the trace.

The kernel writes it down (`perf_event_open`), a native thread of the recorder takes it away; neither asks for
the GIL. Under the launcher that thread is the launcher's, so the program pays nothing for it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from analysis.destinations import say
from tracer.bootstrap import gilscope_recording
from tracer.directory import SCHED

_SHIFTED: Final = "in a time namespace with a clock of its own: the kernel's events have the machine's"


class Scheduler:
    """Context manager: what the scheduler does with the next program that this thread starts is recorded.

    Parameters
    ----------
    of : int, optional
        The process that is recorded instead, which lives already: its id.

    Attributes
    ----------
    missing : str
        Why it is not recorded, and what would allow it; "" when it is.
    native_missing : str
        Why native code is not sampled though it was wanted.
    lost, failure : int
        Afterwards: records that there was no room for; errno that ended the recording early.
    """

    def __init__(
        self,
        trace: Path,
        command: Sequence[str],
        *,
        wanted: bool = True,
        children: bool = True,
        native: bool = True,
        of: int | None = None,
    ) -> None:
        self.missing = self.native_missing = ""
        self.lost = self.failure = 0
        self._trace = trace
        self._command = command
        self._wanted = wanted
        self._children = children
        self._native = native
        self._of = of
        self._begun = False
        self._ended: tuple[int, int] | None = None

    def ended(self, pid: int, status: int) -> None:
        """Write down how the program ended: `status` as `os.waitstatus_to_exitcode` says."""
        self._ended = pid, status

    def __enter__(self) -> Scheduler:
        if self._wanted:
            from tracer import _recorder

            text = environment_text(self._command)
            scope = _recorder.SCHED_PROGRAM if self._children else _recorder.SCHED_PROGRAM_ALONE
            if shifted("self"):
                self.missing = _SHIFTED
            elif self._of is None:
                self.missing = _recorder.sched_start(self._trace, text, scope, self._native)
            else:
                self.missing = _recorder.sched_attach(self._trace, text, self._of)
            self._begun = not self.missing
            self.native_missing = _recorder.sched_native().partition(": ")[2] if self._begun else ""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._begun:
            from tracer import _recorder

            result = _recorder.sched_stop()
            self.lost, self.failure = result["lost"], result["failure"]
            if self._ended is not None:
                _write_status(self._trace / SCHED / "metadata", *self._ended)
            if result["events"] == 0:
                shutil.rmtree(self._trace / SCHED, ignore_errors=True)  # the program could not be started
            elif self._native:
                from analysis.reader.sched.scheduling import (
                    keep_symbols,  # numpy: not while the program is measured
                )

                keep_symbols(self._trace / SCHED)


_MACHINE_S_CLOCKS: Final = 0xEFFFFFFA
"""The inode of the first namespace of clocks: PROC_TIME_INIT_INO of Linux."""


def shifted(pid: int | str) -> int:
    """Return the ns that the CLOCK_MONOTONIC of a process is ahead of the machine's."""
    try:
        # Nearly always it ends here, without a descriptor: this runs in the program's own thread, too.
        if Path(f"/proc/{pid}/ns/time").stat().st_ino == _MACHINE_S_CLOCKS:
            return 0
        lines = Path(f"/proc/{pid}/timens_offsets").read_text().splitlines()
    except OSError:
        return 0  # a kernel without such namespaces, or a process that is not ours to look at
    words = next((line.split() for line in lines if line.startswith("monotonic")), ["", "0", "0"])
    return int(words[1]) * 1_000_000_000 + int(words[2])


_PLACE = "0" + " " * 19
"""A number of the metadata that is known at the end, and then written over."""


def _write_status(path: Path, pid: int, status: int) -> None:
    try:
        text = path.read_text()
        for key, value in (("program_pid", pid), ("program_status", status)):
            text = text.replace(f"  {key} = {_PLACE};", f"  {key} = {value:<20};", 1)
        path.write_text(text)
    except OSError:
        pass  # then nobody knows


def _json(command: Sequence[str]) -> str:
    return "[" + ", ".join(map(gilscope_recording.json_string, command)) + "]"


def environment_text(command: Sequence[str]) -> str:
    """What the metadata of `sched/` says: assignments for the env block, in TSDL."""
    machine = os.uname()
    text = gilscope_recording.tsdl_string
    return "".join(
        f"  {key} = {value};\n"
        for key, value in (
            ("hostname", text(machine.nodename)),
            ("argv", text(_json(command))),
            ("kernel", text(f"{machine.sysname} {machine.release} {machine.machine}")),
            ("pid_namespace", str(gilscope_recording.pid_namespace())),
            ("program_pid", _PLACE),
            ("program_status", _PLACE),
            ("gilscope_version", text(gilscope_recording.VERSION)),
        )
    )


_told = _forks_followed = False


def start_here(trace: Path, *, native: bool = True) -> None:
    """Record this process, and what it starts. Where that can't be, say why, once a process."""
    global _told
    from tracer import _recorder

    _step_aside_at_forks()
    missing = _SHIFTED if shifted("self") else ""
    missing = missing or _recorder.sched_start(
        trace, environment_text(sys.argv), _recorder.SCHED_PROCESS, native
    )
    if missing and not _told:
        _told = True
        say(f"no scheduler events: {missing}")
    elif not _told and (missing := _recorder.sched_native().partition(": ")[2]):
        _told = True
        say(f"no samples of native code: {missing}")


def _step_aside_at_forks() -> None:
    """From 3.12 on Python warns of a fork in a process of several threads: ours must not be the second."""
    global _forks_followed
    from tracer import _recorder

    if sys.version_info >= (3, 12) and not _forks_followed:
        _forks_followed = True
        # The warning comes after this, so the thread must come later still.
        os.register_at_fork(before=_recorder.sched_pause, after_in_parent=_recorder.sched_resume_soon)


def stop_here() -> None:
    """End what `start_here` began; nothing happens when there is none, or in a forked child."""
    from tracer import _recorder

    result = _recorder.sched_stop()
    if result["failure"]:
        reason = os.strerror(result["failure"])
        say(f"the scheduler's events end early: {reason}")
    if result["lost"]:
        say(f"{result['lost']} scheduler events were lost")
