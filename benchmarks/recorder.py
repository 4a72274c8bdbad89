"""What the hooks cost: a take and a drop of a free GIL, plain, with the hooks in, and recording; and stacks.

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


def stacks(programs: Path, trace: Path, rounds: int, frames: int, numbered: bool) -> list[tuple[float, ...]]:
    """Return without and with stacks, for each round: a take, and a drop that a thread waits for."""
    trace.mkdir()
    command = [
        str(programs / "stack_cost"),
        str(trace),
        str(rounds),
        "10000",
        str(frames),
        str(int(numbered)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [tuple(map(float, line.split())) for line in done.stdout.splitlines()]


def print_stacks(programs: Path, traces: Path, rounds: int) -> None:
    """Print what stacks add to a release that somebody waits for.

    From 3.12 on code objects have a number of their own; before, their content tells them apart.
    """
    print("| stacks, of a release that somebody waits for | ns more, median | quartiles |")
    print("|---|---:|---:|")
    for numbered, version in ((True, "3.12 and later"), (False, "3.11")):
        for frames in (1, 20, 64):
            trace = traces / f"stacks-{frames}-{numbered}"
            more = [on - off for off, on in stacks(programs, trace, rounds, frames, numbered)]
            low, median, high = statistics.quantiles(more, n=4)
            print(f"| {frames} frames, {version} | {median:.0f} | {low:.0f} – {high:.0f} |")
    print("\n(limit: 300 at 20 frames)\n")


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
        print_stacks(programs, Path(directory), 20 if short else 100)
        if shutil.which("valgrind") is None:
            print("valgrind is not here: no instruction counts")
            return
        print("\nawaited: while a thread waits, without the sampler; sampled: with it\n")
        print("| a take and a drop | instructions |")
        print("|---|---:|")
        for mode in ("plain", "off", "recording", "stacks", "awaited", "sampled"):
            print(f"| {mode} | {instructions_a_pair(programs, mode, Path(directory)):.0f} |")


if __name__ == "__main__":
    main()
