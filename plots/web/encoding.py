"""Numbers as text: LEB128 varints, compressed, in base64."""

from __future__ import annotations

import base64
import zlib

import numpy as np

from analysis.arrays import Bytes, Int64s

_CHUNK = 1 << 20  # numbers at once: what is made of them then fits in some 60 MB


def varint_lengths(numbers: Int64s) -> Int64s:
    """Return how many bytes each number, not negative, takes as a varint."""
    lengths = np.ones(len(numbers), np.int64)
    bound = 1 << 7
    most = int(numbers.max(initial=0))
    while bound <= most:
        lengths += numbers >= bound
        bound <<= 7
    return lengths


def varints(numbers: Int64s) -> bytes:
    """Return numbers, none of them negative, as LEB128: seven bits a byte, the low ones first."""
    return b"".join(_varints(numbers[at : at + _CHUNK]).tobytes() for at in range(0, len(numbers), _CHUNK))


def _varints(numbers: Int64s) -> Bytes:
    lengths = varint_lengths(numbers)
    ends = np.cumsum(lengths)
    result = np.empty(int(ends[-1]), np.uint8)
    at = ends - lengths
    left = numbers.astype(np.int64, copy=True)
    while len(left):
        more = left >= 0x80
        result[at] = (left & 0x7F) | (more * 0x80)
        left, at = left[more] >> 7, at[more] + 1
    return result


def packed(raw: bytes, level: int = 6) -> str:
    """Return bytes compressed (raw deflate) and in base64."""
    return base64.b64encode(deflated(raw, level)).decode("ascii")


def deflated(raw: bytes, level: int = 6) -> bytes:
    """Return bytes compressed: raw deflate, without zlib's header."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15)
    return compressor.compress(raw) + compressor.flush()
