"""What the bootstrap needs of ctypes, by ctypes' names.

Importing ctypes makes a callback, and for callbacks libffi may open a file and keep it: the program would
find descriptor 3 taken; on some builds its compiled part alone does that. So the core is imported as a module
of its own. Only what has no other way takes ctypes' compiled part: Python before 3.7, whose GIL that begins,
and builds with trace references.
"""

import sys

TYPE_CHECKING = False

if TYPE_CHECKING or (sys.version_info >= (3, 7) and not hasattr(sys, "getobjects")):
    from gilscope_core import (
        CDLL,
        PyDLL,
        c_char_p,
        c_int,
        c_size_t,
        c_uint32,
        c_uint64,
        create_string_buffer,
    )
else:
    from gilscope_ctypes_old import (
        CDLL,
        PyDLL,
        c_char_p,
        c_int,
        c_size_t,
        c_uint32,
        c_uint64,
        create_string_buffer,
    )

__all__ = [
    "CDLL",
    "PyDLL",
    "c_char_p",
    "c_int",
    "c_size_t",
    "c_uint32",
    "c_uint64",
    "create_string_buffer",
]
