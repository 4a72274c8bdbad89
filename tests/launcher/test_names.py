"""Threads carry their Python names in the trace, whenever they get them."""

from __future__ import annotations

from tests.launcher.support import Launcher


def names(launcher: Launcher, source: str, interpreter: str) -> list[str]:
    trace = launcher.record(source, options=("--python", interpreter)).load()
    return [thread.name for thread in trace.threads]


def test_names_at_start_and_later(launcher: Launcher, interpreter: str) -> None:
    source = """
    import threading, time

    def rename():
        threading.current_thread().name = "renamed by itself"
        time.sleep(0.2)

    threads = [
        threading.Thread(target=time.sleep, args=(0.2,), name="named at birth"),
        threading.Thread(target=time.sleep, args=(0.2,)),
        threading.Thread(target=rename, name="gone"),
    ]
    for thread in threads:
        thread.start()
    threads[1].name = "renamed by another, ünïcödé"
    for thread in threads:
        thread.join()
    threads[0].name = "too late"
    """
    first, *others = names(launcher, source, interpreter)
    assert first == "MainThread"
    assert set(others) == {
        "named at birth",
        "renamed by another, ünïcödé",
        "renamed by itself",
    }


def test_main_thread_renamed(launcher: Launcher, interpreter: str) -> None:
    source = "import threading; threading.main_thread().name = 'the boss'"
    assert names(launcher, source, interpreter) == ["the boss"]


def test_thread_made_in_c(launcher: Launcher, interpreter: str) -> None:
    source = """
    import ctypes, threading
    libc = ctypes.CDLL(None)
    FUNCTION = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)

    @FUNCTION
    def run(argument):
        threading.current_thread().name = "from C"
        return 0

    thread = ctypes.c_ulong()
    libc.pthread_create(ctypes.byref(thread), None, run, None)
    libc.pthread_join.argtypes = [ctypes.c_ulong, ctypes.c_void_p]
    libc.pthread_join(thread, None)
    """
    assert names(launcher, source, interpreter) == ["MainThread", "from C"]


def test_threading_looks_untouched(launcher: Launcher) -> None:
    source = """
    import threading, inspect
    assert isinstance(threading.Thread.name, property)
    assert "name" in threading.Thread.name.__doc__
    thread = threading.Thread(target=print)
    thread.name = 5
    assert thread.name == "5"
    try:
        threading.Thread.name.fset(object.__new__(threading.Thread), "x")
    except AssertionError:
        pass
    except AttributeError:
        pass
    else:
        raise SystemExit("a thread that was never made took a name")
    """
    launcher.record(source)
