"""`--metrics` of the command: served while the program runs, checked by promtool, scraped by Prometheus."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ..attach.test_armed import running
from ..attach.test_attach import SERVICE
from ..support import Launcher, environment

PROGRAM = """
import sys, threading
def compute():
    while not over.is_set():
        sum(range(500))
over = threading.Event()
threads = [threading.Thread(target=compute, name=f"worker-{number}") for number in range(2)]
for thread in threads:
    thread.start()
print(flush=True)
sys.stdin.read()
over.set()
for thread in threads:
    thread.join()
sys.exit(7)
"""
_LIMIT = 90.0


def patiently(look: Callable[[], Any]) -> Any:
    """Return what a look sees as soon as it is something, within a minute and a half."""
    until = time.monotonic() + _LIMIT
    while time.monotonic() < until:
        if seen := look():
            return seen
        time.sleep(0.5)
    raise AssertionError("never seen")


def read(url: str) -> str:
    content: bytes = urllib.request.urlopen(url, timeout=30).read()
    return content.decode()


@contextmanager
def recorded(launcher: Launcher) -> Iterator[str]:
    """A program that runs under the command; gives the address of its metrics."""
    script = launcher.write(PROGRAM).name
    command = launcher.command("-q", "--no-png", "--no-sched", "--metrics", "0", script)
    with subprocess.Popen(
        command,
        cwd=launcher.directory,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as target:
        try:
            assert target.stdin is not None and target.stdout is not None and target.stderr is not None
            said = target.stderr.readline()
            assert said.startswith("gilscope: metrics at http://127.0.0.1:"), said
            target.stdout.readline()
            yield said.split()[-1]
            target.stdin.close()
            assert target.wait(_LIMIT) == 7
        finally:
            target.kill()


def test_served_while_the_program_runs(launcher: Launcher) -> None:
    pytest.importorskip("prometheus_client")
    with recorded(launcher) as address:
        page = patiently(lambda: 'waited_seconds_total{thread="worker-*"}' in read(address) and read(address))
        if tool := shutil.which("promtool"):
            done = subprocess.run([tool, "check", "metrics"], input=page, capture_output=True, text=True)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with pytest.raises(OSError, match=r"refused|reset"):
        read(address)
    for series in ("held", "waited", "released", "ready", "locked"):
        assert f"gilscope_{series}_seconds_total" in page
    assert "gilscope_wait_seconds_bucket" in page and "gilscope_longest_hold_seconds" in page


@pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="no Prometheus here: apt-get install prometheus"
)
def test_scraped_by_a_real_prometheus(launcher: Launcher, tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with recorded(launcher) as address:
        target = urllib.parse.urlsplit(address).netloc
        scrape = {"job_name": "gilscope", "scrape_interval": "1s", "static_configs": [{"targets": [target]}]}
        (tmp_path / "prometheus.yml").write_text(json.dumps({"scrape_configs": [scrape]}))  # JSON is YAML
        command = [
            "prometheus",
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
            query = urllib.parse.quote('gilscope_waited_seconds_total{thread="worker-*"} > 0')

            def scraped() -> Any:
                try:
                    told = json.loads(read(f"http://127.0.0.1:{port}/api/v1/query?query={query}"))
                except OSError:
                    return None  # it is not up yet
                return told["data"]["result"]

            try:
                (series,) = patiently(scraped)
            finally:
                server.kill()
    assert series["metric"]["job"] == "gilscope" and float(series["value"][1]) > 0


def test_served_while_a_process_is_attached_to(launcher: Launcher) -> None:
    pytest.importorskip("prometheus_client")
    with running(launcher, SERVICE) as process:
        pid = str(process.pid)
        options = ("-q", "--no-png", "--no-sched", "--metrics", "0", "-o", "a.trace")
        with subprocess.Popen(
            launcher.command("attach", pid, *options),
            cwd=launcher.directory,
            env=environment(),
            stderr=subprocess.PIPE,
            text=True,
        ) as attach:
            try:
                assert attach.stderr is not None
                said = attach.stderr.readline()
                assert said.startswith("gilscope: metrics at http://127.0.0.1:"), said
                address = said.split()[-1]
                patiently(lambda: 'held_seconds_total{thread="worker-*"}' in read(address))
                attach.send_signal(signal.SIGINT)
                assert attach.wait(_LIMIT) == 0
            finally:
                attach.kill()
        assert process.poll() is None
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            run = launcher.run("attach", pid, "--metrics", port, "-o", "b.trace", status=2)
        assert "choose another port" in run.stderr and run.stderr.count("\n") == 1
        assert not (launcher.directory / "b.trace").exists()


def test_what_is_wrong_is_said_before_anything_runs(launcher: Launcher) -> None:
    pytest.importorskip("prometheus_client")
    script = launcher.write("open('ran', 'w')").name
    for where in ("nine", "127.0.0.1:99999"):
        run = launcher.run("--metrics", where, script, status=2)
        assert "[HOST:]PORT" in run.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        run = launcher.run("--metrics", str(taken.getsockname()[1]), script, status=2)
    assert "choose another port" in run.stderr
    assert [path.name for path in launcher.directory.iterdir()] == [script]
