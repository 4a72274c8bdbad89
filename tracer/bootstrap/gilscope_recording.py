"""What a recording needs of Python, whoever began it: the bootstrap of a traced program, or tracer's API.

Any interpreter from 2.7 on reads this, so it keeps to what they all have, and it imports no more than it
needs: what it imports, the traced program finds imported.
"""

import operator
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

VERSION = "0.1.0"

# Options of the interpreter that take the next argument when their value is not joined to them.
_WITH_VALUE = "WXQ"
_LONG_WITH_VALUE = "--check-hash-based-pycs"

_STACK_DEPTH = 64  # of tracer/native/stacks/stacks.h


def split_command_line(arguments):
    # type: (list[str]) -> tuple[list[str], list[str]]
    """Split what followed the interpreter's name: its own options, and from the script, -m or -c on the rest.

    A cluster such as -um is split into -u and -m.
    """
    position = 0
    while position < len(arguments):
        argument = arguments[position]
        if argument == _LONG_WITH_VALUE:
            position += 2
            continue
        if argument.startswith("--") and len(argument) > 2:
            position += 1
            continue
        if not argument.startswith("-") or argument in ("-", "--"):
            break
        for index, letter in enumerate(argument[1:], 1):
            if letter in "cm":
                flags = arguments[:position] + (["-" + argument[1:index]] if index > 1 else [])
                value = [argument[index + 1 :]] if argument[index + 1 :] else []
                return flags, ["-" + letter] + value + arguments[position + 1 :]
            if letter in _WITH_VALUE:
                position += not argument[index + 1 :]
                break
        position += 1
    return arguments[:position], arguments[position:]


def json_string(text):
    # type: (str) -> str
    """JSON in ASCII; the json module would bring re and more into the traced program."""
    characters = []
    for character in text:
        code = ord(character)
        if character in '"\\':
            characters.append("\\" + character)
        elif 0x20 <= code < 0x7F:
            characters.append(character)
        elif code < 0x10000:
            characters.append("\\u%04x" % code)
        else:
            code -= 0x10000
            characters.append("\\u%04x\\u%04x" % (0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF)))
    return '"' + "".join(characters) + '"'


def tsdl_string(text):
    # type: (str) -> str
    """A string of the trace's metadata. Without control characters, which its grammar has no safe form of."""
    printable = "".join(character if character >= " " and character != "\x7f" else " " for character in text)
    return '"' + printable.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _arguments():
    # type: () -> list[str]
    """The program and its arguments, as far as the interpreter knows them by now."""
    original = getattr(sys, "orig_argv", None)
    if original:
        program = split_command_line(list(original[1:]))[1]
        if program:
            return program
    return list(getattr(sys, "argv", []))


def _plain(text):
    # type: (str) -> str
    """As the core writes it."""
    return "".join("\ufffd" if c in "\0\n" or "\ud800" <= c <= "\udfff" else c for c in text)


def decide_stacks(wanted, find, read, use):
    # type: (bool, Callable[[], str], Callable[[], str], Callable[[bool], object]) -> str
    """Whether the core reads stacks in this interpreter; what the metadata says of it.

    The core reads the interpreter's memory. So first it shows that it sees this very call as Python does.

    Parameters
    ----------
    wanted : bool
        Whether they are to be recorded at all.
    find, read, use : callable
        The core's gs_stacks_find (returns what went wrong, or nothing), gs_stacks_text and gs_stacks_use.
    """
    why = find() if wanted else ""
    if wanted and not why:
        frame = sys._getframe()  # type: Any
        seen = read().split("\n")[:-1]
        while seen and seen[0].split("\t")[2] != frame.f_code.co_qualname:
            del seen[0]  # of whoever makes the call for us
        for number, line in enumerate(seen):
            code = frame.f_code
            expected = "%d\t%d\t%s\t%s" % (
                frame.f_lasti,
                code.co_firstlineno,
                _plain(code.co_qualname),
                _plain(code.co_filename),
            )
            # This call itself has gone on since.
            if line.split("\t")[not number :] != expected.split("\t")[not number :]:
                why = "the core does not see the stack that Python sees"
                break
            frame = frame.f_back
        if not seen or (frame is not None and len(seen) < _STACK_DEPTH and not why):
            why = "the core does not see the whole stack"
    use(wanted and not why)
    return "on" if wanted and not why else "off: " + why if why else "off"


def pid_namespace():
    # type: () -> int
    """The namespace that this process's id is of: an inode, 0 where that is not to be had."""
    try:
        return int(os.readlink("/proc/self/ns/pid").partition("[")[2].rstrip("]"))
    except (OSError, ValueError):
        return 0


def decide_locks(wanted, find, leave):
    # type: (bool, Callable[[], str], Callable[[], object]) -> str
    """Whether locks other than the GIL are recorded; what the metadata says of it.

    `find`: the core's gs_locks_find (returns what went wrong, or nothing); `leave`: its gs_locks_leave.
    """
    why = find() if wanted else ""
    if not wanted:
        leave()
    return "on" if wanted and not why else "off: " + why if why else "off"


def runs_without_gil():
    # type: () -> bool
    """Whether this is a free-threaded build that runs without a GIL now."""
    enabled = getattr(sys, "_is_gil_enabled", None)
    return enabled is not None and not enabled()


def follow_gil(report):
    # type: (Callable[[str], object]) -> Callable[[], None]
    """Where there is no GIL, watch the imports of compiled modules: one that can't do without switches it on.

    Parameters
    ----------
    report : callable
        Called once, in the thread that imports, with the module's name, a newline, and its file.

    Returns
    -------
    callable
        Ends the watching.
    """
    if not runs_without_gil():
        return lambda: None
    import importlib.machinery

    Loader = importlib.machinery.ExtensionFileLoader  # type: Any
    originals = {"create_module": Loader.create_module, "exec_module": Loader.exec_module}
    watching = [True]

    def watched(original):
        # type: (Any) -> Any
        def load(self, module):
            # type: (Any, Any) -> Any
            try:
                return original(self, module)
            finally:
                if watching and not runs_without_gil():
                    del watching[:]
                    report("%s\n%s" % (self.name, self.path))

        return load

    for name, original in originals.items():
        setattr(Loader, name, watched(original))

    def undo():
        # type: () -> None
        del watching[:]
        for name, original in originals.items():
            setattr(Loader, name, original)

    return undo


def environment_text(stacks, locks="off"):
    # type: (str, str) -> str
    """What the metadata says of this process: assignments for the env block, in TSDL.

    `stacks`, `locks`: as `decide_stacks` and `decide_locks` say.
    """
    machine = os.uname()
    try:
        cpus = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        cpus = os.sysconf("SC_NPROCESSORS_ONLN")
    implementation = getattr(sys, "implementation", None)
    interval = getattr(sys, "getswitchinterval", lambda: 0)()
    entries = [
        ("hostname", tsdl_string(machine[1])),
        ("argv", tsdl_string("[" + ", ".join(map(json_string, _arguments())) + "]")),
        ("executable", tsdl_string(sys.executable or "")),
        ("python_implementation", tsdl_string("PyPy" if hasattr(sys, "pypy_version_info") else "CPython")),
        ("python_version", tsdl_string("%d.%d.%d" % sys.version_info[:3])),
        ("python_build", tsdl_string(sys.version.replace("\n", " "))),
        ("switch_interval_ns", "%.0f" % (interval * 1e9)),
        ("cpus", str(cpus)),
        ("kernel", tsdl_string(machine[2])),
        ("pid_namespace", "%d" % pid_namespace()),
        ("stacks", tsdl_string(stacks)),
        ("locks", tsdl_string(locks)),
        ("without_gil", str(int(runs_without_gil()))),
        ("gilscope_version", tsdl_string(VERSION)),
    ]
    if implementation is not None and implementation.name not in ("cpython", "pypy"):
        entries.append(("implementation_name", tsdl_string(implementation.name)))
    if os.environ.get("GILSCOPE_TAGS"):  # what summaries of many processes tell it by: release=1.4,zone=b
        entries.append(("tags", tsdl_string(os.environ["GILSCOPE_TAGS"])))
    return "".join("  %s = %s;\n" % entry for entry in entries)


def stop_before_exit(stop):
    # type: (Callable[[], object]) -> Callable[[], None]
    """Call `stop` when this process ends: after its other atexit hooks, and before os._exit.

    Workers of multiprocessing that were forked end by os._exit; without this each would look killed.

    Returns
    -------
    callable
        Takes both hooks back.
    """
    import atexit

    atexit.register(stop)
    original = os._exit  # type: Any

    def _exit(status):
        # type: (Any) -> Any
        operator.index(status)  # what makes the call fail must fail before the recording has ended
        stop()
        return original(status)

    _exit.__doc__ = original.__doc__
    os._exit = _exit

    def undo():
        # type: () -> None
        if hasattr(atexit, "unregister"):
            atexit.unregister(stop)
        if os._exit is _exit:
            os._exit = original

    return undo
