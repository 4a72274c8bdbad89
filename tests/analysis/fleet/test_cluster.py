"""On Dask: a scheduler and two workers of its own commands, of which one is killed while they work."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from analysis.errors import GilscopeError
from analysis.fleet import cluster, fleet
from analysis.fleet.cluster import _client, _parts, _scanned
from analysis.fleet.sources import How, Source

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


def test_traces_go_in_parts_that_all_workers_have_some_of() -> None:
    def sizes(traces: int, workers: int, files: int = 0) -> list[int]:
        sources = [Source(str(at), at < traces) for at in range(traces + files)]
        parts = _parts(sources, workers)
        assert [source for part in parts for source in part] == sources
        return [len(part) for part in parts]

    assert sizes(10, 2) == [1] * 10
    assert sizes(100, 2) == [6] * 16 + [4]
    assert sizes(2000, 2) == [16] * 125
    assert sizes(3, 0, files=1025) == [1, 1, 1] + [3] * 341 + [2]


def test_local_workers_are_no_more_than_sources_and_keep_their_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import dask
    import distributed

    begun: list[dict[str, Any]] = []

    def environment() -> dict[str, Any]:
        return dict(dask.config.get("distributed.nanny.pre-spawn-environ"))

    def fake(*_: object, **options: Any) -> Any:
        begun.append({**options, "environment": environment()})
        return nullcontext()

    monkeypatch.setattr(distributed, "LocalCluster", fake)
    monkeypatch.setattr(distributed, "Client", lambda _: nullcontext())
    before = environment()
    with _client("local", 1):
        pass
    (options,) = begun
    assert (options["n_workers"], options["threads_per_worker"]) == (1, 1)
    assert options["environment"]["MALLOC_TRIM_THRESHOLD_"] == str(64 << 20)
    assert options["environment"].keys() >= before.keys()
    assert environment() == before


def test_a_trace_that_kills_workers_takes_no_other_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Future:
        def __init__(self, part: list[Source]) -> None:
            self.status = "error" if any(source.path == "bad" for source in part) else "finished"

            self.status = "lost" if part[0].path == "fourth" else self.status

        def exception(self) -> Exception | None:
            return RuntimeError("its worker died\nat length") if self.status == "error" else None

    class Client:
        def map(self, _: object, parts: list[Any], **__: object) -> list[Any]:
            return [part if isinstance(part, Future) else Future(part) for part in parts]

    monkeypatch.setattr(cluster, "_wait", lambda *_: None)
    first, bad, third, fourth = (Source(name, True) for name in ("first", "bad", "third", "fourth"))
    client: Any = Client()
    parts, scans, finds, lost = _scanned(client, [[first, bad, third], [fourth]], How({}), lambda _: None)
    assert parts == [[fourth], [first], [third]] and lost == ["bad: its worker died"]
    assert len(scans) == len(finds) == 3


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
