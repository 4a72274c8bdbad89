"""What is let go of goes back to the system at once."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Final

_MMAP_THRESHOLD: Final = -3  # malloc.h: M_MMAP_THRESHOLD


def give_back_large(least: int) -> None:
    """Have the C library give pieces of memory from `least` bytes on back when they are freed, from now on.

    Otherwise glibc keeps those of up to 32 MB for later ones, between others that live longer. Where the
    library can't be told, nothing changes.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, least)


def give_back() -> None:
    """Have the C library give back what is free now, wherever it lies. (Only glibc can.)"""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
