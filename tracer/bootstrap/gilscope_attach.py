"""What `attach` has a living process run: begin a recording, or end it and take everything back.

The interpreter itself runs this, in the main thread, between two instructions of the program (3.14 and
later: `sys.remote_exec`). Whatever goes wrong here is told to whoever attaches, never to the program.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def attach(trace, core, stacks, samples, locks, answer):
    # type: (str, str, bool, bool, bool, str) -> None
    """Record into the directory `trace`; write to the file `answer` what prevented it, or nothing."""
    try:
        import gilscope_begin

        del gilscope_begin.undo[:]
        failure = gilscope_begin.begin(
            trace, core, True, {"STACKS": stacks, "SAMPLES": samples, "LOCKS": locks}, ""
        )
    except Exception:
        error = sys.exc_info()[1]
        failure = "%s: %s" % (type(error).__name__, error)
    _tell(answer, failure)


def detach(core, answer):
    # type: (str, str) -> None
    """End the recording, take the hooks out, and write to `answer` what went wrong, or nothing."""
    try:
        import gilscope_begin
        import gilscope_ctypes as ctypes

        library = ctypes.PyDLL(core)  # type: Any
        for function in (library.gs_stop, library.gs_uninstall):
            function.argtypes = []
            function.restype = None
        library.gs_stop()
        library.gs_uninstall()
        while gilscope_begin.undo:
            gilscope_begin.undo.pop()()
        failure = ""
    except Exception:
        error = sys.exc_info()[1]
        failure = "%s: %s" % (type(error).__name__, error)
    _tell(answer, failure)


def _tell(answer, failure):
    # type: (str, str) -> None
    """Replace the file in one step, so that a reader finds all of it."""
    with open(answer + ".new", "w") as file:
        file.write("failed: " + failure if failure else "done")
    os.rename(answer + ".new", answer)
