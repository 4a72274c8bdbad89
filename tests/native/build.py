"""Builds the programs of this folder with the native core, plain or with a sanitizer."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
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
        f"-I{HERE}",
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
        [HERE / "fake_python.c", HERE / "fake_frames.c"],
        ["-O1", "-shared", *extra, *system],
    )
    _compile(
        directory,
        "libinterposer.so",
        [HERE / "interposer.c", CORE / "elf/got.c"],
        ["-O1", "-shared", "-fvisibility=hidden", *extra, *system],
    )
    for program in (
        *(HERE / name for name in ("scenarios.c", "stacks.c", "pairs.c")),
        *(BENCHMARKS / name for name in ("hook_cost.c", "stack_cost.c")),
    ):
        _compile(directory, program.stem, [program], ["-O1", *extra, *libraries, *system])
    return directory


def instructions_a_pair(programs: Path, mode: str, directory: Path) -> float:
    """Count the instructions of a take and a drop with callgrind, those of the start taken off.

    `mode`: plain, off, recording or stacks.
    """
    few, many = 1_000, 1_800  # within one packet
    return (
        _instructions(programs, mode, many, directory) - _instructions(programs, mode, few, directory)
    ) / (many - few)


def _instructions(programs: Path, mode: str, pairs: int, directory: Path) -> int:
    trace = directory / f"{mode}-{pairs}.trace"
    trace.mkdir()
    done = subprocess.run(
        [
            *("valgrind", "--tool=callgrind", f"--callgrind-out-file={directory / 'callgrind.out'}"),
            *(str(programs / "pairs"), mode, str(pairs), str(trace)),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"Collected : (\d+)", done.stderr)
    assert found is not None, done.stderr
    return int(found[1])
