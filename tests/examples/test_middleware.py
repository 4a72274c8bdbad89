"""The middlewares in real servers: each request or task is a span of the thread that answers it."""

from __future__ import annotations

import importlib.util
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import analysis
from analysis.why.spans import time_in_states
from tests.launcher.support import ROOT, Launcher, environment

MIDDLEWARE = ROOT / "examples" / "middleware"
CRUNCH = """
import time
def crunch(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(200))
"""
WSGI = f"""
import sys
sys.path.insert(0, {str(MIDDLEWARE)!r})
from wsgi import Spans
{CRUNCH}
@Spans
def application(environ, start_response):
    crunch(0.1 if environ["PATH_INFO"] == "/slow" else 0.001)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]
"""
ASGI = f"""
import asyncio, sys
sys.path.insert(0, {str(MIDDLEWARE)!r})
from asgi import Spans
{CRUNCH}
async def answer(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({{"type": message["type"] + ".complete"}})
            if message["type"] == "lifespan.shutdown":
                return
    await asyncio.sleep(0.02)
    crunch(0.1 if scope["path"] == "/slow" else 0.001)
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": b"done"}})
application = Spans(answer)
"""
TASKS = f"""
import sys
sys.path.insert(0, {str(MIDDLEWARE)!r})
from celery import Celery
from celery.contrib.testing.worker import start_worker
import tasks
{CRUNCH}
app = Celery("app", broker="memory://", backend="cache+memory://")
app.conf.worker_hijack_root_logger = False

@app.task(name="slow")
def slow(): crunch(0.1)

@app.task(name="fast")
def fast(): crunch(0.001)

with start_worker(app, pool="threads", concurrency=2, perform_ping_check=False):
    results = [task.delay() for task in (slow, fast, fast, slow)]
    for result in results: result.get(timeout=60)
"""


@pytest.fixture
def launcher(tmp_path: Path) -> Launcher:
    return Launcher(tmp_path)


def needs(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed: pip install -e '.[test]'")


@contextmanager
def served(launcher: Launcher, *command: str) -> Iterator[str]:
    """Run a recorded server; give its address, which it says on stderr; end it."""
    recorded = [sys.executable, "-m", "tracer", "-q", "--no-png", "--no-sched", "-o", "app.trace", *command]
    server = subprocess.Popen(
        recorded, cwd=launcher.directory, env=environment(), stderr=subprocess.PIPE, text=True
    )
    try:
        assert server.stderr is not None
        said = []
        address = None
        for line in server.stderr:
            said.append(line)
            address = re.search(r"http://127\.0\.0\.1:[0-9]+", line)
            if address:
                break
        assert address, said
        rest = threading.Thread(target=server.stderr.read)  # or a full pipe would stop it
        rest.start()
        yield address[0]
        server.send_signal(signal.SIGTERM)
        server.wait(60)
        rest.join()
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
        if server.stderr is not None:
            server.stderr.close()


def ask(address: str) -> None:
    """A slow request, and a dozen fast ones while it is answered."""
    paths = ["/slow"] + ["/fast"] * 12
    answers: list[bytes] = []

    def get(path: str) -> None:
        answers.append(urllib.request.urlopen(address + path, timeout=60).read())

    threads = [threading.Thread(target=get, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [b"done"] * len(paths)


def recorded_spans(launcher: Launcher) -> tuple[analysis.Trace, Counter[str]]:
    trace = analysis.load(launcher.directory / "app.trace")
    assert analysis.validate(trace) == []
    assert not trace.spans["unfinished"].any()
    return trace, Counter(trace.mark_names[name] for name in trace.spans["name"].tolist())


def test_wsgi_in_gunicorn(launcher: Launcher) -> None:
    needs("gunicorn")
    launcher.write(WSGI, "app.py")
    options = ("--worker-class", "gthread", "--threads", "8", "--bind", "127.0.0.1:0")
    with served(launcher, "-m", "gunicorn", *options, "app:application") as address:
        ask(address)
    trace, spans = recorded_spans(launcher)
    assert spans == {"GET /slow": 1, "GET /fast": 12}
    threads = {trace.threads[thread].process for thread in trace.spans["thread"].tolist()}
    assert len(threads) == 1 and trace.processes[threads.pop()].ppid == trace.processes[0].pid
    assert (time_in_states(trace, trace.spans).sum(axis=1) == trace.spans["duration"]).all()


def test_asgi_in_uvicorn(launcher: Launcher) -> None:
    needs("uvicorn")
    launcher.write(ASGI, "app.py")
    with served(launcher, "-m", "uvicorn", "--port", "0", "app:application") as address:
        ask(address)
    trace, spans = recorded_spans(launcher)
    assert spans == {"GET /slow": 1, "GET /fast": 12}
    assert len(np.unique(trace.spans["thread"])) == 1  # one loop, in which they overlap
    assert trace.spans["duration"].min() >= 20_000_000  # over their awaits


def test_tasks_of_celery(launcher: Launcher) -> None:
    needs("celery")
    launcher.write(TASKS, "worker.py")
    launcher.run("-q", "--no-png", "--no-sched", "-o", "app.trace", "worker.py", status=0)
    _, spans = recorded_spans(launcher)
    assert spans == {"slow": 2, "fast": 2}
