"""Builds the programs of this folder with the native core, plain or with a sanitizer."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
CORE = HERE.parents[1] / "tracer" / "native"
BENCHMARKS = HERE.parents[1] / "benchmarks"

COMMON = shlex.split("-std=gnu11 -g -fPIC -Wall -Wextra -Werror")
CORE_FLAGS = shlex.split("-O2 -fvisibility=hidden -ftls-model=initial-exec -shared -Wl,-z,nodelete")


def _compile(directory: Path, output: str, sources: list[Path], flags: list[str]) -> None:
    command = ["gcc", *COMMON, *map(str, sources), "-o", str(directory / output), *flags]
    subprocess.run(command, check=True, cwd=HERE.parents[1])


def build(directory: Path, *sanitize: str) -> Path:
    """Build all into `directory` and return it. `sanitize`: the compiler's -fsanitize values."""
    extra = [f"-fsanitize={name}" for name in sanitize] + ["-fno-sanitize-recover=all"] * bool(sanitize)
    libraries = [f"-L{directory}", f"-Wl,-rpath,{directory}", "-lgilscope", "-lfakepython", "-linterposer"]
    system = ["-lpthread", "-ldl"]
    _compile(directory, "libgilscope.so", sorted(CORE.glob("*.c")), [*CORE_FLAGS, *extra, *system])
    _compile(directory, "libfakepython.so", [HERE / "fake_python.c"], ["-O1", "-shared", *extra, *system])
    _compile(
        directory,
        "libinterposer.so",
        [HERE / "interposer.c", CORE / "got.c"],
        ["-O1", "-shared", "-fvisibility=hidden", *extra, *system],
    )
    for program in (HERE / "scenarios.c", BENCHMARKS / "hook_cost.c", HERE / "pairs.c"):
        _compile(directory, program.stem, [program], ["-O1", *extra, *libraries, *system])
    return directory
