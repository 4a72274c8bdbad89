"""On Dask: a scheduler and two workers of its own commands, of which one is killed while they work."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from analysis.errors import GilscopeError
from analysis.fleet import cluster, fleet

from .programs import random_trace

pytest.importorskip("distributed")
pytest.importorskip("pyarrow")

ROOT = Path(__file__).resolve().parents[3]
TRACES = 40


@contextmanager
def dask(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("fleet")
    for seed in range(TRACES):
        random_trace(root / f"{seed}.trace", seed, f"host-{seed % 4}")
    (root / "bad.trace" / "7").mkdir(parents=True)
    (root / "bad.trace" / "7" / "metadata").write_text("no trace")
    return root


def test_a_worker_that_dies_is_made_up_for(traces: Path, tmp_path: Path) -> None:
    whole = fleet([str(traces / f"{seed}.trace") for seed in range(TRACES)], by=["service", "function"])
    where = tmp_path / "scheduler.json"
    seen: list[float] = []
    with dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(where)):
        worker = ("worker", "--scheduler-file", str(where), "--nthreads", "1", "--no-nanny")
        deadline = time.monotonic() + 240
        while not where.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        address = _address(where)
        with dask(*worker, "--name", "first") as first, dask(*worker, "--name", "second"):
            _wait_for_workers(address, 2, deadline)

            def kill_one(done: float) -> None:
                if not seen:
                    first.kill()
                seen.append(done)

            found = fleet([str(traces)], by=["service", "function"], scheduler=address, progress=kill_one)
    assert seen and seen[-1] == 1.0
    assert [(group.values, group.waited, group.processes, group.wait) for group in found.groups] == [
        (group.values, group.waited, group.processes, group.wait) for group in whole.groups
    ]
    assert (found.hosts, found.processes) == (4, TRACES)
    assert len(found.problems) == 1 and "bad.trace" in found.problems[0]


def _address(where: Path) -> str:
    import json

    address: str = json.loads(where.read_text())["address"]
    return address


def _wait_for_workers(address: str, count: int, deadline: float) -> None:
    from distributed import Client

    with Client(address) as client:
        client.wait_for_workers(count, timeout=max(deadline - time.monotonic(), 1))


def test_who_is_there_but_no_scheduler_is_a_line(traces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(GilscopeError, match="no Dask scheduler there"):
            fleet([str(traces)], scheduler=address)


def test_no_scheduler_is_a_line(traces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    with pytest.raises(GilscopeError, match=r"--scheduler tcp://127\.0\.0\.1:9: no Dask scheduler there"):
        fleet([str(traces)], scheduler="tcp://127.0.0.1:9")
