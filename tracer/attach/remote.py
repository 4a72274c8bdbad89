"""A process of Python 3.14 or later that is not armed: `sys.remote_exec` has it begin a recording.

Such an interpreter runs a script that another process names, when its main thread is between two instructions
(PEP 768). So nothing is injected and nobody is stopped: the program itself loads the core. A debugger that
calls into the process would do for older ones too, and has killed programs.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from analysis.destinations import say
from tracer import directory
from tracer.errors import GilscopeError, UsageError
from tracer.launcher import BOOTSTRAP, CORE

_POLL: Final = 0.05
_PATIENCE: Final = 2.0
"""Seconds without an answer after which it is said that the process is waited for."""

_FIRST: Final = (3, 14)
_ASK: Final = "import sys; print(*sys.version_info[:2], int(hasattr(sys, 'remote_exec')))"
_SEND: Final = """\
import sys
try:
    sys.remote_exec(int(sys.argv[1]), sys.argv[2])
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


@dataclass(frozen=True)
class Remote:
    """A process that runs Python 3.14 or later, and its executable, also if the file was replaced."""

    pid: int
    interpreter: str

    def start(self, trace: Path, *, stacks: bool, samples: bool, locks: bool) -> None:
        """Have it recorded into `trace`, which exists.

        Raises
        ------
        GilscopeError
            It can't be reached, is recorded already, or can't be.
        """
        failure = self._run_there(
            f"attach({str(trace.absolute())!r}, {str(CORE)!r}, {stacks!r}, {samples!r}, {locks!r}, answer)",
            "the recording begins when it does",
        )
        if failure:
            raise GilscopeError(f"process {self.pid} is not recorded: {failure}")

    def stop(self) -> None:
        """End the recording.

        Raises
        ------
        GilscopeError
            It can't be reached, or goes on.
        """
        failure = self._run_there(f"detach({str(CORE)!r}, answer)", "the recording ends when it does")
        if failure and directory.runs(self.pid):
            raise GilscopeError(f"process {self.pid} is recorded on: {failure}")

    def _run_there(self, call: str, then: str) -> str:
        """Have it call something of `gilscope_attach`; returns what went wrong there, or nothing."""
        with tempfile.TemporaryDirectory(prefix="gilscope-") as folder:
            script, answer = Path(folder, "script.py"), Path(folder, "answer")
            script.write_text(
                f"import sys\nsys.path.insert(0, {str(BOOTSTRAP)!r})\ntry:\n"
                f"    answer = {str(answer)!r}\n    from gilscope_attach import attach, detach\n    {call}\n"
                f"finally:\n    sys.path.remove({str(BOOTSTRAP)!r})\n"
            )
            if os.geteuid() == 0:
                status = Path(f"/proc/{self.pid}").stat()
                for path in (folder, script):
                    os.chown(path, status.st_uid, status.st_gid)
            sent = subprocess.run(
                [self.interpreter, "-I", "-c", _SEND, str(self.pid), str(script)],
                capture_output=True,
                text=True,
            )
            if trouble := sent.stdout.strip() or sent.stderr.strip().rpartition("\n")[2]:
                raise GilscopeError(f"process {self.pid} can't be attached to: {_explained(trouble)}")
            told = False
            since = time.monotonic()
            while not answer.exists():
                if not directory.runs(self.pid):
                    return "it has ended"
                if not told and time.monotonic() - since > _PATIENCE:
                    told = True
                    who = f"the main thread of process {self.pid}"
                    say(f"{who} runs no Python code now, waiting: {then} (Ctrl-C gives up)")
                time.sleep(_POLL)
            return answer.read_text().removeprefix("done").removeprefix("failed: ")


def find(pid: int, *, recorded: bool = False) -> Remote:
    """Return the process, when it can be attached to, or detached from if `recorded`."""
    interpreter = f"/proc/{pid}/exe"
    try:
        name = Path(interpreter).readlink().name
        maps = Path(f"/proc/{pid}/maps").read_text(errors="surrogateescape")
    except PermissionError:
        raise UsageError(f"process {pid} belongs to someone else: attach as that user, or as root") from None
    except OSError as error:
        raise UsageError(f"process {pid}: {error.strerror}") from None
    asked = None
    if "python" in name:
        ask = [interpreter, "-I", "-S", "-c", _ASK]
        asked = subprocess.run(ask, capture_output=True, text=True, timeout=60)
    version = asked.stdout.split() if asked is not None and asked.returncode == 0 else []
    if len(version) != 3:
        raise UsageError(f"process {pid} runs {name}, no Python that can be attached to")
    major, minor, remote = map(int, version)
    if (major, minor) < _FIRST or not remote:
        raise UsageError(
            f"process {pid} runs Python {major}.{minor} and is not armed, so it can't be attached to"
            " (3.14 can): start it with python -m tracer --armed, or record a part of it with tracer.start()"
        )
    if recorded and str(CORE) not in maps:
        raise UsageError(f"process {pid} is not recorded")
    return Remote(pid, interpreter)


def _explained(trouble: str) -> str:
    if "disabled" in trouble or "not supported" in trouble or "not enabled" in trouble:
        return "it was started with PYTHON_DISABLE_REMOTE_DEBUG or -X disable_remote_debug"
    if trouble.startswith("PermissionError"):
        return "the kernel refuses it (kernel.yama.ptrace_scope; root may, and a parent of the process)"
    return trouble
