"""What the measurements were taken with: machine, kernel, versions."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .interpreters import Interpreters


def machine(interpreters: Interpreters) -> dict[str, Any]:
    """Return facts for `results.json`."""
    return {
        "cpu": _cpu(),
        "cpus": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "kernel": platform.release(),
        "system": platform.system(),
        "python": platform.python_version(),
        "interpreters": interpreters.wanted(),
        "packages": {name: _version(name) for name in ("gilscope", "numpy", "matplotlib", "pillow")},
    }


def sentence(facts: Mapping[str, Any]) -> str:
    """Return the same as one line."""
    number = facts["cpus"]
    return (
        f"{facts['cpu']}, {number} CPU{'' if number == 1 else 's'}, {facts['system']} {facts['kernel']},"
        f" CPython {facts['python']}"
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
