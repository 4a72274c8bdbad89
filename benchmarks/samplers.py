"""What samplers and a function tracer say of a program that knows its own answers, beside gilscope.

    python -m benchmarks.samplers [--short] [--python PATH]

The program has a thread that computes: 2 ms in `parse()`, then a line written in `log()`, again and again;
its own clocks say how much CPU time either took. A second thread sleeps a millisecond at a time and notes how
much longer it took than the sleep: nearly all of that is waiting for the GIL. Each tool runs it as its users
do, in turn, in rounds, and is asked three things: which share of the GIL's time `parse()` had, how long the
second thread waited, and how many steps the program made in its time, beside how many without a tool.

py-spy and VizTracer are run where they are installed beside gilscope; `--python` names an interpreter whose
standard library has `profiling.sampling` (3.15). Prints rows for benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import analysis
from analysis.model import State
from analysis.why.code.charges import code_blame

PROGRAM: Final = """
import json, os, sys, threading, time

until = time.perf_counter() + float(sys.argv[1])
sink = os.open(os.devnull, os.O_WRONLY)
cpu = {"parse": 0.0, "log": 0.0}
steps, late = 0, 0.0

def parse():
    end = time.thread_time() + 0.002
    total = 0
    while time.thread_time() < end:
        for number in range(200):
            total += number * number % 7
    return total

def log(total):
    os.write(sink, b"%d" % total)

def compute():
    global steps
    while time.perf_counter() < until:
        begin = time.thread_time()
        total = parse()
        middle = time.thread_time()
        log(total)
        cpu["parse"] += middle - begin
        cpu["log"] += time.thread_time() - middle
        steps += 1

def ping():
    global late
    while time.perf_counter() < until:
        begin = time.perf_counter()
        time.sleep(0.001)
        late += time.perf_counter() - begin - 0.001

threads = [threading.Thread(target=compute, name="compute"), threading.Thread(target=ping, name="ping")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
json.dump({"steps": steps, "late": late, "share": cpu["parse"] / sum(cpu.values())}, open(sys.argv[2], "w"))
"""


@dataclass
class Said:
    """What a tool says of a run: NaN where it has no word for it."""

    share: float
    """parse()'s part of the time for which it saw the lock held, or code run, in the computing thread."""
    waited: float = float("nan")
    """Seconds that the second thread waited for the lock."""


@dataclass
class Tool:
    """How a tool is run, and read."""

    name: str
    command: Callable[[Path, list[str]], list[str]]
    read: Callable[[Path], Said]
    rounds: list[tuple[Said, float, float, float]] = field(default_factory=list)
    """What it said, and the program's own share, lateness and steps."""


def gilscope(path: Path) -> Said:
    """Read gilscope's own trace: the charged seconds of the lines, and the second thread's waits."""
    trace = analysis.load(path)
    blame = code_blame(trace)
    charged: dict[str, int] = defaultdict(int)
    for row in blame.lines:
        if row["code"] >= 0:
            charged[trace.codes[int(row["code"])].name.split("(")[0]] += int(row["waited"])
    ping = next(thread.index for thread in trace.threads if thread.name == "ping")
    waits = trace.intervals[(trace.intervals["thread"] == ping) & (trace.intervals["state"] == State.WAITING)]
    return Said(_share(charged), waits["duration"].sum() / 1e9)


def collapsed(path: Path) -> Said:
    """Read collapsed stacks, as py-spy and profiling.sampling write them."""
    counts: dict[str, int] = defaultdict(int)
    for line in path.read_text().splitlines():
        stack, count = line.rsplit(" ", 1)
        for function in ("parse", "log"):
            if re.search(rf"\b{function}\b", stack):  # "parse (program.py:12)", "program.py:parse:12"
                counts[function] += int(count)
    return Said(_share(counts))


def viztracer(path: Path) -> Said:
    """Read VizTracer's slices: how long each function took, waits for the lock included."""
    took: dict[str, float] = defaultdict(float)
    for event in json.loads(path.read_text())["traceEvents"]:
        if event.get("ph") == "X":
            took[event["name"].split(" ")[0]] += event["dur"]
    return Said(_share(took))


def _share(of: dict[str, int] | dict[str, float]) -> float:
    total = of.get("parse", 0) + of.get("log", 0)
    return of.get("parse", 0) / total if total else float("nan")


def tools(python: str | None) -> list[Tool]:
    """Return what can be run here."""
    me = sys.executable
    found = [
        Tool("none", lambda _, run: [me, *run], lambda _: Said(float("nan"))),
        Tool(
            "gilscope", lambda to, run: [me, "-m", "tracer", "-q", "--no-png", "-o", str(to), *run], gilscope
        ),
    ]
    if spy := shutil.which("py-spy", path=str(Path(me).parent)) or shutil.which("py-spy"):
        for rate in (100, 1000):
            for options in ((), ("--gil",)):
                name = " ".join(["py-spy", *options, f"{rate} Hz"])
                found.append(Tool(name, _spy(spy, rate, options), collapsed))
    if importlib.util.find_spec("viztracer"):
        found.append(Tool("VizTracer", _viztracer, lambda to: viztracer(Path(f"{to}.json"))))
    if python:
        for mode in ("wall", "gil"):
            name = f"profiling.sampling --mode {mode} ({Path(python).name})"
            found.append(Tool(name, _sampling(python, mode), collapsed))
    return found


def _viztracer(to: Path, run: list[str]) -> list[str]:
    return [sys.executable, "-m", "viztracer", "--quiet", "-o", f"{to}.json", "--", *run]


def _spy(spy: str, rate: int, options: tuple[str, ...]) -> Callable[[Path, list[str]], list[str]]:
    def command(to: Path, run: list[str]) -> list[str]:
        fixed = [spy, "record", "-F", "-f", "raw", "-r", str(rate), *options, "-o", str(to)]
        return [*fixed, "--", sys.executable, *run]

    return command


def _sampling(python: str, mode: str) -> Callable[[Path, list[str]], list[str]]:
    def command(to: Path, run: list[str]) -> list[str]:
        fixed = [python, "-m", "profiling.sampling", "run", "-a", "--mode", mode, "--collapsed"]
        return [*fixed, "-o", str(to), *run]

    return command


def measure(tool: Tool, seconds: float) -> None:
    """Run the program under a tool once."""
    with tempfile.TemporaryDirectory(prefix="gilscope-") as directory:
        place = Path(directory)
        (place / "program.py").write_text(PROGRAM)
        run = [str(place / "program.py"), str(seconds), str(place / "own.json")]
        done = subprocess.run(tool.command(place / "out", run), capture_output=True, text=True, timeout=300)
        if not (place / "own.json").exists() or (tool.name != "none" and not list(place.glob("out*"))):
            reason = (done.stderr or done.stdout).strip()[-300:]
            print(f"{tool.name}: nothing measured: {reason}", file=sys.stderr)
            return
        own = json.loads((place / "own.json").read_text())
        tool.rounds.append((tool.read(place / "out"), own["share"], own["late"], own["steps"]))


def main() -> int:
    """Print a row for each tool."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--short", action="store_true", help="two rounds of two seconds")
    parser.add_argument("--python", help="a Python 3.15 or later, for profiling.sampling")
    told = parser.parse_args()
    rounds, seconds = (2, 2.0) if told.short else (7, 5.0)
    found = tools(told.python)
    for _ in range(rounds):
        for tool in found:
            measure(tool, seconds)
    plain = statistics.median(steps for *_, steps in found[0].rounds)
    print("| tool | parse() had | … by its own clocks | the second thread waited | … by its clock | steps |")
    print("|---|---:|---:|---:|---:|---:|")
    for tool in found:
        if tool.rounds:
            print(_row(tool, plain))
    return 0


def _row(tool: Tool, plain: float) -> str:
    said = [
        (each.share * 100, own * 100, each.waited, late, steps / plain)
        for each, own, late, steps in tool.rounds
    ]
    share, own, waited, late, steps = (statistics.median(column) for column in zip(*said, strict=True))
    known = [f"{share:.1f} %" if share == share else "", f"{own:.1f} %"]
    return (
        f"| {tool.name} | {known[0]} | {known[1]} | {f'{waited:.2f} s' if waited == waited else 'not said'} |"
        f" {late:.2f} s | {steps:.2f} |"
    )


if __name__ == "__main__":
    sys.exit(main())
