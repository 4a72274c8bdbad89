"""What to call native code: libraries without what packagers add, functions as their authors wrote them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import PurePath
from typing import Any, Final

MADE_AT_RUN_TIME: Final = "code made at run time"

_NO_FILE: Final = ("//anon", "/dev/zero", "/memfd:", "/SYSV", "[heap]", "[stack]", "[anon", "anon_inode:")
_ENDINGS: Final = re.compile(r"\.(cpython-|abi3\.|pypy|so\b).*")
_HASH: Final = re.compile(r"-[0-9a-f]{8}$")
_VARIANT: Final = re.compile(r"\.(cold|part|constprop|isra|lto_priv|llvm|localalias)(\.\d+)*(?=\.|$)|@.*")
_RUST_HASH: Final = re.compile(r"::h[0-9a-f]{16}$")
_CYTHON: Final = re.compile(r"__pyx_(?:pw|pf|f|fuse_\d+(?:pw|pf|f)?|gb|specialmethod)_(?=\d|__)")
_INTERPRETER: Final = re.compile(r"(lib)?(python|pypy)[0-9.]*(td?|dm?)?(-c)?$")


def library_of(path: str) -> str:
    """Return what to call a mapped file: "libopenblas", "_json"; or that code was made at run time."""
    if path.startswith(_NO_FILE):
        return MADE_AT_RUN_TIME
    if path.startswith("["):
        return path.strip("[]")
    return _HASH.sub("", _ENDINGS.sub("", PurePath(path).name)) or path


def is_interpreter(library: str) -> bool:
    """Return whether it is Python's own: libpython3.11, python3.11."""
    return _INTERPRETER.match(library) is not None


def readable(symbol: str) -> str:
    """Return a function's name: of C as it is, of Cython, C++ and Rust without what the compiler adds."""
    name = _VARIANT.sub("", symbol)
    if name.startswith("__pyx_"):
        return _of_cython(name)
    if name.startswith(("_Z", "_R")):
        return _short(_demangled(name))
    return name


def _of_cython(name: str) -> str:
    """Read __pyx_pw_8examples_10_countdown_1countdown_with_gil: lengths and names, a number, and its own."""
    start = _CYTHON.match(name)
    if start is None:
        return name
    at = start.end()
    while (size := re.compile(r"\d+").match(name, at)) is not None:
        end = size.end() + int(size[0])
        if end >= len(name) or name[end] != "_":
            return name[size.end() :]
        at = end + 1
    return name[at:]


def _short(name: str) -> str:
    """Without arguments, and with what is in <> left out."""
    kept: list[str] = []
    depth = 0
    for character in _RUST_HASH.sub("", name):
        if character == "(" and depth == 0 and kept and "".join(kept[-8:]) != "operator":
            break
        depth += (character == "<") - (character == ">" and depth > 0)
        if depth == 0 and character != ">":
            kept.append(character)
    short = "".join(kept).strip()
    return short.rpartition(" ")[2] if " " in short and "operator" not in short else short or name


def _demangled(name: str) -> str:
    import ctypes  # where it is needed: few programs have such names

    demangle = _demangler()
    if demangle is None:
        return name
    status = ctypes.c_int()
    found = demangle(name.encode(), None, None, ctypes.byref(status))
    if status.value != 0 or not found:
        return name
    try:
        return ctypes.string_at(found).decode("utf-8", "replace")
    finally:
        ctypes.CDLL(None).free(ctypes.c_void_p(found))


@cache
def _demangler() -> Any:
    """Return the C++ library's own; None where there is none, and names stay as they are."""
    import ctypes

    try:
        demangle = ctypes.CDLL("libstdc++.so.6").__cxa_demangle
    except (OSError, AttributeError):
        return None
    demangle.restype = ctypes.c_void_p
    demangle.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    return demangle
