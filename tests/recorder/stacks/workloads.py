"""Programs that know what their functions take, by their threads' clocks, and what a trace says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import numpy as np

import analysis

_CLOCKS: Final = """
import json, os, sys, threading, time
null, spent, scale = os.open(os.devnull, os.O_WRONLY), {}, float(sys.argv[1])
def timed(call):
    def run(*arguments):
        begin = time.thread_time(); call(*arguments)
        took = time.thread_time() - begin
        spent[call.__name__] = spent.get(call.__name__, 0) + took
    return run
"""
_RUN: Final = """
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
json.dump(spent, open("spent.json", "w"))
"""

WORKLOADS: Final = {
    "short holds that end in I/O": f"""{_CLOCKS}
@timed
def parse():
    x = 0
    for i in range(20_000): x += i
@timed
def log(): os.write(null, b"x")
def work():
    for _ in range(int(150 * scale)): parse(); log()
{_RUN}""",
    "a handler of four functions": f"""{_CLOCKS}
def function(name, n):
    exec(f"def {{name}}():\\n n = {{n}}\\n while n: n -= 1", globals())
    globals()[name] = timed(globals()[name])
for name, n in (("a", 12_000), ("b", 5_000), ("c", 2_000), ("d", 1_000)): function(name, n)
def work():
    for _ in range(int(400 * scale)): a(); b(); c(); d(); os.write(null, b"x")
{_RUN}""",
    "a C call that holds": f"""{_CLOCKS}
data = list(range(60_000))
@timed
def sums(): sum(data)
@timed
def loops():
    n = 4_000
    while n: n -= 1
def work():
    for _ in range(int(250 * scale)): sums(); loops()
{_RUN}""",
}
"""Argument: how long, in some 100 ms of work a thread. They write spent.json: {function: seconds}."""


def compared(trace: analysis.Trace, spent: Path) -> dict[str, tuple[float, float]]:
    """Return for each function its share by the program's own clocks, and its share of the waiting."""
    seconds = json.loads(spent.read_text())
    functions = analysis.code_blame(trace).functions
    names = np.array([trace.codes[code].name if code >= 0 else "" for code in functions["code"]])
    waited = {name: int(functions["waited"][names == name].sum()) for name in seconds}
    whole, every = sum(seconds.values()), max(sum(waited.values()), 1)
    return {name: (seconds[name] / whole, waited[name] / every) for name in seconds}
