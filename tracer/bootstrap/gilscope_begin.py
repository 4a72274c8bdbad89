"""Begin a recording in the interpreter that runs this, whichever that is, with nothing but the core.

Any interpreter from 2.7 on must read this file; it records where there is a GIL that the core can see.
"""

import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

undo = []  # type: list[Callable[[], None]]
"""What takes back what a recording changed in this interpreter: for whoever ends it before the program."""


def _seen(c):
    # type: (str) -> bool
    return c > "\xa0" and bool(getattr(c, "isprintable", c.isalnum)())  # 2.7: bytes


def say(line):
    # type: (str) -> None
    """Write one line; what a terminal would obey, in a path or an argument, is not written."""
    try:
        fit = "".join(c if " " <= c < "\x7f" or _seen(c) else "?" for c in line)
        os.write(2, ("gilscope: " + fit + "\n").encode("utf-8", "replace"))
    except Exception:
        pass


def begin(directory, core_path, children, wanted, broker):
    # type: (str, str, bool, dict[str, bool], str) -> str
    """Start recording; returns what prevented it, in one line, or nothing. wanted: STACKS, SAMPLES, LOCKS."""
    return _prepare(core_path, wanted, _Recording(directory, children, broker))


def arm(directory, core_path, children, wanted):
    # type: (str, str, bool, dict[str, bool]) -> str
    """Put the hooks in and listen in `directory`, which is made; returns what prevented it, or nothing."""
    try:
        _own_directory(directory)
    except (OSError, IOError):
        return "%s can't be used: %s" % (directory, sys.exc_info()[1])
    return _prepare(core_path, wanted, _Arming(directory, children))


def _own_directory(path):
    # type: (str) -> None
    """Make it, of this user alone; whoever else could write there could stand in for the process."""
    try:
        os.mkdir(path, 0o700)
    except OSError:
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode):
            raise
        if status.st_uid not in (os.geteuid(), 0) or status.st_mode & stat.S_IWOTH & ~(status.st_mode >> 8):
            raise OSError("it belongs to someone else, or anyone may write there")


class _Recording(object):
    """A recording from now on."""

    def __init__(self, directory, children, broker):
        # type: (str, bool, str) -> None
        self._directory = directory
        self._children = children
        self._broker = broker

    def begin(self, core, text, message):
        # type: (Any, bytes, Any) -> bool
        import gilscope_ctypes as ctypes

        core.gs_use_broker.argtypes = [ctypes.c_char_p]
        core.gs_use_broker.restype = None
        core.gs_use_broker(_bytes(self._broker, "ascii"))
        return bool(core.gs_start(_path(self._directory), text, self._children, message, len(message)) == 0)

    def end_with(self, core):
        # type: (Any) -> Any
        return core.gs_stop


class _Arming(object):
    """A recording when somebody asks for it."""

    def __init__(self, directory, children):
        # type: (str, bool) -> None
        self._directory = directory
        self._children = children

    def begin(self, core, text, message):
        # type: (Any, bytes, Any) -> bool
        path = _path(os.path.abspath(self._directory))
        if core.gs_arm(path, text, self._children, message, len(message)) != 0:
            return False
        again = core.gs_arm_again
        again.argtypes = []
        again.restype = None
        if hasattr(os, "register_at_fork"):  # else a process that has forked does not listen any more
            os.register_at_fork(after_in_parent=again, after_in_child=again)
        return True

    def end_with(self, core):
        # type: (Any) -> Any
        return core.gs_disarm


def _bytes(text, encoding):
    # type: (Any, str) -> bytes
    return text if isinstance(text, bytes) else text.encode(encoding, "replace")


def _path(path):
    # type: (Any) -> bytes
    return path if isinstance(path, bytes) else os.fsencode(path)


def _prepare(core_path, wanted, what):
    # type: (str, dict[str, bool], Any) -> str
    """Put the hooks in, learn what there is to learn, and begin what is wanted."""
    if hasattr(sys, "pypy_version_info"):
        return "PyPy's lock is not CPython's GIL, only when its threads have a CPU can be seen"
    import gilscope_ctypes as ctypes
    import gilscope_recording as recording
    import gilscope_threads as threads

    core = ctypes.PyDLL(core_path)  # PyDLL: the core is called with the GIL held
    gs_name_thread = core.gs_name_thread
    gs_name_thread.argtypes = [ctypes.c_uint32, ctypes.c_char_p]
    gs_name_thread.restype = None

    def name_thread(tid, name):
        # type: (int, str) -> None
        if without_gil and tid == core.gs_thread_id():
            core.gs_attach_thread()  # no take of a GIL would
        gs_name_thread(tid, _bytes(name, "utf-8"))

    without_gil = recording.runs_without_gil()
    core.gs_thread_id.argtypes = []
    core.gs_thread_id.restype = ctypes.c_uint32
    if not core.gs_may_begin() or core.gs_is_armed():
        threads.follow_thread_names(name_thread)
        return ""

    message = ctypes.create_string_buffer(8192)
    for function in (core.gs_install, core.gs_install_without_gil, core.gs_locks_find):
        function.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    for function in (core.gs_start, core.gs_arm):
        function.argtypes = [
            ctypes.c_char_p,
            ctypes.c_char_p,
            ctypes.c_int,
            ctypes.c_char_p,
            ctypes.c_size_t,
        ]
    install = core.gs_install
    if without_gil and wanted["LOCKS"]:
        install = core.gs_install_without_gil
    if install(message, len(message)) != 0:
        name_threads_in_os(threads)
        return said(message)

    def find_locks():
        # type: () -> str
        return said(message) if core.gs_locks_find(message, len(message)) != 0 else ""

    stacks = decide_stacks(core, wanted["STACKS"], recording)
    core.gs_samples_use.restype = None
    core.gs_samples_use(1 if wanted["SAMPLES"] else 0)
    locks = recording.decide_locks(wanted["LOCKS"], find_locks, lambda: None)
    if locks.startswith("off: ") and sys.version_info >= (3, 11):
        say("process %d is recorded without its locks: %s" % (os.getpid(), locks[len("off: ") :]))
    environment = recording.environment_text(stacks, locks)
    if not what.begin(core, _bytes(environment, "utf-8"), message):
        return said(message)
    end = what.end_with(core)
    end.argtypes = []
    end.restype = None
    undo.append(recording.stop_before_exit(end))
    undo.append(threads.follow_thread_names(name_thread, core.gs_thread_id))
    core.gs_gil_enabled_by.argtypes = [ctypes.c_char_p]
    undo.append(recording.follow_gil(lambda text: core.gs_gil_enabled_by(text.encode("utf-8", "replace"))))
    return ""


def name_threads_in_os(threads):
    # type: (Any) -> None
    """Tell the kernel what threads are called, as Python does from 3.14 on: nobody else sees them here."""
    import threading

    import gilscope_ctypes as ctypes

    if sys.version_info >= (3, 14) or sys.version_info < (3, 8):
        return
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = [ctypes.c_int, ctypes.c_char_p]

    def name_thread(tid, name):
        # type: (int, str) -> None
        if tid == threading.get_native_id() != os.getpid():  # the main thread keeps the program's name
            prctl(15, name.encode("utf-8", "replace"))  # PR_SET_NAME, which takes the first 15 bytes

    threads.follow_thread_names(name_thread)


def said(message):
    # type: (Any) -> str
    return str(message.value.decode("utf-8", "replace")) or "the native core gave no reason"


def decide_stacks(core, wanted, recording):
    # type: (Any, bool, Any) -> str
    import gilscope_ctypes as ctypes

    text = ctypes.create_string_buffer(65536)
    for function in (core.gs_stacks_find, core.gs_stacks_text):
        function.argtypes = [ctypes.c_char_p, ctypes.c_size_t]

    def find():
        # type: () -> str
        return said(text) if core.gs_stacks_find(text, len(text)) != 0 else ""

    def read():
        # type: () -> str
        core.gs_stacks_text(text, len(text))
        return str(text.value.decode("utf-8", "replace"))

    return str(recording.decide_stacks(wanted, find, read, core.gs_stacks_use))
