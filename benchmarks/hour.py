"""A service recorded for an hour, kept small and watched: disk, memory and speed, minute by minute.

    python -m benchmarks.hour [--minutes 60] [--keep 30s] [--limit 200MB] [--files 1500] [--whole]
                              [--requests 100] [--also "--metrics 0 --snapshot-on 'wait > 1ms'"]

A threaded server answers clients over the loopback, each of which thinks between two requests: a service that
has room, not a saturated machine. It looks at many files for each, so that 30 s of events are more than
200 MB. In each minute it is asked for half of the time plain and for half of it recorded (in turn the other
way round), two processes that live all the while; `gilscope top` looks at the recorded one. `--files 100`
makes it a request of some 200 events, as those of servers are; with `--whole` a third server is recorded
without --keep, which shows what that alone costs. With `--requests 5` a connection, each of which is a thread
of the server's, ends after 5 of them: twenty times as many threads; `--also` are more options of the
recorder. The pairs' ratios of requests a second and of CPU time a request are what recording costs; load from
elsewhere moves the first more than the second. Each second the trace's size on the disk is looked at, each
half minute the memory of the server, the launcher and top, and each minute a snapshot is made and validated.
The exit status is 1 if something was not as it should be; speed is judged by the reader.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import random
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from tracer.command.times import seconds, size

SERVER = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize, disable_nagle_algorithm = -1, True  # an answer in one packet, at once
    def do_GET(self):
        for _ in range(int(sys.argv[1])):
            os.stat("/")
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
PLAIN, RECORDED, WHOLE = "plain", "recorded", "whole"
FIGURES = (
    ("requests a second", "rate"),
    ("median time of a request", "wait"),
    ("CPU time a request", "cost"),
)
GROWTH = 1.1  # of memory, last quarter to second: more is not flat
ENOUGH = 5  # minutes of each kind: in less, what is made once at the begin is not over


@dataclass
class Server:
    """A server that runs: what was started, its own process and its port."""

    started: subprocess.Popen[str]
    pid: int
    port: int


@dataclass
class Clients:
    """Who asks: how many, how often on a connection, and seconds between two requests, in the mean."""

    number: int
    requests: int
    think: float


@dataclass
class Asked:
    """What asking for half a minute showed."""

    rate: float  # requests a second
    wait: float  # median seconds of a request
    cost: float  # CPU seconds of the server a request


@dataclass
class Seen:
    """All that was seen."""

    asked: dict[str, list[Asked]] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    memory: dict[str, list[int]] = field(default_factory=dict)
    snapshots: list[str] = field(default_factory=list)


def main() -> int:
    """Run it, and print a line a half minute and the verdict."""
    parser = argparse.ArgumentParser(description="A service recorded for an hour, kept small.")
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--keep", default="30s")
    parser.add_argument("--limit", default="200MB")
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--files", type=int, default=1500, help="that the server looks at for a request")
    parser.add_argument(
        "--requests", type=int, default=100, help="a connection, and a thread of the server's"
    )
    parser.add_argument("--also", type=shlex.split, default=[], help="more options of the recorder")
    parser.add_argument("--think", default="20ms", help="mean time between an answer and the next request")
    parser.add_argument("--whole", action="store_true", help="and one that is recorded without --keep")
    parser.add_argument("--short", action="store_true", help="two minutes of ten seconds each")
    options = parser.parse_args()
    minutes, length = (2, 10.0) if options.short else (options.minutes, 60.0)
    limit, think = size(options.limit, "--limit"), seconds(options.think, "--think")
    seen = Seen()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as all_of_them:
        place = Path(name)
        (place / "server.py").write_text(SERVER)
        recorder = ["-m", "tracer", "-q", "--no-png"]
        kept = [*recorder, "--keep", options.keep, "--limit", options.limit, *options.also]
        words = {PLAIN: [], RECORDED: kept} | ({WHOLE: recorder} if options.whole else {})
        servers = {
            what: all_of_them.enter_context(serving(place, what, words[what], options.files))
            for what in words
        }
        trace = place / f"{RECORDED}.trace"
        top = all_of_them.enter_context(watching(trace))
        watched = {"server": servers[RECORDED].pid, "launcher": servers[RECORDED].started.pid, "top": top}
        cpu_before, begun = {what: cpu(pid) for what, pid in watched.items()}, time.monotonic()
        print("min what     req/s  ms/req CPUms/req disk MB | memory MB: " + ", ".join(watched), flush=True)
        for minute in itertools.count():
            if time.monotonic() >= begun + minutes * length:
                break
            for what in list(servers)[:: 1 if minute % 2 == 0 else -1]:
                clients = Clients(options.clients, options.requests, think)
                asked = ask(servers[what], length / len(servers), clients, lambda: look(trace, seen))
                seen.asked.setdefault(what, []).append(asked)
                for process, pid in watched.items():
                    seen.memory.setdefault(process, []).append(resident(pid))
                print(
                    f"{minute:3} {what:8} {asked.rate:5.0f} {asked.wait * 1e3:7.2f} {asked.cost * 1e3:9.3f}"
                    f" {max(seen.sizes) / 1e6:7.1f} |"
                    + "".join(f" {sizes[-1] / 1e6:7.1f}" for sizes in seen.memory.values()),
                    flush=True,
                )
            seen.snapshots.append(snapshot(trace, place))
        cores = {
            what: (cpu(pid) - cpu_before[what]) / (time.monotonic() - begun) for what, pid in watched.items()
        }
        running = {what: Path(f"/proc/{pid}").exists() for what, pid in watched.items()}
    return verdict(seen, limit, cores, running)


@contextlib.contextmanager
def serving(place: Path, name: str, words: list[str], files: int) -> Iterator[Server]:
    """A server, while it is needed; what there is of it is recorded into `name`.trace."""
    trace = place / f"{name}.trace"
    started = subprocess.Popen(
        [sys.executable, *words, *(["-o", str(trace)] if words else []), "server.py", str(files)],
        cwd=place,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert started.stdout is not None
        port = int(started.stdout.readline())
        pid = started.pid
        if words:
            pid = next(int(entry.name) for entry in trace.iterdir() if entry.name.isdecimal())
        yield Server(started, pid, port)
    finally:
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()


@contextlib.contextmanager
def watching(trace: Path) -> Iterator[int]:
    """`gilscope top`, as plain lines, while it is needed; gives its process."""
    top = subprocess.Popen(
        [sys.executable, "-m", "tracer", "top", str(trace)],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield top.pid
    finally:
        top.kill()
        top.wait()


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}


def ask(server: Server, length: float, clients: Clients, every_second: Callable[[], None]) -> Asked:
    """Ask with several clients for so many seconds."""
    waits: list[list[float]] = [[] for _ in range(clients.number)]
    begun = time.monotonic()
    before = cpu(server.pid)

    def client(own: list[float]) -> None:
        connection = HTTPConnection("127.0.0.1", server.port)
        while time.monotonic() < begun + length:
            if len(own) % clients.requests == clients.requests - 1:
                connection.close()
            asked = time.monotonic()
            connection.request("GET", "/")
            connection.getresponse().read()
            own.append(time.monotonic() - asked)
            time.sleep(random.uniform(0, 2 * clients.think))
        connection.close()

    threads = [threading.Thread(target=client, args=(own,)) for own in waits]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        every_second()
        time.sleep(1)
    for thread in threads:
        thread.join()
    count = sum(map(len, waits))
    spent = cpu(server.pid) - before
    took = [wait for own in waits for wait in own]
    return Asked(count / length, statistics.median(took), spent / count)


def look(trace: Path, seen: Seen) -> None:
    """Note how large the trace is now."""
    seen.sizes.append(used(trace))


def used(path: Path) -> int:
    """Return the bytes that a directory takes on the disk."""
    sizes = []
    for file in path.rglob("*"):
        with contextlib.suppress(OSError):  # given up meanwhile
            sizes.append(512 * file.lstat().st_blocks)
    return sum(sizes)


def resident(pid: int) -> int:
    """Return the bytes of memory of a process's own: not of files that it maps."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def cpu(pid: int) -> float:
    """Return the CPU seconds of a process, to a hundredth."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def snapshot(trace: Path, place: Path) -> str:
    """Make one and validate it, in a process of its own; returns what is wrong, or nothing."""
    target = place / "snapshot.trace"
    shutil.rmtree(target, ignore_errors=True)
    code = (
        "import sys, analysis; from pathlib import Path; from tracer.keep.snapshots import copy\n"
        "copy(Path(sys.argv[1]), Path(sys.argv[2]), last=2)\n"
        "trace = analysis.load(sys.argv[2])\n"
        "print(*analysis.validate(trace), sep='; ')\n"
        "print('' if len(trace.events) > 0 else 'empty')"
    )
    done = subprocess.run(
        ["nice", sys.executable, "-c", code, str(trace), str(target)],
        env=environment(),
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() or done.stderr.strip().rpartition("\n")[2]


def verdict(seen: Seen, limit: int, cores: dict[str, float], running: dict[str, bool]) -> int:
    """Say it; returns the exit status."""
    failures = [f"{what} has ended" for what, runs in running.items() if not runs]
    largest = max(seen.sizes)
    print(f"largest on the disk: {largest / 1e6:.1f} MB of {limit / 1e6:.0f}, {len(seen.sizes)} looks")
    if largest > limit:
        failures.append("more on the disk than the limit")
    wrong = [said for said in seen.snapshots if said]
    print(f"snapshots: {len(seen.snapshots)}, {len(wrong)} wrong {'; '.join(wrong)}")
    if wrong:
        failures.append("a snapshot is wrong")
    for what, sizes in seen.memory.items():
        quarter = max(len(sizes) // 4, 1)
        # The least: what is in use for a moment comes and goes, what leaks stays.
        second, last = min(sizes[quarter : 2 * quarter]), min(sizes[-quarter:])
        print(
            f"memory of {what}: {second / 1e6:.1f} MB in the second quarter, {last / 1e6:.1f} in the last,"
            f" at most {max(sizes) / 1e6:.1f}; {cores[what]:.3f} of a core"
        )
        if len(seen.asked[PLAIN]) >= ENOUGH and last > GROWTH * second:
            failures.append(f"memory of {what} grows")
    for what in [what for what in seen.asked if what != PLAIN]:
        for name, attribute in FIGURES:
            pairs = [
                float(getattr(after, attribute) / getattr(before, attribute))
                for before, after in zip(seen.asked[PLAIN], seen.asked[what], strict=True)
            ]
            low, middle, high = quartiles(pairs)
            print(
                f"{name}, {what} / plain: {middle:.3f}"
                f" (median of {len(pairs)} pairs, quartiles {low:.3f} and {high:.3f})"
            )
    for failure in failures:
        print(f"FAILED: {failure}")
    return 1 if failures else 0


def quartiles(values: list[float]) -> tuple[float, float, float]:
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else 3 * values
    return low, middle, high


if __name__ == "__main__":
    sys.exit(main())
