"""Builds the programs of this folder and of benchmarks/ with the native core, plain or with a sanitizer."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
FAKE = HERE / "fake"
PROGRAMS = HERE / "programs"
CORE = HERE.parents[1] / "tracer" / "native"
BENCHMARKS = HERE.parents[1] / "benchmarks"

COMMON = shlex.split("-std=gnu11 -g -fPIC -Wall -Wextra -Werror")
CORE_FLAGS = shlex.split(
    "-O2 -fno-plt -fvisibility=hidden -ftls-model=initial-exec -shared -Wl,-z,nodelete -Wl,-z,now"
)


def _compile(directory: Path, output: str, sources: list[Path], flags: list[str]) -> None:
    command = [
        "gcc",
        *COMMON,
        f"-I{CORE}",
        f"-I{FAKE}",
        *map(str, sources),
        "-o",
        str(directory / output),
        *flags,
    ]
    subprocess.run(command, check=True, cwd=HERE.parents[1])


def build(directory: Path, *sanitize: str) -> Path:
    """Build all into `directory` and return it. `sanitize`: the compiler's -fsanitize values."""
    extra = [f"-fsanitize={name}" for name in sanitize] + ["-fno-sanitize-recover=all"] * bool(sanitize)
    libraries = [f"-L{directory}", f"-Wl,-rpath,{directory}", "-lgilscope", "-lfakepython", "-linterposer"]
    system = ["-lpthread", "-ldl"]
    _compile(directory, "libgilscope.so", sorted(CORE.rglob("*.c")), [*CORE_FLAGS, *extra, *system])
    _compile(
        directory,
        "libfakepython.so",
        sorted(FAKE.glob("fake_*.c")),
        ["-O1", "-shared", *extra, *system],
    )
    _compile(
        directory,
        "libinterposer.so",
        [FAKE / "interposer.c", CORE / "elf/got.c"],
        ["-O1", "-shared", "-fvisibility=hidden", *extra, *system],
    )
    programs = {path.stem: [path] for path in (*PROGRAMS.glob("*.c"), *BENCHMARKS.glob("*_cost.c"))}
    inside = {name: programs.pop(name) for name in ("boundary", "rooms")}
    programs["scenarios"] = sorted((PROGRAMS / "scenarios").glob("*.c"))
    programs["known"].append(CORE / "base/known.c")
    for name, sources in programs.items():
        _compile(directory, name, sources, ["-O1", *extra, *libraries, *system])
    flags = ["-O1", "-ftls-model=initial-exec", *extra]
    _compile(directory, "core.o", sorted(CORE.rglob("*.c")), ["-r", *flags])
    for name, sources in inside.items():
        _compile(directory, name, [*sources, directory / "core.o"], [*flags, *system])
    return directory


def instructions_a_pair(programs: Path, mode: str, directory: Path) -> float:
    """Count the instructions of a take and a drop with callgrind: exactly, it is the same count each time.

    `mode`: of pairs.c. What comes once in a while, every other millisecond (a new line for the clock) or
    every 2,040 events (a packet), goes through functions of its own: then count again, the fewer pairs the
    less often.
    """
    awaited = mode in ("awaited", "sampled")
    pairs = 5 if awaited else 20
    rare = {"gs_now_slowly"} if awaited else {"look_at_signal", "look_at_unlock"}
    for attempt in range(20):
        count, functions = _instructions(programs, mode, pairs, directory / f"{mode}-{attempt}.trace")
        if not rare & functions:
            return count / pairs
    raise AssertionError(f"{mode}: takes and drops do not go the short way")


def instructions_a_call(programs: Path, mode: str, numbered: bool, function: str, directory: Path) -> float:
    """Count what is done inside a function in a turn of lock_costs, the first ones' more included."""
    trace = directory / f"{mode}-{numbered}.trace"
    arguments = [str(programs / "lock_costs"), mode, str(_TURNS), str(int(numbered)), str(trace)]
    return _count(arguments, function, trace)[0] / _TURNS


_TURNS = 300


def _instructions(programs: Path, mode: str, pairs: int, trace: Path) -> tuple[int, set[str]]:
    """Return how many, and the functions that were called."""
    return _count([str(programs / "pairs"), mode, str(pairs), str(trace)], "measured", trace)


def _count(command: list[str], function: str, trace: Path) -> tuple[int, set[str]]:
    trace.mkdir()
    profile = trace.with_suffix(".callgrind")
    subprocess.run(
        [
            *("valgrind", "--tool=callgrind", f"--callgrind-out-file={profile}"),
            *(f"--toggle-collect={function}", *command),
        ],
        capture_output=True,
        check=True,
    )
    text = profile.read_text()
    found = re.search(r"^(?:summary|totals): (\d+)", text, re.MULTILINE)
    assert found is not None, text[-500:]
    return int(found[1]), set(re.findall(r"^c?fn=\(\d+\) (\w+)", text, re.MULTILINE))
