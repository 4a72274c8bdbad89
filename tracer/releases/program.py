"""What the measured interpreter runs: statements, each in a thread of its own, and when each run of them was.

A plain script that any CPython from 3.8 on reads, with nothing installed:

    python program.py JOB RESULT

The job is JSON, the result a line of JSON for the interpreter, then one for each call. The times are those of
CLOCK_MONOTONIC, as in the trace. A notebook imports it and calls `run_call` itself.
"""

from __future__ import annotations

import ast
import gc
import json
import mmap
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# How long runs together are to take, and how often a fast statement is called at most in one.
_LONG_ENOUGH_NS = 40_000_000
_MOST_CALLS = 1_000_000

# So often a run that is not too long is repeated while another thread asks.
_ASKED = 3

# So many pages touched for the first time, for each millisecond of CPU time, can make up a share of it.
_PAGES_A_MS = 20

# The C library's own names (malloc.h) and defaults: from which size on a block is mapped alone, how much may
# be free before it goes back to the kernel; and the most that it takes for each.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_GIVEN_BACK = 128 * 1024
_KEPT = {_M_MMAP_THRESHOLD: 32 * 1024 * 1024, _M_TRIM_THRESHOLD: 2**31 - 1}

# The asker wants the GIL this often, and waits this long before it asks for it, in seconds.
_ASKS_EVERY = 0.0003
_POLITE_FOR = 0.0001


def compiled(statement: str, namespace: dict[str, Any]) -> Callable[[Any], None]:
    """Return a function that runs the statement once for each item of an iterator, names being global."""
    body = ast.parse(statement, "<statement>").body
    function: Any = ast.parse("def inner(_it):\n for _i in _it:\n  pass", "<statement>")
    loop = function.body[0].body[0]
    loop.body = body or loop.body
    stored = {
        node.id
        for part in body
        for node in ast.walk(part)
        if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del))
    }
    if stored:
        function.body[0].body.insert(0, ast.Global(names=sorted(stored)))
    code = compile(ast.fix_missing_locations(function), "<statement>", "exec")
    exec(code, namespace)
    made: Callable[[Any], None] = namespace.pop("inner")
    return made


def gil_is_on() -> bool:
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


def run_call(call: dict[str, Any], namespace: dict[str, Any]) -> dict[str, Any]:
    """Run a call's statement in a thread of its own; return when, and what went wrong.

    Parameters
    ----------
    call : dict
        "name", "setup", "statement", "number" (0: as it takes), "repeat", "budget" (seconds), "asks",
        "keeps".
    namespace : dict
        Its globals; the setup is run in it, in that thread.
    """
    answer: dict[str, Any] = {"name": call["name"], "number": 0, "runs": [], "error": ""}

    def work() -> None:
        try:
            exec(compile(call["setup"], "<setup>", "exec"), namespace)
        except BaseException as error:
            answer["error"] = "its setup fails: " + _in_a_line(error)
            return
        try:
            _measure(call, compiled(call["statement"], namespace), namespace, answer)
        except BaseException as error:
            answer["error"] = "it fails: " + _in_a_line(error)

    thread = threading.Thread(target=work, name="statement")
    thread.start()
    thread.join()
    answer["tid"] = thread.native_id
    answer["gil"] = gil_is_on()
    answer["cpus"] = len(os.sched_getaffinity(0))
    return answer


def _measure(
    call: dict[str, Any], inner: Callable[[Any], None], namespace: dict[str, Any], answer: dict[str, Any]
) -> None:
    runs, forks = answer["runs"], _Forks()
    deadline = time.monotonic_ns() + int(call["budget"] * 1e9)
    collecting = gc.isenabled()
    gc.disable()
    try:
        runs.append(_run("first", inner, 1, forks))
        number = call["number"] or _enough(inner, forks)
        answer["number"] = number
        for _ in range(call["repeat"]):
            runs.append(_run("alone", inner, number, forks))
            if time.monotonic_ns() > deadline:
                break
        if call["keeps"] and _touches(runs[-1]):
            runs.extend(_kept(inner, number, call["repeat"], deadline, forks))
        if not call["asks"]:
            pass
        elif gil_is_on():
            for _ in range(_ASKED if runs[-1][2] - runs[-1][1] < 4 * _LONG_ENOUGH_NS else 1):
                runs.append(_asked(inner, number, forks))
        else:
            runs.extend(_together(call, inner, namespace, number, answer, forks))
    finally:
        if collecting:
            gc.enable()


class _Forks:
    """Ends processes that a statement makes and that come back out of it: what they do is no answer."""

    def __init__(self) -> None:
        self._pid, self._watches = os.getpid(), False
        self._came_back = mmap.mmap(-1, 1)

    def calls(self, number: int) -> Iterator[int]:
        """Return an iterator of so many calls."""
        return self._each(number) if self._watches else iter(range(number))

    def _each(self, number: int) -> Iterator[int]:
        for call in range(number):
            self.end_if_forked()
            yield call

    def end_if_forked(self) -> None:
        if os.getpid() != self._pid:
            self._came_back[0] = 1
            os._exit(0)

    def look(self) -> None:
        """Fail if one came back; and look closer where there are children."""
        if self._came_back[0]:
            raise ChildProcessError("the process that it forks comes back out of it; os._exit ends one")
        self._watches = self._watches or _has_children()


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _enough(inner: Callable[[Any], None], forks: _Forks) -> int:
    """Return how often to call it in one run. The second call counts: the first one imports and touches."""
    number = 1
    run = _run("warm", inner, 1, forks)
    while True:
        took = max(run[2] - run[1], 1)
        if took >= _LONG_ENOUGH_NS // 2 or number >= _MOST_CALLS:
            return number
        number = min(max(number * _LONG_ENOUGH_NS // took, 2 * number), 20 * number, _MOST_CALLS)
        run = _run("warm", inner, number, forks)


def _run(kind: str, inner: Callable[[Any], None], number: int, forks: _Forks) -> list[Any]:
    """Return what kind of run it was, its begin and end, CPU time of the thread and of the process, and how
    many pages the thread touched for the first time, and how often its CPU was taken away.
    """
    calls = forks.calls(number)
    before = resource.getrusage(resource.RUSAGE_THREAD)
    process, thread = time.process_time_ns(), time.thread_time_ns()
    begin = time.monotonic_ns()
    inner(calls)
    end = time.monotonic_ns()
    forks.end_if_forked()
    thread, process = time.thread_time_ns() - thread, time.process_time_ns() - process
    after = resource.getrusage(resource.RUSAGE_THREAD)
    pages, taken = after.ru_minflt - before.ru_minflt, after.ru_nivcsw - before.ru_nivcsw
    forks.look()
    return [kind, begin, end, thread, process, pages, taken]


def _touches(run: list[Any]) -> bool:
    """Whether so many pages were touched for the first time that it matters who does it."""
    return bool(run[5] * 1_000_000 > _PAGES_A_MS * run[3])


def _kept(
    inner: Callable[[Any], None], number: int, repeat: int, deadline: int, forks: _Forks
) -> list[list[Any]]:
    """Run it with the memory that it had before: what is freed doesn't go back to the kernel.

    Whether it does, and has to be fetched page by page the next time, is decided by what the process freed at
    any time before: the same call holds the GIL for 75 % of its time in one process, and 25 % in another.
    """
    try:
        import ctypes

        library = ctypes.CDLL(None)
        chosen = [library.mallopt(what, value) for what, value in _KEPT.items()]
    except (ImportError, OSError, AttributeError):
        return []
    runs = []
    try:
        if all(chosen):
            _run("warm", inner, number, forks)
            for _ in range(repeat):
                runs.append(_run("kept", inner, number, forks))
                if time.monotonic_ns() > deadline:
                    break
    finally:
        for what in _KEPT:
            library.mallopt(what, _GIVEN_BACK)
        library.malloc_trim(0)
    return runs


def _asked(inner: Callable[[Any], None], number: int, forks: _Forks) -> list[Any]:
    """Run it while another thread wants the GIL all the time: Python lets go when it is asked, C does not."""
    over, begun = threading.Event(), threading.Event()

    def ask() -> None:
        begun.set()
        while not over.is_set():
            time.sleep(_ASKS_EVERY)

    interval = sys.getswitchinterval()
    asker = threading.Thread(target=ask, name="asks for the GIL", daemon=True)
    sys.setswitchinterval(_POLITE_FOR)
    try:
        asker.start()
        begun.wait()
        return _run("asked", inner, number, forks)
    finally:
        over.set()
        asker.join()
        sys.setswitchinterval(interval)


def _together(
    call: dict[str, Any],
    inner: Callable[[Any], None],
    namespace: dict[str, Any],
    number: int,
    answer: dict[str, Any],
    forks: _Forks,
) -> list[list[Any]]:
    """Without a GIL: run it in two threads at once, the other with data of its own. Three times each."""
    other_namespace = dict(namespace)
    ready = threading.Event()
    go = threading.Semaphore(0)
    done = threading.Semaphore(0)
    failed: list[str] = []

    def other() -> None:
        try:
            exec(compile(call["setup"], "<setup>", "exec"), other_namespace)
            also = compiled(call["statement"], other_namespace)
            ready.set()
            for _ in range(3):
                go.acquire()
                also(iter(range(number)))
                done.release()
        except BaseException as error:
            failed.append(_in_a_line(error))
            ready.set()
            for _ in range(3):
                done.release()

    thread = threading.Thread(target=other, name="statement, too", daemon=True)
    thread.start()
    ready.wait()
    runs = []
    for _ in range(3):
        if failed:
            break
        runs.append(_run("single", inner, number, forks))
        go.release()
        runs.append(_run("together", inner, number, forks))
        done.acquire()
    answer["other_tid"] = thread.native_id
    return [] if failed else runs


def _in_a_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return type(error).__name__ + (": " + text if text else "")


def _versions(names: list[str]) -> dict[str, str | None]:
    from importlib import metadata

    found: dict[str, str | None] = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def interpreter() -> dict[str, Any]:
    """Say which Python this is, and whether it has a GIL."""
    import sysconfig

    return {
        "version": ".".join(map(str, sys.version_info[:3])),
        "implementation": sys.implementation.name,
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "gil": gil_is_on(),
        "cpus": len(os.sched_getaffinity(0)),
    }


def main(job_path: str, result_path: str) -> None:
    os.dup2(2, 1)  # what statements print is not the answer
    job = json.loads(Path(job_path).read_text())
    sys.path[0] = ""  # as for timeit: the current directory, not the one of this file
    with Path(result_path).open("w") as result:

        def write(line: dict[str, Any]) -> None:
            result.write(json.dumps(line) + "\n")
            result.flush()

        about = interpreter()
        about["error"] = ""
        base: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
        try:
            exec(compile(job["setup"], "<setup>", "exec"), base)
        except BaseException as error:
            about["error"] = "the setup fails: " + _in_a_line(error)
        about["versions"] = _versions(job.get("distributions", []))
        about["gil_after_setup"] = gil_is_on()
        write(about)
        for call in [] if about["error"] else job["calls"]:
            write({"begins": call["name"]})
            signal.alarm(job.get("limit", 0))  # ends the process even where a call never lets go
            write(run_call(call, dict(base, **call.get("values", {}))))
            signal.alarm(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
