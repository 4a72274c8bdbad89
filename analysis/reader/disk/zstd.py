"""Zstandard: Python's own from 3.14 on, else the package `zstandard`. Imported only where it is needed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from ...errors import GilscopeError

LEVEL: Final = 3

Compress = Callable[[Any], bytes]
Decompress = Callable[[Any, int], bytes]
"""Of data that becomes no longer than the second argument; ValueError if it is broken, or longer."""


def functions() -> tuple[Compress, Decompress]:
    """Return what compresses and what decompresses; both serve several threads at once.

    Raises
    ------
    GilscopeError
        There is no Zstandard in this Python.
    """
    try:
        return _own(import_module("compression.zstd"))
    except ImportError:
        pass
    try:
        return _package(import_module("zstandard"))
    except ImportError:
        raise GilscopeError(
            "packed traces need Zstandard, which this Python lacks: pip install zstandard (3.14 has its own)"
        ) from None


def _own(zstd: Any) -> tuple[Compress, Decompress]:
    def compress(data: Any) -> bytes:
        return bytes(zstd.compress(data, LEVEL))

    def decompress(data: Any, size: int) -> bytes:
        stream = zstd.ZstdDecompressor()
        try:
            found = bytes(stream.decompress(data, size + 1))
        except zstd.ZstdError as error:
            raise ValueError(str(error)) from None
        if not stream.eof:
            raise ValueError("it is cut, or longer than it says")
        return found

    return compress, decompress


def _package(zstandard: Any) -> tuple[Compress, Decompress]:
    def compress(data: Any) -> bytes:
        return bytes(zstandard.ZstdCompressor(LEVEL).compress(data))

    def decompress(data: Any, size: int) -> bytes:
        try:
            if zstandard.frame_content_size(data) > size:
                raise ValueError("it is longer than it says")
            return bytes(zstandard.ZstdDecompressor().decompress(data, max_output_size=size))
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from None

    return compress, decompress
