"""What the C library does with memory that is let go of."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Final

_TRIM_THRESHOLD: Final = -1  # malloc.h: M_TRIM_THRESHOLD
_MMAP_THRESHOLD: Final = -3  # malloc.h: M_MMAP_THRESHOLD
_LARGE: Final = 32 << 20
_AT_THE_END: Final = 64 << 20


def use_again() -> None:
    """Have the C library keep for later all but very large pieces of memory, from now on in this process.

    It does so by itself only when many have come and gone. Of what is worked out in parts the next part then
    uses the memory of the one before: each page that is new is a fault. Where the library can't be told,
    nothing changes.
    """
    with suppress(AttributeError, OSError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_TRIM_THRESHOLD, _AT_THE_END)


def give_back() -> None:
    """Have the C library give back what is free now, wherever it lies. (Only glibc can.)"""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
