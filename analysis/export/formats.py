"""Which formats there are, and how their files are written: all or nothing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from ..errors import GilscopeError

if TYPE_CHECKING:
    from ..tables.trace import Trace


def _perfetto(trace: Trace) -> Iterator[bytes]:
    from .perfetto import packets

    return packets(trace)


def _chrome(trace: Trace) -> Iterator[bytes]:
    from .chrome import lines

    return (line.encode() for line in lines(trace))


def _firefox(trace: Trace) -> Iterator[bytes]:
    from .firefox import profile

    return _json(profile(trace))


def _speedscope(trace: Trace) -> Iterator[bytes]:
    from .speedscope import profile

    return _json(profile(trace))


def _json(value: object) -> Iterator[bytes]:
    return (part.encode() for part in json.JSONEncoder(separators=(",", ":")).iterencode(value))


_STREAMS: Final[dict[str, Callable[[Trace], Iterator[bytes]]]] = {
    "perfetto": _perfetto,
    "firefox": _firefox,
    "speedscope": _speedscope,
    "chrome": _chrome,
}

FORMATS: Final = (*_STREAMS, "parquet")
"""What `write` takes, in the order of the documents."""


def write(trace: Trace, path: str | Path, form: str) -> Path:
    """Write a trace for another program; compressed if the name ends in .gz (all of these read that).

    Parameters
    ----------
    trace : Trace
    path : str or Path
        Replaced if it exists; as long as the file is not complete it has another name.
    form : str
        One of `FORMATS`.

    Raises
    ------
    GilscopeError
        If there is no such format, or what it needs is not installed.
    OSError
        If the file can't be written.
    """
    if form not in FORMATS:
        raise GilscopeError(f"no format {form}: choose one of {', '.join(FORMATS)}")
    target = Path(path)
    partial = target.with_name(f".{target.name}.part")
    try:
        if form == "parquet":
            from .parquet import save

            save(trace, partial)
        else:
            with _opened(partial, target.suffix == ".gz") as file:
                _write(file, _STREAMS[form](trace))
        partial.replace(target)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(target)) from None  # by the name that was asked for
    finally:
        partial.unlink(missing_ok=True)
    return target


def _opened(path: Path, compressed: bool) -> IO[bytes]:
    if compressed:
        return gzip.GzipFile(path, "wb", compresslevel=5, mtime=0)  # type: ignore[return-value]
    return path.open("wb")


def _write(file: IO[bytes], parts: Iterable[bytes]) -> None:
    gathered = bytearray()
    for part in parts:
        gathered += part
        if len(gathered) >= 1 << 20:
            file.write(gathered)
            gathered.clear()
    file.write(gathered)
