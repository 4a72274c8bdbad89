"""`python -m tracer pack TRACE` and `unpack FILE`: a trace as one file, and back."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ..arguments import Parser
from ..destinations import say
from ..errors import GilscopeError
from ..reader.disk.packed import unpack
from ..reader.disk.packing import pack
from ..reader.problems import Problems

SUFFIX = ".gilpack"


def pack_main(arguments: list[str]) -> int:
    """Run `pack`; returns the exit status.

    Raises
    ------
    GilscopeError
        It is no trace, or the file can't be written.
    """
    options = _parser("pack", "TRACE", "Write a trace as one file, to send to somebody.", f"TRACE{SUFFIX}")
    given = options.parse_args(arguments)
    trace = Path(given.trace)
    target = Path(given.output) if given.output else _beside(trace)
    _made(target, given.force, lambda part: _pack_into(trace, part))
    before = sum(path.stat().st_size for path in trace.rglob("*") if path.is_file())
    after = target.stat().st_size
    say(f"{target}: {after:,} bytes in place of {before:,}")
    return 0


def unpack_main(arguments: list[str]) -> int:
    """Run `unpack`; returns the exit status.

    Raises
    ------
    GilscopeError
        It is no packed trace, or a wrong one, or the directory can't be written.
    """
    options = _parser(
        "unpack", "FILE", "Write a packed trace as the directory it was.", f"FILE without {SUFFIX}"
    )
    options.add_argument("--salvage", action="store_true", help="write what is good of a cut or changed one")
    given = options.parse_args(arguments)
    source = Path(given.trace)
    if given.output is None and source.suffix != SUFFIX:
        raise GilscopeError(f"{source} does not end with {SUFFIX}: say where to (-o DIRECTORY)")
    target = Path(given.output or source.with_suffix(""))
    if target.exists():
        raise GilscopeError(f"{target} exists already: choose another place (-o DIRECTORY)")
    problems = Problems(given.salvage)
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        part.mkdir()
        unpack(source, part, problems)
        part.rename(target)
    except OSError as error:
        raise GilscopeError(f"{target}: {error.strerror}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    for line in problems.skipped:
        say(line)
    say(f"trace {target}")
    return 0


def _beside(trace: Path) -> Path:
    """Return where to: beside the trace, also if that is `.`; the root of all has no name to go by."""
    whole = trace if trace.name.strip(".") else trace.resolve()
    if not whole.name:
        raise GilscopeError(f"{trace} is no trace")
    return whole.with_name(whole.name + SUFFIX)


def _pack_into(trace: Path, part: Path) -> None:
    with part.open("xb") as file:
        pack(trace, file)


def _made(target: Path, force: bool, make: Callable[[Path], None]) -> None:
    """Make a file at once, so that there is never half of one."""
    if target.exists() and not force:
        raise GilscopeError(
            f"{target} exists already: choose another place (-o FILE) or replace it (--force)"
        )
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        make(part)
        part.replace(target)
    except OSError as error:
        raise GilscopeError(f"{target}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


def _parser(name: str, what: str, description: str, default: str) -> argparse.ArgumentParser:
    parser = Parser(prog=f"gilscope {name}", description=description)
    parser.add_argument("trace", metavar=what)
    parser.add_argument("-o", "--output", metavar="PATH", help=f"where to (default: {default})")
    if name == "pack":
        parser.add_argument("--force", action="store_true", help="replace a file that is there")
    return parser
