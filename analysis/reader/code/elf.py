"""Which function of a library an instruction is of: as much of ELF as that takes.

A file that is none, is cut, or lies about itself has no functions; nothing else comes of it.
"""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from ...arrays import Bytes, Int64s, Table

_HEADER: Final = np.dtype(
    [
        ("magic", "S4"),
        ("bits", "u1"),
        ("order", "u1"),
        ("rest", "V10"),
        ("kind", "<u2"),
        ("machine", "<u2"),
        ("version", "<u4"),
        ("entry", "<u8"),
        ("segments", "<u8"),
        ("sections", "<u8"),
        ("flags", "<u4"),
        ("size", "<u2"),
        ("segment_size", "<u2"),
        ("segment_count", "<u2"),
        ("section_size", "<u2"),
        ("section_count", "<u2"),
        ("section_names", "<u2"),
    ]
)
_SEGMENT: Final = np.dtype(
    [
        ("kind", "<u4"),
        ("flags", "<u4"),
        ("offset", "<u8"),
        ("address", "<u8"),
        ("physical", "<u8"),
        ("in_file", "<u8"),
        ("in_memory", "<u8"),
        ("align", "<u8"),
    ]
)
_SECTION: Final = np.dtype(
    [
        ("name", "<u4"),
        ("kind", "<u4"),
        ("flags", "<u8"),
        ("address", "<u8"),
        ("offset", "<u8"),
        ("size", "<u8"),
        ("link", "<u4"),
        ("info", "<u4"),
        ("align", "<u8"),
        ("entry", "<u8"),
    ]
)
_SYMBOL: Final = np.dtype(
    [("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"), ("size", "<u8")]
)
_LOAD, _SYMTAB, _DYNSYM = 1, 2, 11
_FUNCTIONS: Final = (2, 10)
"""STT_FUNC, and STT_GNU_IFUNC, which is one that chooses another."""

_LARGEST: Final = 1 << 33
_NESTED: Final = 8
"""Functions that may begin in one before it ends."""


def functions_at(path: Path, offsets: Int64s) -> list[tuple[int, int, str] | None]:
    """Return for each offset in a file the function there: where it begins and ends, and its symbol.

    None: of a place that has no symbol, as most in stripped files.
    """
    try:
        return _functions_at(_mapped(path), offsets)
    except (OSError, ValueError):
        return [None] * len(offsets)


def _mapped(path: Path) -> Bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or not _HEADER.itemsize <= status.st_size <= _LARGEST:
            raise ValueError("no library")
        return np.frombuffer(mmap.mmap(descriptor, 0, prot=mmap.PROT_READ), np.uint8)
    finally:
        os.close(descriptor)


def _functions_at(data: Bytes, offsets: Int64s) -> list[tuple[int, int, str] | None]:
    header = _rows(data, 0, 1, _HEADER)[0]
    if (header["magic"], header["bits"], header["order"]) != (b"\x7fELF", 2, 1):
        raise ValueError("no ELF of 64 bits, little endian")
    segments = _rows(data, int(header["segments"]), int(header["segment_count"]), _SEGMENT)
    sections = _rows(data, int(header["sections"]), int(header["section_count"]), _SECTION)
    found: list[tuple[int, int, str] | None] = [None] * len(offsets)
    for symbols, texts in _tables(data, sections):
        begin = _in_file(segments, symbols["value"].astype(np.int64))
        order = np.lexsort((symbols["size"], begin))
        begin, symbols = begin[order], symbols[order]
        end = begin + symbols["size"].astype(np.int64)
        for number, offset in enumerate(offsets.tolist()):
            last = int(np.searchsorted(begin, offset, "right"))
            inside = (at for at in range(last - 1, max(last - 1 - _NESTED, -1), -1) if offset < end[at])
            at = next(inside, None)
            if found[number] is None and at is not None:
                name = _text(texts, int(symbols["name"][at]))
                found[number] = int(begin[at]), int(end[at]), name
    return found


def _rows(data: Bytes, offset: int, count: int, kind: np.dtype[np.void]) -> Table:
    part = data[offset : offset + count * kind.itemsize]
    if len(part) < count * kind.itemsize:
        raise ValueError("a file that was cut")
    return part.copy().view(kind)


def _tables(data: Bytes, sections: Table) -> Iterator[tuple[Table, Bytes]]:
    """Yield the tables of functions, the full one first, each with its names."""
    for kind in (_SYMTAB, _DYNSYM):
        for section in sections[sections["kind"] == kind]:
            if section["entry"] != _SYMBOL.itemsize or section["link"] >= len(sections):
                continue
            symbols = _rows(data, int(section["offset"]), int(section["size"]) // _SYMBOL.itemsize, _SYMBOL)
            names = sections[section["link"]]
            wanted = (
                np.isin(symbols["info"] & 15, _FUNCTIONS) & (symbols["section"] != 0) & (symbols["size"] > 0)
            )
            wanted &= symbols["size"] < _LARGEST
            yield symbols[wanted], data[int(names["offset"]) : int(names["offset"] + names["size"])]


def _in_file(segments: Table, address: Int64s) -> Int64s:
    """Return where in the file an address of the library's own is; -1: nowhere."""
    offset = np.full(len(address), -1, np.int64)
    for segment in segments[segments["kind"] == _LOAD]:
        first, size = int(segment["address"]), int(segment["in_file"])
        mine = (address >= first) & (address < first + size)
        offset[mine] = address[mine] - first + int(segment["offset"])
    return offset


def _text(texts: Bytes, at: int) -> str:
    raw = texts[at : at + 4096].tobytes()
    return raw[: raw.find(b"\0")].decode("utf-8", "replace") if b"\0" in raw else ""
