"""The interpreters that experiments want: given by path, or found by name; each is asked what it is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .errors import ExperimentError

NAMES: Final = ("python2.7", "python3.13t", "python3.14", "pypy3", "jython")
"""What is looked for on the PATH."""

_TIMEOUT: Final = 30
# Plain enough for all of them, from 2.7 on.
_QUESTION: Final = (
    "import json, platform, sys, sysconfig; print(json.dumps({"
    "'implementation': platform.python_implementation(), 'version': platform.python_version(),"
    "'pypy': '.'.join(map(str, getattr(sys, 'pypy_version_info', ())[:3])),"
    "'free_threaded': bool(sysconfig.get_config_var('Py_GIL_DISABLED'))}))"
)


@dataclass(frozen=True)
class Interpreter:
    """One interpreter: where it is, and what it said of itself."""

    path: str
    implementation: str
    version: str
    free_threaded: bool
    pypy: str = ""

    @property
    def label(self) -> str:
        """Its name in a figure."""
        if self.pypy:
            return f"PyPy {self.pypy}"
        return f"{self.implementation} {self.version}{'t' if self.free_threaded else ''}"

    @property
    def kinds(self) -> tuple[str, ...]:
        """What it can stand for: of `NAMES`."""
        if self.implementation != "CPython":
            return {"PyPy": ("pypy3",), "Jython": ("jython",)}.get(self.implementation, ())
        version = tuple(int(part) for part in self.version.split(".")[:2])
        if version == (2, 7):
            return ("python2.7",)
        kinds = ("python3.13t",) if self.free_threaded else ()
        return (*kinds, "python3.14") if version >= (3, 14) and not self.free_threaded else kinds


def ask(path: str) -> Interpreter:
    """Return what the interpreter at a path says that it is.

    Raises
    ------
    ExperimentError
        It can't be run, or is no Python.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        done = subprocess.run(
            [path, "-c", _QUESTION], capture_output=True, text=True, timeout=_TIMEOUT, env=environment
        )
        facts = json.loads(done.stdout.strip().splitlines()[-1])
        return Interpreter(
            path, facts["implementation"], facts["version"], facts["free_threaded"], facts["pypy"]
        )
    except OSError as error:
        raise ExperimentError(f"--python {path}: {error.strerror or error}") from None
    except (ValueError, LookupError, TypeError, subprocess.TimeoutExpired):
        raise ExperimentError(f"--python {path}: not a Python interpreter") from None


class Interpreters:
    """Those there are, by kind: given ones come before those on the PATH, which are asked when first wanted.

    Raises
    ------
    ExperimentError
        One of those given is none.
    """

    def __init__(self, given: Iterable[str | Path] = ()) -> None:
        self._found: dict[str, Interpreter | None] = {}
        for path in given:
            interpreter = ask(shutil.which(path) or str(path))
            for kind in interpreter.kinds:
                self._found.setdefault(kind, interpreter)

    def get(self, kind: str) -> Interpreter | None:
        """Return the interpreter of a kind, of `NAMES`; None if there is none."""
        if kind not in self._found:
            self._found[kind] = _on_path(kind)
        return self._found[kind]

    def __contains__(self, kind: str) -> bool:
        return self.get(kind) is not None

    def __getitem__(self, kind: str) -> Interpreter:
        interpreter = self.get(kind)
        if interpreter is None:
            raise ExperimentError(f"no {kind} here")
        return interpreter

    def wanted(self) -> dict[str, str]:
        """Return the labels of those that were given or wanted so far, by kind."""
        return {kind: found.label for kind, found in sorted(self._found.items()) if found is not None}


def _on_path(name: str) -> Interpreter | None:
    path = shutil.which(name)
    if path is None:
        return None
    try:
        interpreter = ask(path)
    except ExperimentError:
        return None  # nobody asked for this one
    return interpreter if name in interpreter.kinds else None
