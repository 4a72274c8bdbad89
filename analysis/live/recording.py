"""Finding a recording that goes on. (Without numpy: the launcher finds them too.)"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from ..errors import GilscopeError

_STREAM: Final = re.compile(
    r"[0-9a-f-]+ rw-s [^/]*(/.*)/[1-9][0-9]*(?:_[0-9]+)?/(?:gil_[0-9]+|names)(?: \(deleted\))?$"
)


def recording_of(target: str) -> Path:
    """Return the trace's directory of a process that is recorded (its id), or the directory itself.

    Raises
    ------
    GilscopeError
        There is no such process or directory, or the process is not recorded.
    """
    if not target.isdigit():
        path = Path(target)
        if not path.is_dir():
            raise GilscopeError(f"there is no trace {target}: name a recording's directory, or a process id")
        return path
    try:
        maps = Path(f"/proc/{target}/maps").read_text(errors="surrogateescape")
    except PermissionError:
        raise GilscopeError(f"process {target} belongs to someone else: run this as that user") from None
    except OSError:
        raise GilscopeError(f"there is no process {target}") from None
    for line in maps.splitlines():
        found = _STREAM.match(line)  # whoever reads a trace has it mapped too, but not to write
        if found is not None and (Path(found[1])).is_dir():
            return Path(found[1])
    raise GilscopeError(f"process {target} is not recorded: start it with python -m tracer, or attach to it")


def is_over(path: Path) -> bool:
    """Whether no process that is in the recording lives any more."""
    try:
        pids = [entry.name.partition("_")[0] for entry in path.iterdir() if entry.name[0].isdigit()]
    except OSError:
        return True
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)
