"""The core's functions, called through a module that the core itself is: tracer/native/python.c.

By the names that ctypes has for such things, because older interpreters take it: `gilscope_ctypes`.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class c_int(object):
    """What a function takes, or returns."""


class c_uint32(c_int):
    pass


class c_uint64(c_int):
    pass


class c_size_t(c_int):
    pass


class c_char_p(c_int):
    pass


class _Buffer(bytearray):
    """Bytes to be written to; `value` is what stands before the first NUL."""

    @property
    def value(self):
        # type: () -> bytes
        return bytes(self).partition(b"\0")[0]


def create_string_buffer(size):
    # type: (int) -> Any
    return _Buffer(size)


class _Function(object):
    def __init__(self, module, name, of_library):
        # type: (Any, str, bool) -> None
        self._module = module
        self._start = (name.encode("ascii") + b"\0", int(of_library))
        self.argtypes = []  # type: list[type]
        self.restype = c_int  # type: type | None

    def __call__(self, *arguments):
        # type: (Any) -> Any
        value = self._module.call(*(self._start + arguments))
        if self.restype is None:
            return None
        if self.restype is c_char_p:
            return self._module.text_at(value) if value else None
        value &= 0xFFFFFFFF
        return value - (1 << 32) if self.restype is c_int and value >= 1 << 31 else value


class CDLL(object):
    """The C library, None; its functions are attributes."""

    _core = ""

    def __init__(self, path):
        # type: (str | None) -> None
        self._of_library = path is None
        CDLL._core = path or CDLL._core
        self._module = _module(CDLL._core)

    def __getattr__(self, name):
        # type: (str) -> Any
        if name.startswith("__"):
            raise AttributeError(name)
        function = _Function(self._module, name, self._of_library)
        setattr(self, name, function)
        return function


class PyDLL(CDLL):
    """The core, called with the GIL held."""


def _module(path):
    # type: (str) -> Any
    """Import the core, without a trace in `sys.modules`; it stays in memory as any library does."""
    import _frozen_importlib
    import _frozen_importlib_external

    name = "gilscope_native_t" if "t" in getattr(sys, "abiflags", "") else "gilscope_native"
    loader = _frozen_importlib_external.ExtensionFileLoader(name, path)
    spec = _frozen_importlib.ModuleSpec(name, loader, origin=path)
    module = loader.create_module(spec)
    loader.exec_module(module)
    return module
