"""Begin the recording of this process, then step aside.

The launcher puts this directory first on PYTHONPATH, so `site` of the target, and of every Python that the
target starts, imports this module before the program. Whatever goes wrong here, the program runs on: the
worst that it sees is one line on stderr. Any interpreter from 2.7 on must read this file; it records where
there is a GIL that the core can see.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def leave_children_alone():
    # type: () -> None
    """Take what follows children out of the environment that they would inherit."""
    entries = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry != HERE]
    if entries == [] or entries == [""]:
        os.environ.pop("PYTHONPATH", None)
    else:
        os.environ["PYTHONPATH"] = os.pathsep.join(entries)
    for name in [name for name in os.environ if name.startswith("GILSCOPE_") and name != "GILSCOPE_TAGS"]:
        del os.environ[name]


def is_loaded(path):
    # type: (str) -> bool
    with open("/proc/self/maps", "rb") as maps:
        return path.encode("utf-8", "surrogateescape" if sys.version_info[0] > 2 else "strict") in maps.read()


def record():
    # type: () -> None
    from gilscope_begin import begin, say

    settings = {
        name[len("GILSCOPE_") :]: value for name, value in os.environ.items() if name.startswith("GILSCOPE_")
    }
    if "TRACE" not in settings or "CORE" not in settings:
        return  # only the path was inherited
    children = settings.get("CHILDREN", "1") != "0"
    if not children:
        leave_children_alone()
    # The core is in memory already: a subinterpreter of a recorded process, or Python initialised again.
    known = is_loaded(settings["CORE"])
    try:
        if "SWITCH_INTERVAL" in settings and hasattr(sys, "setswitchinterval"):
            sys.setswitchinterval(float(settings["SWITCH_INTERVAL"]))
        wanted = {name: settings.get(name, "1") != "0" for name in ("STACKS", "SAMPLES", "LOCKS")}
        failure = begin(settings["TRACE"], settings["CORE"], children, wanted, settings.get("BROKER", ""))
    except Exception:
        error = sys.exc_info()[1]
        failure = "" if known else "%s: %s" % (type(error).__name__, error)
    if failure and "SILENT" not in settings:
        say("process %d is not recorded: %s" % (os.getpid(), failure))
        if children:
            os.environ["GILSCOPE_SILENT"] = "1"  # its children would say the same


sys.path.insert(0, HERE)  # where the helpers are found even if someone has changed the path
try:
    record()
except Exception:
    from gilscope_begin import say

    say("process %d is not recorded: %s" % (os.getpid(), sys.exc_info()[1]))
sys.path[:] = [entry for entry in sys.path if entry != HERE]

# Now the module that would have been imported without us, if there is one. Its errors, and the ImportError
# when there is none, are site's to handle, as ever. (The name keeps this module alive meanwhile; 2.7 would
# clear it.)
this_module = sys.modules.pop("sitecustomize")
import sitecustomize  # noqa: E402
