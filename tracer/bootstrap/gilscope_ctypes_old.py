"""ctypes without its Python part, which makes a callback when it is imported: see `gilscope_ctypes`."""

import _ctypes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_c = _ctypes  # type: Any
_SimpleCData = _c._SimpleCData  # type: Any
_CFuncPtr = _c.CFuncPtr  # type: Any


class c_int(_SimpleCData):  # type: ignore[misc]
    _type_ = "i"


class c_uint32(_SimpleCData):  # type: ignore[misc]
    _type_ = "I"


class c_uint64(_SimpleCData):  # type: ignore[misc]
    _type_ = "L"


class c_size_t(_SimpleCData):  # type: ignore[misc]
    _type_ = "L"


class c_char(_SimpleCData):  # type: ignore[misc]
    _type_ = "c"


class c_char_p(_SimpleCData):  # type: ignore[misc]
    _type_ = "z"


class c_void_p(_SimpleCData):  # type: ignore[misc]
    _type_ = "P"


def create_string_buffer(size):
    # type: (int) -> Any
    """Bytes to be written to; `value` is what stands before the first NUL."""
    char = c_char  # type: Any
    array = char * size
    return array()


class CDLL(object):
    """A library; its functions are attributes, called without the GIL."""

    class _Function(_CFuncPtr):  # type: ignore[misc]
        _flags_ = _ctypes.FUNCFLAG_CDECL
        _restype_ = c_int

    def __init__(self, path):
        # type: (str | bytes | None) -> None
        self._handle = _c.dlopen(path, 0)

    def __getattr__(self, name):
        # type: (str) -> Any
        if name.startswith("__"):
            raise AttributeError(name)
        function = self._Function((name, self))
        setattr(self, name, function)
        return function


class PyDLL(CDLL):
    """The same, called with the GIL held."""

    class _Function(_CFuncPtr):  # type: ignore[misc]
        _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_PYTHONAPI
        _restype_ = c_int
