"""Marks and spans of live programs: threads, coroutines, children, other interpreters, and without a GIL."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from collections import Counter
from pathlib import Path

import pytest

import analysis
import tracer
from tests.launcher.support import ROOT, Launcher, environment, free_threaded

QUIET = ("--no-sched",)


def spans(trace: analysis.Trace) -> Counter[str]:
    return Counter(trace.mark_names[name] for name in trace.spans["name"].tolist())


def marks(trace: analysis.Trace) -> Counter[str]:
    return Counter(trace.mark_names[name] for name in trace.marks["name"].tolist())


def test_threads(launcher: Launcher) -> None:
    trace = launcher.record(
        """
        import threading, tracer
        def work(name):
            for number in range(1_000):
                with tracer.span(name):
                    with tracer.span("inner"):
                        tracer.mark("here")
        threads = [threading.Thread(target=work, args=(f"work {n}",), name=f"w{n}") for n in range(3)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        """,
        options=QUIET,
    ).load()
    assert marks(trace) == {"here": 3_000}
    assert spans(trace) == {"inner": 3_000, **{f"work {n}": 1_000 for n in range(3)}}
    assert not trace.spans["unfinished"].any()
    for span in trace.spans[:50]:
        name = trace.mark_names[span["name"]]
        assert span["depth"] == (name == "inner")
        if name != "inner":
            assert trace.threads[span["thread"]].name == f"w{name[-1]}"


def test_decorated(launcher: Launcher) -> None:
    """Coroutines take turns in one thread: each span is as long as its own."""
    trace = launcher.record(
        """
        import asyncio, tracer

        @tracer.span("plain")
        def plain(a, *, b): return a + b

        @tracer.span("generator")
        def generator():
            yield 1
            return 2

        @tracer.span("coroutine")
        async def coroutine(first, second):
            first.set()
            await second.wait()
            return 3

        class Class:
            @tracer.span("method")
            def method(self): return self

        async def main():
            a, b, c = asyncio.Event(), asyncio.Event(), asyncio.Event()
            one = asyncio.create_task(coroutine(a, b))  # begins first, ends second
            await a.wait()
            two = asyncio.create_task(coroutine(b, c))
            await b.wait()
            c.set()
            assert await asyncio.gather(one, two) == [3, 3]

        assert plain(1, b=2) == 3 and plain.__name__ == "plain"
        assert list(generator()) == [1]
        thing = Class()
        assert thing.method() is thing
        asyncio.run(main())
        try:
            with tracer.span("fails"):
                raise ValueError
        except ValueError:
            pass
        again = tracer.span("again")
        with again:
            with again:
                pass
        """,
        options=QUIET,
    ).load()
    once = dict.fromkeys(("plain", "generator", "method", "fails"), 1)
    assert spans(trace) == {**once, "coroutine": 2, "again": 2}
    assert not trace.spans["unfinished"].any()
    name = trace.mark_names.index("coroutine")
    one, two = trace.spans[trace.spans["name"] == name]
    assert one["start"] < two["start"] < one["start"] + one["duration"]


def test_children(launcher: Launcher) -> None:
    """A forked child says things before anything else, and has the names anew."""
    trace = launcher.record(
        """
        import os, tracer
        tracer.mark("both")
        child = os.fork()
        tracer.mark("both")
        with tracer.span("child" if child == 0 else "parent"):
            if child: os.waitpid(child, 0)
        """,
        options=QUIET,
    ).load()
    assert marks(trace) == {"both": 3}
    assert spans(trace) == {"child": 1, "parent": 1}
    assert len(trace.processes) == 2


def test_a_span_that_another_thread_ends_has_no_end(launcher: Launcher) -> None:
    trace = launcher.record(
        """
        import threading, tracer
        span = tracer.span("moves")
        span.__enter__()
        thread = threading.Thread(target=span.__exit__, args=(None, None, None))
        thread.start(); thread.join()
        shared = tracer.span("shared")
        inside, leave = threading.Event(), threading.Event()
        def other():
            with shared:
                inside.set(); leave.wait()
        thread = threading.Thread(target=other)
        with shared:
            thread.start(); inside.wait()
        leave.set(); thread.join()
        """,
        options=QUIET,
    ).load()
    assert spans(trace) == {"moves": 1, "shared": 2}
    assert trace.spans["unfinished"].sum() == 1


def test_texts(launcher: Launcher) -> None:
    """Hostile ones, long ones, and more of them than are kept."""
    trace = launcher.record(
        """
        import tracer
        for text in ("", "ü" * 2000, "a\\0b", "\\ud800", "line\\nline"):
            tracer.mark(text)
        for number in range(70_000):
            tracer.mark(f"GET /{number}")
        tracer.mark("GET /1")
        """,
        options=QUIET,
    ).load()
    texts = set(trace.mark_names)
    assert {"", "a?b", "?", "line\nline"} <= texts
    assert len(trace.mark_names) == 65_536
    assert len(trace.marks) == 70_006
    assert (trace.marks["name"] == -1).sum() == 70_005 - 65_536
    assert trace.mark_names[trace.marks["name"][-1]] == "GET /1"


def test_two_recordings(tmp_path: Path) -> None:
    """In this very process: a span that begins before a recording, or ends after it, is none of it."""
    before = tracer.span("before")
    before.__enter__()
    with tracer.trace(tmp_path / "a", sched=False):
        before.__exit__()
        tracer.mark("first")
        open_ = tracer.span("open")
        open_.__enter__()
    with tracer.trace(tmp_path / "b", sched=False):
        open_.__exit__()
        tracer.mark("second")
        with tracer.span("open"):
            pass
    first, second = analysis.load(tmp_path / "a"), analysis.load(tmp_path / "b")
    assert (marks(first), spans(first)) == ({"first": 1}, {"open": 1})
    assert first.spans["unfinished"].tolist() == [True]
    assert (marks(second), spans(second)) == ({"second": 1}, {"open": 1})
    assert second.spans["unfinished"].tolist() == [False]
    assert not analysis.validate(first) and not analysis.validate(second)


def test_wrong_arguments() -> None:
    with pytest.raises(TypeError, match=r"mark\(\) takes a str, not int"):
        tracer.mark(1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"span\(\) takes a str"):
        tracer.span(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="exactly 1 argument"):
        tracer.span("a")(1, 2)  # type: ignore[call-arg, arg-type]
    with pytest.raises(TypeError, match="decorates a function, not int"):
        tracer.span("a")(1)  # type: ignore[arg-type]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="before 3.12 all interpreters share one GIL")
def test_an_interpreter_with_its_own_gil(launcher: Launcher) -> None:
    trace = launcher.record(
        """
        import sys, threading
        import tracer
        tracer.mark("main")
        if sys.version_info >= (3, 14):
            from concurrent import interpreters
            other = interpreters.create()
            run = other.exec
        elif sys.version_info >= (3, 13):
            import _interpreters
            other = _interpreters.create("isolated")
            run = lambda code: _interpreters.exec(other, code)
        else:
            import _xxsubinterpreters
            other = _xxsubinterpreters.create(isolated=True)
            run = lambda code: _xxsubinterpreters.run_string(other, code)
        code = '''
        from tracer import _marks
        _marks.mark("other")
        with _marks.span("other"): pass
        '''
        import textwrap
        thread = threading.Thread(target=run, args=(textwrap.dedent(code),))
        thread.start(); thread.join()
        """,
        options=QUIET,
    ).load()
    assert marks(trace) == {"main": 1, "other": 1}
    assert spans(trace) == {"other": 1}


def test_without_a_gil(launcher: Launcher, interpreters: list[str]) -> None:
    """The module is compiled for that interpreter here, which is what a wheel for it would have."""
    python = free_threaded(interpreters)
    if python is None or shutil.which("cc") is None:
        pytest.skip("no free-threaded interpreter here, or no compiler")
    code = "import sysconfig; print(sysconfig.get_path('include'), sysconfig.get_config_var('EXT_SUFFIX'))"
    include, suffix = subprocess.run([python, "-c", code], capture_output=True, text=True).stdout.split()
    if not Path(include, "Python.h").exists():
        pytest.skip(f"{python} has no headers")
    package = launcher.directory / "package"
    package.mkdir()
    built = package / f"_marks{suffix}"
    source = ROOT / "tracer/_marks.c"
    flags = ["-shared", "-fPIC", "-O2", f"-I{include}", f"-I{ROOT / 'tracer/native'}"]
    subprocess.run(["cc", *flags, str(source), "-o", str(built)], check=True)
    script = launcher.write(
        f"""
        import sys, threading
        sys.path.insert(0, {str(package)!r})
        import _marks
        assert not sys._is_gil_enabled()
        shared = _marks.span("shared")
        def work():
            for number in range(2_000):
                with _marks.span("work"), shared:
                    _marks.mark("here")
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        """
    ).name
    done = launcher.run("-q", "--no-png", "--no-sched", "--python", python, script, status=0)
    trace = done.load()
    assert marks(trace) == {"here": 8_000}
    assert spans(trace) == {"work": 8_000, "shared": 8_000}
    assert not trace.spans["unfinished"].any()


def test_nothing_is_loaded_by_the_launcher() -> None:
    """The compiled part comes with the first use."""
    code = "import sys, tracer; assert 'tracer._marks' not in sys.modules; tracer.mark('x'); tracer.nothing"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True)
    assert "has no attribute 'nothing'" in done.stderr
    assert sysconfig.get_config_var("EXT_SUFFIX")
