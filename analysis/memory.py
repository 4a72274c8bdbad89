"""What is let go of goes back to the system at once."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Final

_MMAP_THRESHOLD: Final = -3  # malloc.h: M_MMAP_THRESHOLD
_LARGE: Final = 2 << 20


def give_back_large() -> None:
    """Have the C library give large pieces of memory back when they are freed, from now on in this process.

    Otherwise glibc keeps those of up to 32 MB for later ones, between others that live longer. Where the
    library can't be told, nothing changes.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE)


def give_back() -> None:
    """Have the C library give back what is free now, wherever it lies. (Only glibc can.)"""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
