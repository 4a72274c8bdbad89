"""The story of a service that stalls: attached to under load, a limit snapshots it, the handler is named."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

import analysis
from analysis.why.code.charges import code_blame
from tests.launcher.support import Launcher, environment

pytest.importorskip("gunicorn")

APPLICATION = """
def sort_everything():
    return sorted(range(400_000), key=lambda number: -number)

def application(environment, start_response):
    if environment["PATH_INFO"] == "/report":
        sort_everything()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]
"""


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 100
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@contextmanager
def gunicorn(launcher: Launcher) -> Iterator[tuple[int, int]]:
    """Yield the id of the worker and its port. Started plain where it can be attached to, else armed."""
    armed = () if sys.version_info >= (3, 14) else ("-m", "tracer", "--armed=sockets")
    launcher.write(APPLICATION, "application.py")
    process = subprocess.Popen(
        [
            *(sys.executable, *armed, "-m", "gunicorn", "-b", "127.0.0.1:0", "-k", "gthread"),
            *("--threads", "4", "--timeout", "300", "application"),
        ],
        cwd=launcher.directory,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        port = worker = 0
        while not worker:
            line = process.stderr.readline()
            assert line, process.poll()
            if "Listening at" in line:
                port = int(line.partition("127.0.0.1:")[2].partition(" ")[0])
            if "Booting worker" in line:
                worker = int(line.rpartition(": ")[2])
        yield worker, port
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@contextmanager
def load(port: int) -> Iterator[None]:
    over = threading.Event()

    def ask(path: str) -> None:
        while not over.is_set():
            with suppress(OSError):
                connection = HTTPConnection("127.0.0.1", port, timeout=60)
                connection.request("GET", path)
                connection.getresponse().read()
                connection.close()

    clients = [threading.Thread(target=ask, args=(path,)) for path in ("/", "/", "/report")]
    for client in clients:
        client.start()
    try:
        yield
    finally:
        over.set()
        for client in clients:
            client.join()


def test_the_snapshot_names_the_handler(launcher: Launcher) -> None:
    with gunicorn(launcher) as (worker, port), load(port):
        attach = subprocess.Popen(
            launcher.command(
                *("attach", str(worker), "-q", "--no-png", "--keep", "5s", "-o", "service.trace"),
                *("--snapshot-on", "wait > 4ms", "--snapshot-every", "1h"),
            ),
            cwd=launcher.directory,
            env=environment(),
        )
        try:
            snapshot = launcher.directory / "service.snapshot-1.trace"
            until(lambda: snapshot.exists() or attach.poll() is not None)
            attach.send_signal(signal.SIGINT)
            assert attach.wait(100) == 0
        finally:
            attach.kill()
        assert Path(f"/proc/{worker}").exists()
    trace = analysis.load(snapshot)
    assert analysis.validate(trace) == []
    lines = code_blame(trace).lines
    blamed = [trace.codes[row["code"]].name for row in lines[lines["code"] >= 0]]
    assert any("sort_everything" in name for name in blamed[:3]), blamed
