"""A service recorded for an hour, kept small: disk, memory and speed, minute by minute.

    python -m benchmarks.hour [--minutes 60] [--keep 30s] [--limit 200MB]

A threaded server answers a client over the loopback. In odd minutes a second one, plain, is asked; in even
ones the recorded one: the ratio of their requests a second is what recording costs. Each second the trace's
size on the disk is looked at, each minute the memory of the server and of the launcher, and a snapshot is
made and validated.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.client import HTTPConnection
from pathlib import Path

SERVER = """
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = json.dumps([number * number for number in range(2000)]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""
CLIENTS = 4


def main() -> None:
    """Run it, and print a line a minute and the verdict."""
    parser = argparse.ArgumentParser(description="A service recorded for an hour, kept small.")
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--keep", default="30s")
    parser.add_argument("--limit", default="200MB")
    parser.add_argument("--short", action="store_true", help="two minutes of ten seconds each")
    options = parser.parse_args()
    minutes, length = (2, 10.0) if options.short else (options.minutes, 60.0)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "server.py").write_text(SERVER)
        plain = start(place, [])
        words = ["-m", "tracer", "-q", "--no-png", "--keep", options.keep, "--limit", options.limit]
        recorded = start(place, [*words, "-o", "server.trace"])
        try:
            run(place, plain, recorded, minutes=minutes, length=length)
        finally:
            for server, _ in (plain, recorded):
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def start(place: Path, words: list[str]) -> tuple[subprocess.Popen[str], int]:
    """Start a server; returns it and its port."""
    server = subprocess.Popen(
        [sys.executable, *words, "server.py"],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert server.stdout is not None
    return server, int(server.stdout.readline())


def run(
    place: Path,
    plain: tuple[subprocess.Popen[str], int],
    recorded: tuple[subprocess.Popen[str], int],
    *,
    minutes: int,
    length: float,
) -> None:
    """Ask both in turn, and look at what the recorded one takes."""
    trace = place / "server.trace"
    launcher = recorded[0].pid
    target = next(int(entry.name) for entry in trace.iterdir() if entry.name.isdecimal())
    rates: dict[str, list[float]] = {"plain": [], "recorded": []}
    largest = 0
    memory: list[tuple[int, int]] = []
    print(
        f"{'min':>6} {'what':>9} {'req/s':>8} {'disk MB':>8} {'server MB':>10} {'launcher MB':>12} snapshot"
    )
    for minute in range(minutes):
        for what, port in (("plain", plain[1]), ("recorded", recorded[1])):
            sizes: list[int] = []
            rate = ask(port, length / 2, lambda sizes=sizes: sizes.append(used(trace)))
            rates[what].append(rate)
            largest = max(largest, *sizes)
            memory.append((resident(target), resident(launcher)))
            said = snapshot(trace, place) if what == "recorded" else ""
            server, own = (f"{size / 1e6:.1f}" for size in memory[-1])
            print(
                f"{minute:6} {what:>9} {rate:8.0f} {max(sizes) / 1e6:8.1f} {server:>10} {own:>12}  {said}",
                flush=True,
            )
    pairs = [after / before for before, after in zip(rates["plain"], rates["recorded"], strict=True)]
    quarter = max(len(memory) // 4, 1)
    growth = [sum(of) / quarter for of in zip(*memory[-quarter:], strict=True)]
    before = [sum(of) / quarter for of in zip(*memory[quarter : 2 * quarter], strict=True)]
    print(f"largest on the disk: {largest / 1e6:.1f} MB")
    print(
        f"requests a second, recorded / plain: {statistics.median(pairs):.3f} (median of {len(pairs)} pairs)"
    )
    print(
        "memory, last quarter / second quarter:"
        f" server {growth[0] / before[0]:.3f}, launcher {growth[1] / before[1]:.3f}"
    )


def ask(port: int, seconds: float, every_second: object) -> float:
    """Ask with several clients for so long; returns requests a second."""
    assert callable(every_second)
    counts = [0] * CLIENTS
    end = time.monotonic() + seconds

    def client(number: int) -> None:
        connection = HTTPConnection("127.0.0.1", port)
        while time.monotonic() < end:
            if counts[number] % 100 == 99:  # now and then a new thread of the server's
                connection.close()
            connection.request("GET", "/")
            connection.getresponse().read()
            counts[number] += 1
        connection.close()

    clients = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for each in clients:
        each.start()
    while any(each.is_alive() for each in clients):
        every_second()
        time.sleep(min(1.0, seconds / 5))
    for each in clients:
        each.join()
    return sum(counts) / seconds


def used(path: Path) -> int:
    """Return the bytes that a directory takes on the disk."""
    sizes = []
    for file in path.rglob("*"):
        try:
            sizes.append(512 * file.lstat().st_blocks)
        except OSError:
            pass  # given up meanwhile
    return sum(sizes)


def resident(pid: int) -> int:
    """Return the bytes of memory of a process's own: not of files that it maps."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def snapshot(trace: Path, place: Path) -> str:
    """Make one and validate it, in a process of its own; returns what is wrong."""
    target = place / "snapshot.trace"
    shutil.rmtree(target, ignore_errors=True)
    code = (
        "import sys, analysis; from pathlib import Path; from tracer.snapshots import copy\n"
        "copy(Path(sys.argv[1]), Path(sys.argv[2]), last=10)\n"
        "print(len(analysis.validate(analysis.load(sys.argv[2]))), 'wrong')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(trace), str(target)], capture_output=True, text=True
    )
    return done.stdout.strip() or done.stderr.strip().rpartition("\n")[2]


if __name__ == "__main__":
    main()
