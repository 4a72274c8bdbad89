"""Protocol buffers, written by hand: the few kinds of fields that a Perfetto trace has."""

from __future__ import annotations


def varint(number: int) -> bytes:
    """Return a number, not negative, as LEB128."""
    if number < 0x80:
        return bytes((number,))
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def integer(field: int, value: int) -> bytes:
    """Return a field of type (u)int32, (u)int64, bool or enum."""
    return varint(field << 3) + varint(value & 0xFFFF_FFFF_FFFF_FFFF)


def fixed64(field: int, value: int) -> bytes:
    """Return a field of type fixed64."""
    return varint(field << 3 | 1) + value.to_bytes(8, "little")


def block(field: int, content: bytes) -> bytes:
    """Return a field that is a message."""
    return varint(field << 3 | 2) + varint(len(content)) + content


def text(field: int, content: str) -> bytes:
    """Return a field of type string."""
    return block(field, content.encode())
