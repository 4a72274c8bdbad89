"""What the hooks cost: a take and a drop of a free GIL, plain, with the hooks in, and recording.

    python -m benchmarks.recorder [--short]

On the fake interpreter of tests/native, so that nothing but the lock and the hooks is measured: nanoseconds
in interleaved blocks of one process, and instructions by callgrind, which repeat exactly. Prints rows for
benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

from tests.native.build import build, instructions_a_pair


def nanoseconds(programs: Path, trace: Path, rounds: int) -> list[tuple[float, ...]]:
    """Return plain, hooks in, recording, and a clock read, for each round."""
    trace.mkdir()
    command = [str(programs / "hook_cost"), str(trace), str(rounds), "20000"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [tuple(map(float, line.split())) for line in done.stdout.splitlines()]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer rounds")
    short = parser.parse_args().short
    with tempfile.TemporaryDirectory(prefix="gilscope-") as directory:
        programs = build(Path(directory))
        rounds = nanoseconds(programs, Path(directory) / "trace", 20 if short else 200)
        print("| a take and a drop | ns, median | quartiles |")
        print("|---|---:|---:|")
        names = ("plain", "hooks in, not recording", "recording", "(one clock_gettime)")
        for name, column in zip(names, zip(*rounds, strict=True), strict=True):
            low, median, high = statistics.quantiles(column, n=4)
            print(f"| {name} | {median:.1f} | {low:.1f} – {high:.1f} |")
        extra = [(recording - plain) / (2 * clock) for plain, _, recording, clock in rounds]
        print(
            f"\nextra of recording, in two clock reads: median {statistics.median(extra):.2f} (limit 1.5)\n"
        )
        if shutil.which("valgrind") is None:
            print("valgrind is not here: no instruction counts")
            return
        print("| a take and a drop | instructions |")
        print("|---|---:|")
        for mode in ("plain", "off", "recording"):
            print(f"| {mode} | {instructions_a_pair(programs, mode, Path(directory)):.0f} |")


if __name__ == "__main__":
    main()
