"""Two builds of the whole, side by side: how long each takes for an answer, and with how much memory.

The commands are those of a user, from start to end, the two builds in turns; and both must say the same.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
PICTURE: Final = "PNG"
COMMANDS: Final = {
    "summary": ("-m", "analysis", "TRACE", "--json"),
    PICTURE: ("-m", "plots", "TRACE", "-o", "FILE"),
    "what-if": ("-m", "analysis", "whatif", "TRACE", "--json", "--interval", "1ms"),
}
"""What is asked of a build; TRACE and FILE stand for paths."""

_PERCENTILES = ("p50", "p90", "p99")


@dataclass(frozen=True)
class Run:
    """One run of a command: what it said, s that it took and had a CPU, and the most MB it had."""

    said: Any
    took: float
    cpu: float
    memory: float


def run(tree: Path, trace: Path, what: str) -> Run:
    """Ask a build for one of `COMMANDS`."""
    own = tree / ".venv/bin/python"
    environment = {**os.environ, "PYTHONPATH": str(tree.resolve())}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # neither is to compile itself at each run
    with tempfile.TemporaryDirectory(prefix="gilscope-") as name, tempfile.TemporaryFile() as output:
        picture = Path(name) / "picture.png"
        paths = {"TRACE": str(trace.resolve()), "FILE": str(picture)}
        begin = time.perf_counter()
        process = subprocess.Popen(
            [
                str(own) if own.exists() else sys.executable,
                *(paths.get(word, word) for word in COMMANDS[what]),
            ],
            cwd="/",
            env=environment,
            stdout=output,
        )
        _, status, used = os.wait4(process.pid, 0)
        took = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{tree}: the command failed, is it built? (make build there)")
        output.seek(0)
        said = picture.read_bytes() if what == PICTURE else json.load(output)
        return Run(said, took, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def differing(one: Any, other: Any, name: str = "") -> int:
    """Count the figures that two builds don't agree in; percentiles of very many may be 0.1 % apart."""
    if isinstance(one, dict) and isinstance(other, dict):
        return sum(differing(one.get(key), other.get(key), key) for key in {*one, *other})
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return sum(differing(a, b, name) for a, b in zip(one, other, strict=True))
    if name in _PERCENTILES and one and other:
        return int(abs(one - other) > 0.001 * max(one, other) + 1)
    return int(one != other)


def compare(tree: Path, trace: Path, what: str, pairs: int) -> str:
    """Return a row: both builds in turns, medians, and the medians of the pairs' ratios."""
    before, now = [], []
    for _ in range(pairs):
        before.append(run(tree, trace, what))
        now.append(run(ROOT, trace, what))
    cells = []
    for unit, figure in (("s", "took"), ("s", "cpu"), ("MB", "memory")):
        old, new = ([getattr(each, figure) for each in runs] for runs in (before, now))
        ratio = statistics.median(a / b for a, b in zip(old, new, strict=True))
        shown = f"{statistics.median(old):.3g} → {statistics.median(new):.3g} {unit}"
        cells.append(f"{shown}, 1/{ratio:.1f}")
    return f"| {trace.stem} | {what} | {' | '.join(cells)} | {differing(before[-1].said, now[-1].said)} |"


def against(tree: Path, traces: list[Path], what: list[str], pairs: int) -> None:
    """Print a row for each trace and command."""
    print(f"{pairs} pairs, medians; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs\n")
    print("| trace | command | time | CPU time | memory | figures that differ |")
    print("|---|---|---:|---:|---:|---:|")
    for trace in traces:
        for each in what:
            print(compare(tree, trace, each, pairs), flush=True)
